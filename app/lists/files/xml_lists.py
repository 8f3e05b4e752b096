"""Lists as XML: MyAnimeList's export and what imitates it, Shikimori, Kitsu, HiAnime and Taiga.

The parser holds one row of text at a time, never a tree, and no entity is ever processed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from app.lists.errors import BadFileReason, BadListFile, ListTooLong
from app.lists.files.entries import (
    HIANIME,
    MAX_ENTRIES,
    MYANIMELIST,
    SHIKIMORI,
    TAIGA,
    FileEntry,
    FileFormat,
    FileList,
    plain_name,
    read_entry,
)
from app.lists.files.xml_repair import XmlRepairError, repair_xml

# A row has some 25 elements. Past this it is no list but an attack on our time.
_MAX_ELEMENTS = 50 * MAX_ENTRIES
# Between two rows, outside Taiga's database. The head of a list has a dozen.
_MAX_IDLE_ELEMENTS = 1_000
_MAX_DEPTH = 50
# One tag this long is no list either, and old expat reads it again with every piece.
_MAX_TAG_BYTES = 1024 * 1024
_MAX_FIELD_CHARS = 2_000
_MAX_FIELDS = 100
_MAX_TAG_CHARS = 100
_FORMATS: Final[Mapping[str, FileFormat]] = {
    "myanimelist": MYANIMELIST,
    "library": TAIGA,
    "list": HIANIME,
}
"""By the outermost element."""
_ROWS: Final = {"anime", "item"}
_MANGA_EXPORT_TYPE = "2"
# A file beside the list at most, and nothing that could be fetched.
_HARMLESS_DOCTYPE = re.compile(r"[\w.-]{0,100}")


def read_xml(pieces: Iterator[bytes]) -> FileList | None:
    """Return the list in an XML file; None where it holds something else.

    Raises BadListFile, ListTooLong: it is damaged, dangerous, of manga only, or too long.
    """
    target = _ListTarget()
    try:
        _feed_parser(repair_xml(pieces), target)
    except DefusedXmlException:
        raise BadListFile(reason=BadFileReason.UNSAFE_XML) from None
    except (ParseError, XmlRepairError):
        if target.layout is None:
            return None
        raise BadListFile(reason=BadFileReason.BROKEN) from None
    return target.result()


def _feed_parser(chunks: Iterator[str], target: _ListTarget) -> None:
    parser = DefusedXMLParser(target=target, encoding="utf-8")
    parser.parser.StartDoctypeDeclHandler = _check_doctype
    fed = 0
    for piece in chunks:
        # Bytes, not text: only so can the parser's position be compared with what it was fed.
        encoded = piece.encode()
        fed += len(encoded)
        parser.feed(encoded)
        if fed - parser.parser.CurrentByteIndex > _MAX_TAG_BYTES:
            raise BadListFile(reason=BadFileReason.BROKEN)
    parser.close()


def _check_doctype(_: str, system: str | None, public: str | None, has_subset: object) -> None:
    if has_subset or public or not _HARMLESS_DOCTYPE.fullmatch(system or ""):
        raise BadListFile(reason=BadFileReason.UNSAFE_XML)


class _ListTarget:
    """What the parser calls with each tag.

    ``layout`` is None until the outermost element, or a row, says what kind of list it is.
    """

    def __init__(self) -> None:
        self.layout: FileFormat | None = None
        self._entries: list[FileEntry] = []
        self._username: str | None = None
        self._depth = 0
        self._element_count = self._idle_count = 0
        self._row_count = 0
        self._has_manga = False
        self._unsure_site = False
        self._folder: str | None = None  # HiAnime: the name of what the next rows are in
        self._database_depth = 0  # Taiga: anime that it knows, on no list
        self._row: dict[str, str] | None = None
        self._row_tag = ""
        self._tag: str | None = None
        self._plain_tags: dict[str, str] = {}
        self._text_parts: list[str] = []
        self._text_length = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:  # noqa: ARG002
        tag = self._plain(tag)
        self._element_count += 1
        self._depth += 1
        self._idle_count += 1
        if self._element_count > _MAX_ELEMENTS:
            raise BadListFile(reason=BadFileReason.TOO_LARGE)
        if self._idle_count > _MAX_IDLE_ELEMENTS or self._depth > _MAX_DEPTH:
            if self.layout is None:
                raise ParseError("not a list")
            raise BadListFile(reason=BadFileReason.TOO_LARGE)
        if self._depth == 1 and tag in _FORMATS:
            self.layout = _FORMATS[tag]
        if self._row is not None:
            self._listen(tag)
        elif self._database_depth or tag == "database":
            self._database_depth += 1
            self._idle_count = 0
        elif tag in _ROWS:
            self._row_count += 1
            self._idle_count = 0
            if self._row_count > MAX_ENTRIES:
                raise ListTooLong(source="list", limit=MAX_ENTRIES)
            self.layout = self.layout or MYANIMELIST
            self._row, self._row_tag, self._tag = {}, tag, None
        elif tag == "manga":
            self._has_manga = True
            self._idle_count = 0
        else:
            self._listen(tag)

    def _plain(self, tag: str) -> str:
        """Return the name of a tag as other exporters may spell it: <Anime>, <my-score>."""
        if (known := self._plain_tags.get(tag)) is not None:
            return known
        name = plain_name(tag[:_MAX_TAG_CHARS])
        if len(self._plain_tags) < _MAX_FIELDS:
            self._plain_tags[tag] = name
        return name

    def _listen(self, tag: str) -> None:
        self._tag = tag
        self._text_parts.clear()
        self._text_length = 0

    def data(self, text: str) -> None:
        if self._tag is not None and self._text_length < _MAX_FIELD_CHARS:
            self._text_parts.append(text)
            self._text_length += len(text)

    def end(self, tag: str) -> None:
        tag = self._plain(tag)
        self._depth -= 1
        if self._database_depth:
            self._database_depth -= 1
        elif tag == self._tag:
            self._tag = None
            self._store(tag, "".join(self._text_parts).strip()[:_MAX_FIELD_CHARS])
        elif self._row is not None and tag == self._row_tag:
            self._add_row(self._row)
            self._row = self._tag = None

    def _store(self, tag: str, text: str) -> None:
        if self._row is not None:
            if len(self._row) < _MAX_FIELDS:
                self._row[tag] = text
        elif tag == "username":
            self._username = text
        elif tag == "userexporttype":
            # Some write the wrong one: if there is any anime, that decides.
            self._has_manga |= text == _MANGA_EXPORT_TYPE
        elif tag == "name":
            self._folder = text

    def _add_row(self, row: dict[str, str]) -> None:
        layout = self.layout or MYANIMELIST
        if layout is TAIGA and row.get("libraryid"):
            # Only other sites number the entries of a list, too; which of them is not said.
            row |= {"anilistid": row.get("id", ""), "kitsuid": row.get("id", "")}
            self._unsure_site = True
        elif layout is TAIGA:
            row["malid"] = row.get("id", "")
        elif layout is HIANIME:
            row.setdefault("status", self._folder or "")
        elif "shikistatus" in row:
            layout = self.layout = SHIKIMORI
        if entry := read_entry(row, layout):
            self._entries.append(entry)

    def result(self) -> FileList | None:
        """Return the list; None where there is none, and nothing that says it is an empty one."""
        if self.layout is None:
            if self._has_manga:
                raise BadListFile(reason=BadFileReason.MANGA)
            return None
        if not self._row_count and self._has_manga:
            raise BadListFile(reason=BadFileReason.MANGA)
        found = FileList(self.layout, tuple(self._entries), self._username)
        return replace(found, unsure_site=self._unsure_site)
