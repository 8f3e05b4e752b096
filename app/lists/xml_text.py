"""Turns the bytes of a hand-me-down XML file into text that an XML parser accepts.

Exports pass through editors, converters and other people's exporters, which leave bare ``&``,
control characters and broken UTF-8 behind. All work is done piece by piece, so memory stays at the
size of a piece.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Enough to hold a byte order mark and an XML declaration.
_HEAD = 256
# The only other encodings believed when a file declares them; the rest reads as UTF-8.
_DECLARED = re.compile(
    rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["'](iso-8859-1|windows-125[0-8]|shift_jis|euc-jp)["']""",
    re.I,
)
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_OPENING = re.compile(r"<!\[CDATA\[|<!--")
_CDATA_END, _COMMENT_END = "]]>", "-->"
_AMPERSAND = re.compile(r"&(?:(amp|lt|gt|quot|apos)|#([0-9]{1,7})|#x([0-9A-Fa-f]{1,6}));|&")
# No token that the patterns above look for is longer than this.
_LONGEST_TOKEN = 10
# Some 60 ampersands and 20 sections for every title of the longest list. Past that it is an attack
# on our time.
_MAX_AMPERSANDS = 1_200_000
_MAX_SECTIONS = 400_000


class RepairError(ValueError):
    """More to repair than any honest file needs."""


def xml_text(pieces: Iterable[bytes]) -> Iterator[str]:
    """Decode and repair. Valid entities and CDATA sections stay as they are; comments go.

    Raises RepairError.
    """
    repair = _Repair()
    for text in _decode(pieces):
        yield repair.feed(text)
    yield repair.feed("", final=True)


def _decode(pieces: Iterable[bytes]) -> Iterator[str]:
    """Text of the bytes; what cannot be decoded becomes U+FFFD."""
    source = iter(pieces)
    head = b""
    for piece in source:
        head += piece
        if len(head) >= _HEAD:
            break
    decoder = codecs.getincrementaldecoder(_encoding(head))(errors="replace")
    yield decoder.decode(head)
    for piece in source:
        yield decoder.decode(piece)
    yield decoder.decode(b"", final=True)


def _encoding(head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head.startswith(b"<\x00"):
        return "utf-16-le"
    if head.startswith(b"\x00<"):
        return "utf-16-be"
    declared = _DECLARED.match(head[:_HEAD])
    return declared[1].decode("ascii") if declared else "utf-8-sig"


class _Repair:
    """Keeps back only what a token cut in two by a piece's end needs."""

    def __init__(self) -> None:
        self._held = ""
        self._ending: str | None = None  # of the CDATA section or comment we are inside
        self._started = False
        self._ampersands = 0
        self._sections = 0

    def feed(self, text: str, *, final: bool = False) -> str:
        """The repaired form of what can be decided so far, all of it when ``final``."""
        held = self._held + _NOT_XML.sub("", text)
        if not self._started:
            # An XML declaration must be the very first thing.
            held = held.lstrip("\ufeff \t\r\n")
            self._started = bool(held)
        done: list[str] = []
        position = 0
        while position < len(held):
            step = self._inside if self._ending else self._outside
            repaired, moved = step(held, position, final=final)
            done.append(repaired)
            if moved == position:
                break
            position = moved
        self._held = held[position:]
        return "".join(done)

    def _outside(self, held: str, start: int, *, final: bool) -> tuple[str, int]:
        opening = _OPENING.search(held, start)
        if opening is None:
            stop = len(held) if final else _safe_end(held, start)
            return self._repair_ampersands(held[start:stop]), stop
        self._sections += 1
        if self._sections > _MAX_SECTIONS:
            raise RepairError("too many sections")
        before = self._repair_ampersands(held[start : opening.start()])
        if opening[0] == "<!--":
            self._ending = _COMMENT_END
            return before, opening.end()
        self._ending = _CDATA_END
        return before + opening[0], opening.end()

    def _inside(self, held: str, start: int, *, final: bool) -> tuple[str, int]:
        ending = self._ending or _CDATA_END
        found = held.find(ending, start)
        if found >= 0:
            stop = found + len(ending)
            self._ending = None
        else:
            keep = 0 if final else len(ending) - 1
            stop = max(start, len(held) - keep)
        # A comment says nothing we need, and a broken one would stop the parser.
        return ("" if ending == _COMMENT_END else held[start:stop]), stop

    def _repair_ampersands(self, text: str) -> str:
        repaired, count = _AMPERSAND.subn(_entity, text)
        self._ampersands += count
        if self._ampersands > _MAX_AMPERSANDS:
            raise RepairError("too many ampersands")
        return repaired


def _entity(match: re.Match[str]) -> str:
    """A valid entity as it is, a bare ``&`` escaped, a forbidden character's number as U+FFFD."""
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
    tail = max(start, len(text) - _LONGEST_TOKEN)
    found = [at for at in (text.find("&", tail), text.find("<", tail)) if at >= 0]
    return min(found, default=len(text))
