"""MyAnimeList's own export of a list, uploaded by the user: ``.xml`` or ``.xml.gz``.

The file is a stranger's. It is read in pieces, with a cap on the bytes before and after
unpacking, and no entity or document type is ever processed. Nothing of it is logged or stored.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from app.lists.entry import AnimeList, ListEntry
from app.lists.errors import BadExportFile, BadFileReason, ListTooLong
from app.lists.normalize import normalize_score, normalize_title
from app.lists.xml_repair import XmlRepairError, repair_xml
from app.recommender.watch_status import WatchStatus

SLUG: Final = "export"
NAME: Final = "MyAnimeList export"
MAX_COMPRESSED_BYTES: Final = 5 * 1024 * 1024
MAX_XML_BYTES: Final = 50 * 1024 * 1024
MAX_ENTRIES: Final = 20_000

_CHUNK_SIZE = 64 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
# A row has some 25 elements. Past this it is no list but an attack on our time.
_MAX_ELEMENTS = 50 * MAX_ENTRIES
# One tag this long is no list either, and old expat reads it again with every piece.
_MAX_TAG_BYTES = 1024 * 1024
_MAX_FIELD_CHARS = 2_000

_ENTRY_TAGS: Final = frozenset(
    {"series_animedb_id", "series_title", "my_score", "my_status", "my_rewatching"}
)
_INFO_TAGS: Final = frozenset({"user_name", "user_export_type"})
_MANGA_EXPORT_TYPE = "2"
_STATUS_MAP: Final[Mapping[str, WatchStatus]] = {
    "1": WatchStatus.WATCHING,
    "watching": WatchStatus.WATCHING,
    "currentlywatching": WatchStatus.WATCHING,
    "2": WatchStatus.COMPLETED,
    "completed": WatchStatus.COMPLETED,
    "rewatching": WatchStatus.COMPLETED,
    "3": WatchStatus.ON_HOLD,
    "onhold": WatchStatus.ON_HOLD,
    "4": WatchStatus.DROPPED,
    "dropped": WatchStatus.DROPPED,
    "6": WatchStatus.PLAN_TO_WATCH,
    "plantowatch": WatchStatus.PLAN_TO_WATCH,
}
_ID_PATTERN = re.compile(r"[0-9]{1,9}")
_SCORE_PATTERN = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,6})?")


def parse_export(data: bytes | BinaryIO) -> AnimeList:
    """Return the list in an uploaded file, whatever the file is called.

    Rows without a usable id are counted in ``unmapped``; of rows with the same id the last wins.
    Raises BadExportFile or ListTooLong, nothing else (besides what reading ``data`` itself raises).
    """
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    target = _ExportTarget()
    try:
        _feed_parser(repair_xml(_decompress(stream)), target)
    except DefusedXmlException:
        raise _bad_export(BadFileReason.UNSAFE_XML) from None
    except (ParseError, XmlRepairError):
        raise _bad_export(BadFileReason.NOT_XML) from None
    if not target.entries:
        raise _bad_export(BadFileReason.NO_ANIME)
    return AnimeList(
        source=SLUG,
        username=target.username,
        entries=tuple(target.entries.values()),
        unmapped=target.unmapped,
    )


class _SizeLimitedReader(io.RawIOBase):
    """A stream that refuses to give more than ``limit`` bytes."""

    def __init__(self, head: bytes, stream: BinaryIO, limit: int) -> None:
        self._head = head
        self._stream = stream
        self._remaining_bytes = limit

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        size = _CHUNK_SIZE if size < 0 else size
        piece, self._head = self._head[:size], self._head[size:]
        piece = piece or self._stream.read(size)
        self._remaining_bytes -= len(piece)
        if self._remaining_bytes < 0:
            raise _bad_export(BadFileReason.TOO_LARGE)
        return piece


def _decompress(stream: BinaryIO) -> Iterator[bytes]:
    """Return the bytes of the XML, unpacked if need be, never more than the caps allow."""
    head = b""
    while len(head) < len(_GZIP_MAGIC) and (more := stream.read(len(_GZIP_MAGIC) - len(head))):
        head += more
    packed = head == _GZIP_MAGIC
    limited = _SizeLimitedReader(head, stream, MAX_COMPRESSED_BYTES if packed else MAX_XML_BYTES)
    unpacked = gzip.GzipFile(fileobj=limited) if packed else limited
    left = MAX_XML_BYTES
    try:
        while piece := unpacked.read(_CHUNK_SIZE):
            left -= len(piece)
            if left < 0:
                raise _bad_export(BadFileReason.TOO_LARGE)
            yield piece
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise _bad_export(BadFileReason.DAMAGED_GZIP) from None


def _feed_parser(chunks: Iterator[str], target: _ExportTarget) -> None:
    parser = DefusedXMLParser(target=target, encoding="utf-8", forbid_dtd=True)
    fed = 0
    for piece in chunks:
        # Bytes, not text: only so can the parser's position be compared with what it was fed.
        encoded = piece.encode()
        fed += len(encoded)
        parser.feed(encoded)
        if fed - parser.parser.CurrentByteIndex > _MAX_TAG_BYTES:
            raise _bad_export(BadFileReason.NOT_XML)
    parser.close()


class _ExportTarget:
    """What the parser calls with each tag. Holds one row of text at a time, never a tree."""

    def __init__(self) -> None:
        self.entries: dict[int, ListEntry] = {}
        self.username: str | None = None
        self.unmapped = 0
        self._element_count = 0
        self._entry_count = 0
        self._current_entry: dict[str, str] | None = None
        self._current_tag: str | None = None
        self._text_parts: list[str] = []
        self._text_length = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:  # noqa: ARG002
        tag = tag.casefold()  # other exporters write <Anime> or <ANIME>
        self._element_count += 1
        if self._element_count > _MAX_ELEMENTS:
            raise _bad_export(BadFileReason.TOO_LARGE)
        if self._current_entry is None and tag == "manga":
            raise _bad_export(BadFileReason.MANGA)
        if self._current_entry is None and tag == "anime":
            self._entry_count += 1
            if self._entry_count > MAX_ENTRIES:
                raise ListTooLong(source=NAME, limit=MAX_ENTRIES)
            self._current_entry = {}
        elif tag in (_INFO_TAGS if self._current_entry is None else _ENTRY_TAGS):
            self._current_tag = tag
            self._text_parts.clear()
            self._text_length = 0

    def data(self, text: str) -> None:
        if self._current_tag is not None and self._text_length < _MAX_FIELD_CHARS:
            self._text_parts.append(text)
            self._text_length += len(text)

    def end(self, tag: str) -> None:
        tag = tag.casefold()
        if tag == self._current_tag:
            self._current_tag = None
            self._store_field(tag, "".join(self._text_parts).strip()[:_MAX_FIELD_CHARS])
        elif tag == "anime" and self._current_entry is not None:
            self._add_entry(self._current_entry)
            self._current_entry = None
            self._current_tag = None

    def _store_field(self, tag: str, text: str) -> None:
        if self._current_entry is not None:
            self._current_entry[tag] = text
        elif tag == "user_name":
            self.username = text or None
        elif text == _MANGA_EXPORT_TYPE:
            raise _bad_export(BadFileReason.MANGA)

    def _add_entry(self, row: Mapping[str, str]) -> None:
        entry = _parse_entry(row)
        if entry is None:
            self.unmapped += 1
            return
        # Not just overwritten: the last of equal ids also takes the last place.
        self.entries.pop(entry.anime_id, None)
        self.entries[entry.anime_id] = entry


def _parse_entry(row: Mapping[str, str]) -> ListEntry | None:
    """One row, None when it does not say which anime it is about."""
    raw_id = row.get("series_animedb_id", "")
    anime_id = int(raw_id) if _ID_PATTERN.fullmatch(raw_id) else 0
    if anime_id == 0:
        return None
    raw_score = row.get("my_score", "")
    score = float(raw_score) if _SCORE_PATTERN.fullmatch(raw_score) else None
    return ListEntry(
        anime_id=anime_id,
        status=_parse_status(row),
        score=normalize_score(score),
        title=normalize_title(row.get("series_title")),
    )


def _parse_status(row: Mapping[str, str]) -> WatchStatus:
    """Who watches again has seen it; words in any case and spacing, or MyAnimeList's digits."""
    if row.get("my_rewatching", "").casefold() in {"1", "yes", "true"}:
        return WatchStatus.COMPLETED
    word = re.sub(r"[\W_]", "", row.get("my_status", "")).casefold()
    return _STATUS_MAP.get(word, WatchStatus.UNKNOWN)


def _bad_export(reason: BadFileReason) -> BadExportFile:
    return BadExportFile(reason=reason, source=NAME)
