"""Turns the bytes of a hand-me-down XML file into text that an XML parser accepts.

Exports pass through editors, converters and other people's exporters, which leave bare ``&``,
control characters and broken UTF-8 behind. All work is done piece by piece, so memory stays at the
size of a piece.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

# Enough to hold a byte order mark and an XML declaration.
_HEADER_BYTES = 256
# The only other encodings believed when a file declares them; the rest reads as UTF-8.
_DECLARED_ENCODING = re.compile(
    rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["'](iso-8859-1|windows-125[0-8]|shift_jis|euc-jp)["']""",
    re.I,
)
_INVALID_XML_CHARS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_SECTION_START = re.compile(r"<!\[CDATA\[|<!--")
_CDATA_END, _COMMENT_END = "]]>", "-->"
_AMPERSAND_PATTERN = re.compile(r"&(?:(amp|lt|gt|quot|apos)|#([0-9]{1,7})|#x([0-9A-Fa-f]{1,6}));|&")
# No token that the patterns above look for is longer than this.
_MAX_TOKEN_LENGTH = 10
# Some 60 ampersands and 20 sections for every title of the longest list. Past that it is an attack
# on our time.
_MAX_AMPERSANDS = 1_200_000
_MAX_SECTIONS = 400_000


class XmlRepairError(ValueError):
    """More to repair than any honest file needs."""


def repair_xml(chunks: Iterable[bytes]) -> Iterator[str]:
    """Decode and repair. Valid entities and CDATA sections stay as they are; comments go.

    Raises XmlRepairError.
    """
    repairer = _XmlRepairer()
    for text in _decode_chunks(chunks):
        yield repairer.feed(text)
    yield repairer.feed("", final=True)


def _decode_chunks(chunks: Iterable[bytes]) -> Iterator[str]:
    """Text of the bytes; what cannot be decoded becomes U+FFFD."""
    source = iter(chunks)
    head = b""
    for piece in source:
        head += piece
        if len(head) >= _HEADER_BYTES:
            break
    decoder = codecs.getincrementaldecoder(_detect_encoding(head))(errors="replace")
    yield decoder.decode(head)
    for piece in source:
        yield decoder.decode(piece)
    yield decoder.decode(b"", final=True)


def _detect_encoding(head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head.startswith(b"<\x00"):
        return "utf-16-le"
    if head.startswith(b"\x00<"):
        return "utf-16-be"
    declared = _DECLARED_ENCODING.match(head[:_HEADER_BYTES])
    return declared[1].decode("ascii") if declared else "utf-8-sig"


class _XmlRepairer:
    """Keeps back only what a token cut in two by a piece's end needs."""

    def __init__(self) -> None:
        self._pending = ""
        self._section_end: str | None = None  # of the CDATA section or comment we are inside
        self._started = False
        self._ampersands = 0
        self._sections = 0

    def feed(self, text: str, *, final: bool = False) -> str:
        """Return the repaired form of what can be decided so far, all of it when ``final``."""
        pending = self._pending + _INVALID_XML_CHARS.sub("", text)
        if not self._started:
            # An XML declaration must be the very first thing.
            pending = pending.lstrip("\ufeff \t\r\n")
            self._started = bool(pending)
        done: list[str] = []
        position = 0
        while position < len(pending):
            step = self._repair_section if self._section_end else self._repair_text
            repaired, moved = step(pending, position, final=final)
            done.append(repaired)
            if moved == position:
                break
            position = moved
        self._pending = pending[position:]
        return "".join(done)

    def _repair_text(self, held: str, start: int, *, final: bool) -> tuple[str, int]:
        opening = _SECTION_START.search(held, start)
        if opening is None:
            stop = len(held) if final else _safe_end(held, start)
            return self._repair_ampersands(held[start:stop]), stop
        self._sections += 1
        if self._sections > _MAX_SECTIONS:
            raise XmlRepairError("too many sections")
        before = self._repair_ampersands(held[start : opening.start()])
        if opening[0] == "<!--":
            self._section_end = _COMMENT_END
            return before, opening.end()
        self._section_end = _CDATA_END
        return before + opening[0], opening.end()

    def _repair_section(self, held: str, start: int, *, final: bool) -> tuple[str, int]:
        ending = self._section_end or _CDATA_END
        found = held.find(ending, start)
        if found >= 0:
            stop = found + len(ending)
            self._section_end = None
        else:
            keep = 0 if final else len(ending) - 1
            stop = max(start, len(held) - keep)
        # A comment says nothing we need, and a broken one would stop the parser.
        return ("" if ending == _COMMENT_END else held[start:stop]), stop

    def _repair_ampersands(self, text: str) -> str:
        repaired, count = _AMPERSAND_PATTERN.subn(_repair_entity, text)
        self._ampersands += count
        if self._ampersands > _MAX_AMPERSANDS:
            raise XmlRepairError("too many ampersands")
        return repaired


def _repair_entity(match: re.Match[str]) -> str:
    """Keep a valid entity, escape a bare ``&``, make a forbidden character's number U+FFFD."""
    name, decimal, hexadecimal = match.groups()
    if name:
        return match[0]
    if not decimal and not hexadecimal:
        return "&amp;"
    code = int(decimal) if decimal else int(hexadecimal, 16)
    allowed = (
        code in (0x9, 0xA, 0xD)
        or 0x20 <= code <= 0xD7FF
        or 0xE000 <= code <= 0xFFFD
        or 0x10000 <= code <= 0x10FFFF
    )
    return match[0] if allowed else "\ufffd"


def _safe_end(text: str, start: int) -> int:
    """Up to where no token can still be waiting for its rest."""
    tail = max(start, len(text) - _MAX_TOKEN_LENGTH)
    found = [at for at in (text.find("&", tail), text.find("<", tail)) if at >= 0]
    return min(found, default=len(text))
