"""MyAnimeList's own export of a list, uploaded by the fan: ``.xml`` or ``.xml.gz``.

The file is a stranger's. It is read in pieces, with a cap on the bytes before and after
unpacking, and no entity or document type is ever processed. Nothing of it is logged or stored.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from typing import TYPE_CHECKING, BinaryIO, Final
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from app.lists.entry import FanList, ListEntry
from app.lists.errors import BadExportFile, BadFile, ListTooLong
from app.lists.fields import to_score, to_title
from app.lists.xml_text import RepairError, xml_text
from app.recommender.status import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SLUG: Final = "export"
NAME: Final = "MyAnimeList export"
MAX_COMPRESSED: Final = 5 * 1024 * 1024
MAX_XML: Final = 50 * 1024 * 1024
MAX_ENTRIES: Final = 20_000

_PIECE = 64 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
# A row has some 25 elements. Past this it is no list but an attack on our time.
_MAX_ELEMENTS = 50 * MAX_ENTRIES
# One tag this long is no list either, and old expat reads it again with every piece.
_MAX_TAG = 1024 * 1024
_MAX_FIELD = 2_000

_FIELDS: Final = frozenset(
    {"series_animedb_id", "series_title", "my_score", "my_status", "my_rewatching"}
)
_INFO: Final = frozenset({"user_name", "user_export_type"})
_MANGA_EXPORT = "2"
_STATUSES: Final[Mapping[str, Status]] = {
    "1": Status.WATCHING,
    "watching": Status.WATCHING,
    "currentlywatching": Status.WATCHING,
    "2": Status.COMPLETED,
    "completed": Status.COMPLETED,
    "rewatching": Status.COMPLETED,
    "3": Status.ON_HOLD,
    "onhold": Status.ON_HOLD,
    "4": Status.DROPPED,
    "dropped": Status.DROPPED,
    "6": Status.PLAN_TO_WATCH,
    "plantowatch": Status.PLAN_TO_WATCH,
}
_ID = re.compile(r"[0-9]{1,9}")
_SCORE = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,6})?")


def parse(data: bytes | BinaryIO) -> FanList:
    """The list in an uploaded file, whatever the file is called.

    Rows without a usable id are counted in ``unmapped``; of rows with the same id the last wins.
    Raises BadExportFile or ListTooLong, nothing else (besides what reading ``data`` itself raises).
    """
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    rows = _Rows()
    try:
        _run_parser(xml_text(_unpacked(stream)), rows)
    except DefusedXmlException:
        raise _bad(BadFile.UNSAFE_XML) from None
    except (ParseError, RepairError):
        raise _bad(BadFile.NOT_XML) from None
    if not rows.entries:
        raise _bad(BadFile.NO_ANIME)
    return FanList(
        source=SLUG,
        username=rows.username,
        entries=tuple(rows.entries.values()),
        unmapped=rows.skipped,
    )


class _Counted(io.RawIOBase):
    """A stream that refuses to give more than ``limit`` bytes."""

    def __init__(self, head: bytes, stream: BinaryIO, limit: int) -> None:
        self._head = head
        self._stream = stream
        self._left = limit

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        size = _PIECE if size < 0 else size
        piece, self._head = self._head[:size], self._head[size:]
        piece = piece or self._stream.read(size)
        self._left -= len(piece)
        if self._left < 0:
            raise _bad(BadFile.TOO_LARGE)
        return piece


def _unpacked(stream: BinaryIO) -> Iterator[bytes]:
    """The bytes of the XML, unpacked if need be, never more than the caps allow."""
    head = b""
    while len(head) < len(_GZIP_MAGIC) and (more := stream.read(len(_GZIP_MAGIC) - len(head))):
        head += more
    if head != _GZIP_MAGIC:
        plain = _Counted(head, stream, MAX_XML)
        while piece := plain.read(_PIECE):
            yield piece
        return
    packed = _Counted(head, stream, MAX_COMPRESSED)
    left = MAX_XML
    try:
        with gzip.GzipFile(fileobj=packed) as unpacked:
            while piece := unpacked.read(_PIECE):
                left -= len(piece)
                if left < 0:
                    raise _bad(BadFile.TOO_LARGE)
                yield piece
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise _bad(BadFile.DAMAGED_GZIP) from None


def _run_parser(pieces: Iterator[str], rows: _Rows) -> None:
    parser = DefusedXMLParser(target=rows, encoding="utf-8", forbid_dtd=True)
    fed = 0
    for piece in pieces:
        # Bytes, not text: only so can the parser's position be compared with what it was fed.
        encoded = piece.encode()
        fed += len(encoded)
        parser.feed(encoded)
        if fed - parser.parser.CurrentByteIndex > _MAX_TAG:
            raise _bad(BadFile.NOT_XML)
    parser.close()


class _Rows:
    """What the parser calls with each tag. Holds one row of text at a time, never a tree."""

    def __init__(self) -> None:
        self.entries: dict[int, ListEntry] = {}
        self.username: str | None = None
        self.skipped = 0
        self._elements = 0
        self._rows = 0
        self._row: dict[str, str] | None = None
        self._field: str | None = None
        self._text: list[str] = []
        self._length = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:  # noqa: ARG002
        tag = tag.casefold()  # other exporters write <Anime> or <ANIME>
        self._elements += 1
        if self._elements > _MAX_ELEMENTS:
            raise _bad(BadFile.TOO_LARGE)
        if self._row is None and tag == "manga":
            raise _bad(BadFile.MANGA)
        if self._row is None and tag == "anime":
            self._rows += 1
            if self._rows > MAX_ENTRIES:
                raise ListTooLong(source=NAME, limit=MAX_ENTRIES)
            self._row = {}
        elif tag in (_INFO if self._row is None else _FIELDS):
            self._field = tag
            self._text.clear()
            self._length = 0

    def data(self, text: str) -> None:
        if self._field is not None and self._length < _MAX_FIELD:
            self._text.append(text)
            self._length += len(text)

    def end(self, tag: str) -> None:
        tag = tag.casefold()
        if tag == self._field:
            self._field = None
            self._keep(tag, "".join(self._text).strip()[:_MAX_FIELD])
        elif tag == "anime" and self._row is not None:
            self._finish(self._row)
            self._row = None
            self._field = None

    def _keep(self, tag: str, text: str) -> None:
        if self._row is not None:
            self._row[tag] = text
        elif tag == "user_name":
            self.username = text or None
        elif text == _MANGA_EXPORT:
            raise _bad(BadFile.MANGA)

    def _finish(self, row: Mapping[str, str]) -> None:
        entry = _entry(row)
        if entry is None:
            self.skipped += 1
            return
        # Not just overwritten: the last of equal ids also takes the last place.
        self.entries.pop(entry.anime_id, None)
        self.entries[entry.anime_id] = entry


def _entry(row: Mapping[str, str]) -> ListEntry | None:
    """One row, None when it does not say which anime it is about."""
    raw_id = row.get("series_animedb_id", "")
    anime_id = int(raw_id) if _ID.fullmatch(raw_id) else 0
    if anime_id == 0:
        return None
    raw_score = row.get("my_score", "")
    score = float(raw_score) if _SCORE.fullmatch(raw_score) else None
    return ListEntry(
        anime_id=anime_id,
        status=_status(row),
        score=to_score(score),
        title=to_title(row.get("series_title")),
    )


def _status(row: Mapping[str, str]) -> Status:
    """Who watches again has seen it; words in any case and spacing, or MyAnimeList's digits."""
    if row.get("my_rewatching", "").casefold() in {"1", "yes", "true"}:
        return Status.COMPLETED
    word = re.sub(r"[\W_]", "", row.get("my_status", "")).casefold()
    return _STATUSES.get(word, Status.UNKNOWN)


def _bad(reason: BadFile) -> BadExportFile:
    return BadExportFile(reason, source=NAME)
