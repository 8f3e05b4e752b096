"""Lists as CSV: Simkl, Yamtrack, and any table that names its columns plainly."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Final

from app.lists.errors import BadFileReason, BadListFile, ListTooLong
from app.lists.files.entries import (
    MAX_ENTRIES,
    SIMKL,
    TABLE,
    YAMTRACK,
    FileFormat,
    FileList,
    has_entry_fields,
    plain_name,
    read_entry,
)

_MAX_COLUMNS = 100
_MAX_HEADER_CHARS = 4_000
_DELIMITERS: Final = ",;\t"
_SITE_COLUMNS: Final = {"mal": "malid", "anilist": "anilistid", "kitsu": "kitsuid"}


def read_csv(text: str) -> FileList | None:
    """Return the list in a table; None where its first line is no header of one.

    Raises BadListFile, ListTooLong: it is damaged, or too long.
    """
    header = next(iter(text[:_MAX_HEADER_CHARS].splitlines()), "")
    delimiter = max(_DELIMITERS, key=header.count)
    names = [plain_name(name) for name in header.replace('"', "").split(delimiter)]
    layout = _find_format(names)
    if layout is None:
        return None
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        next(rows)
        entries = tuple(filter(None, (read_entry(row, layout) for row in _fields(rows, names))))
    except csv.Error:
        raise BadListFile(reason=BadFileReason.BROKEN) from None
    return FileList(layout, entries)


def _find_format(names: list[str]) -> FileFormat | None:
    if len(names) > _MAX_COLUMNS:
        return None
    if "simklid" in names:
        return SIMKL
    if {"mediaid", "source", "mediatype"} <= set(names):
        return YAMTRACK
    return TABLE if has_entry_fields(names) else None


def _fields(rows: Iterator[list[str]], names: list[str]) -> Iterator[Mapping[str, str]]:
    """Yield the rows that are of anime, their cells by column."""
    for at, row in enumerate(filter(None, rows)):
        if at == MAX_ENTRIES:
            raise ListTooLong(source="list", limit=MAX_ENTRIES)
        cells = dict(zip(names, row, strict=False))
        if "simklid" in cells:
            # The kind of title is not said, only that it is no anime.
            if cells.pop("type", "anime").casefold() != "anime" and not cells.get("malid"):
                continue
        elif "mediaid" in cells:
            if cells.pop("mediatype", "").casefold() != "anime":
                continue
            column = _SITE_COLUMNS.get(cells.get("source", "").casefold(), "")
            cells |= {column: cells["mediaid"]} if column else {}
        yield cells
