"""The one entrance for files: what kind of text it is decides who reads it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from app.lists.errors import BadFileReason, BadListFile
from app.lists.files.entries import FileList
from app.lists.files.json_lists import read_json
from app.lists.files.tables import read_csv
from app.lists.files.unpack import join_text, unpack
from app.lists.files.xml_lists import read_xml

# Byte order marks, zeros of UTF-16, and blanks.
_BEFORE_TEXT = b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"
_MAX_BLANKS = 256 * 1024
"""Bytes before a text; whoever sends more sends none."""


def read_list_file(data: bytes | BinaryIO) -> FileList:
    """Return the list in a file, whatever it is called; of an archive the longest one in it.

    Raises BadListFile, ListTooLong: there is none, or it is damaged, dangerous or too large.
    Nothing else is raised, besides what reading ``data`` itself raises.
    """
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    found: list[FileList] = []
    first_error: BadListFile | None = None
    for pieces in unpack(stream):
        try:
            found += filter(None, [_read_contents(pieces)])
        except BadListFile as error:
            if error.reason is BadFileReason.TOO_LARGE:
                raise
            first_error = first_error or error
    if not found:
        raise first_error or BadListFile(reason=BadFileReason.UNKNOWN)
    return max(found, key=lambda each: len(each.entries))


def _read_contents(pieces: Iterator[bytes]) -> FileList | None:
    head = b""
    for piece in pieces:
        head += piece
        if head.lstrip(_BEFORE_TEXT):
            break
        if len(head) > _MAX_BLANKS:
            return None
    start = head.lstrip(_BEFORE_TEXT)[:1]
    whole = chain([head], pieces)
    if start == b"<":
        return read_xml(whole)
    if not start or (b"\x00" in head[4:] and not head.startswith((b"\xff\xfe", b"\xfe\xff"))):
        return None  # no text
    text = join_text(whole).lstrip()
    return read_json(text) if start in b"{[" else read_csv(text)
