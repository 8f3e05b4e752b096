"""Words on a card: which can be drawn, how large, and where lines break."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from PIL import ImageFont

ELLIPSIS = "…"
MAX_LENGTH = 200
"""Characters of a text that are looked at; no card has room for more."""
BOLD, MEDIUM, MARK = "Inter-ExtraBold.ttf", "Inter-Medium.ttf", "NotoSerifCJK-mark.otf"
_FONTS = Path(__file__).with_name("fonts")
_MISSING = "\U0010ffff"
"""A character that no font has: what is drawn as it is, has no letter of its own."""


@cache
def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """Open one of the fonts that come with Hakken."""
    return ImageFont.truetype(_FONTS / name, size, layout_engine=ImageFont.Layout.BASIC)


@cache
def _has_letter(character: str) -> bool:
    small = font(MEDIUM, 20)
    drawn, missing = (small.getmask(each) for each in (character, _MISSING))
    return (drawn.size, bytes(drawn)) != (missing.size, bytes(missing))


def drawable_text(text: str) -> str:
    """Return the text without signs that cannot be drawn; empty if a letter of it cannot.

    >>> drawable_text("K-On！♪  Movie"), drawable_text("けいおん")
    ('K-On! Movie', '')
    """
    kept = []
    for character in unicodedata.normalize("NFKC", text):
        if character.isspace() or _has_letter(character):
            kept.append(character)
        elif character.isalnum() or unicodedata.category(character) in {"Mn", "Mc"}:
            return ""
    return " ".join("".join(kept).split())


def first_drawable(texts: Iterable[str], fallback: str = "") -> str:
    """Return the first text of which something can be drawn."""
    return next(filter(None, map(drawable_text, texts)), fallback)


def fit_text(
    text: str, name: str, sizes: Sequence[int], width: int, max_lines: int
) -> tuple[int, list[str]]:
    """Return the largest of ``sizes`` in which the text fits, and its lines.

    In the smallest what does not fit ends with an ellipsis.
    """
    text = text[:MAX_LENGTH]
    for size in sizes:
        lines = _break_lines(text, font(name, size), width, break_words=size == sizes[-1])
        if lines is not None and len(lines) <= max_lines:
            return size, lines
    smallest = font(name, sizes[-1])
    lines = _break_lines(text, smallest, width, break_words=True) or []
    last = lines[max_lines - 1].rstrip()
    while last and smallest.getlength(last + ELLIPSIS) > width:
        last = last[:-1].rstrip()
    return sizes[-1], [*lines[: max_lines - 1], last + ELLIPSIS]


def _break_lines(
    text: str, font: ImageFont.FreeTypeFont, width: int, *, break_words: bool
) -> list[str] | None:
    """Break at blanks, within words only if allowed; None where a word is too long."""
    lines: list[str] = []
    for given in text.split():
        word = given
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
            continue
        while font.getlength(word) > width:
            if not break_words:
                return None
            fitting = 1
            while font.getlength(word[: fitting + 1]) <= width:
                fitting += 1
            lines.append(word[:fitting])
            word = word[fitting:]
        lines.append(word)
    return lines
