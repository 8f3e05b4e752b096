"""What is in an uploaded file, unpacked if it is a .gz or .zip, in pieces and within limits."""

from __future__ import annotations

import codecs
import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from typing import IO, BinaryIO, Final

from app.lists.errors import BadFileReason, BadListFile

MAX_PACKED_BYTES: Final = 5 * 1024 * 1024
MAX_UNPACKED_BYTES: Final = 50 * 1024 * 1024
"""Of all that is unpacked of one upload, and of one that is not packed."""
FREE_BYTES: Final = 64 * 1024
MAX_RATIO: Final = 200
"""Bytes that may be unpacked of one that was sent, beyond `FREE_BYTES`: little sent is little work.
Lists of nothing but numbers reach 130."""
MAX_TEXT_BYTES: Final = 16 * 1024 * 1024
"""Of what is read whole: JSON and CSV."""
MAX_MEMBERS: Final = 20
"""Files of an archive that are looked into."""

_CHUNK_SIZE = 64 * 1024
_GZIP_MAGIC, _ZIP_MAGIC = b"\x1f\x8b", b"PK"
_ENCRYPTED = 0x1


def unpack(stream: BinaryIO) -> Iterator[Iterator[bytes]]:
    """Yield the contents of each file that an upload holds, in pieces: of most uploads one.

    The pieces of one are to be taken before the next is asked for. Raises BadListFile: it is
    damaged, or there is more of it than the limits allow.
    """
    head = _read_up_to(stream, len(_GZIP_MAGIC))
    is_packed = head in (_GZIP_MAGIC, _ZIP_MAGIC)
    limited = _LimitedReader(head, stream, MAX_PACKED_BYTES if is_packed else MAX_UNPACKED_BYTES)
    budget = _Budget(limited)
    if head == _ZIP_MAGIC:
        yield from _unzip(limited, budget)
    else:
        yield _gunzip(limited, budget) if is_packed else budget.pieces(limited)


def join_text(pieces: Iterable[bytes]) -> str:
    """Return all of a file as text, within `MAX_TEXT_BYTES`."""
    data = bytearray()
    for piece in pieces:
        data += piece
        if len(data) > MAX_TEXT_BYTES:
            raise BadListFile(reason=BadFileReason.TOO_LARGE)
    marks = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    encoding = "utf-16" if data.startswith(marks) else "utf-8-sig"
    return data.decode(encoding, "replace")


class _Budget:
    """The bytes that may be unpacked of what was ``sent``."""

    def __init__(self, sent: _LimitedReader) -> None:
        self._sent = sent
        self._unpacked = 0

    def pieces(self, stream: _LimitedReader | gzip.GzipFile) -> Iterator[bytes]:
        """Yield what is left of a stream."""
        while piece := stream.read(_CHUNK_SIZE):
            self._unpacked += len(piece)
            most = FREE_BYTES + MAX_RATIO * self._sent.given
            if self._unpacked > min(most, MAX_UNPACKED_BYTES):
                raise BadListFile(reason=BadFileReason.TOO_LARGE)
            yield piece


class _LimitedReader(io.RawIOBase):
    """A stream that refuses to give more than ``limit`` bytes; ``head`` comes first.

    ``given`` counts them.
    """

    def __init__(self, head: bytes, stream: IO[bytes], limit: int) -> None:
        self.given = 0
        self._head = head
        self._stream = stream
        self._limit = limit

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        size = _CHUNK_SIZE if size < 0 else size
        piece, self._head = self._head[:size], self._head[size:]
        piece = piece or self._stream.read(size)
        self.given += len(piece)
        if self.given > self._limit:
            raise BadListFile(reason=BadFileReason.TOO_LARGE)
        return piece


def _gunzip(packed: _LimitedReader, budget: _Budget) -> Iterator[bytes]:
    try:
        yield from budget.pieces(gzip.GzipFile(fileobj=packed))
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise BadListFile(reason=BadFileReason.DAMAGED) from None


def _unzip(reader: _LimitedReader, budget: _Budget) -> Iterator[Iterator[bytes]]:
    whole = io.BytesIO()
    while piece := reader.read(_CHUNK_SIZE):
        whole.write(piece)
    try:
        archive = zipfile.ZipFile(whole)
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, struct.error):
        raise BadListFile(reason=BadFileReason.DAMAGED) from None
    with archive:
        members = [each for each in archive.infolist() if _may_be_list(each)]
        for member in members[:MAX_MEMBERS]:
            yield _unzip_member(archive, member, budget)


def _may_be_list(member: zipfile.ZipInfo) -> bool:
    """Whether to look into a file of an archive; macOS leaves some beside each."""
    name = member.filename
    return not (
        member.is_dir() or name.startswith("__MACOSX/") or name.rpartition("/")[2].startswith(".")
    )


def _unzip_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, budget: _Budget
) -> Iterator[bytes]:
    plain = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    if member.flag_bits & _ENCRYPTED or member.compress_type not in plain:
        raise BadListFile(reason=BadFileReason.DAMAGED)
    try:
        with archive.open(member) as opened:
            head = opened.read(len(_GZIP_MAGIC))
            limited = _LimitedReader(head, opened, MAX_UNPACKED_BYTES)
            packed = head == _GZIP_MAGIC
            yield from _gunzip(limited, budget) if packed else budget.pieces(limited)
    except (zipfile.BadZipFile, EOFError, ValueError, OSError, NotImplementedError, zlib.error):
        raise BadListFile(reason=BadFileReason.DAMAGED) from None


def _read_up_to(stream: BinaryIO, size: int) -> bytes:
    head = b""
    while len(head) < size and (more := stream.read(size - len(head))):
        head += more
    return head
