"""Words on a card: which can be drawn, how large, and where lines break."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from PIL import ImageFont

ELLIPSIS = "…"
MAX_LENGTH = 200
"""Characters of a text that are looked at; no card has room for more."""
BOLD, MEDIUM, MARK = "Inter-ExtraBold.ttf", "Inter-Medium.ttf", "NotoSerifCJK-mark.otf"
JAPANESE = "NotoSansCJK-japanese.otf"
"""What a text is written in as a whole if the other font has not all of its letters."""
_FONTS = Path(__file__).with_name("fonts")
_MISSING = "\U0010ffff"
"""A character that no font has: what is drawn as it is, has no letter of its own."""
_NOT_FIRST = frozenset("、。,.!?:;%)]}」』】〉》’”…~〜・ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ")
_NOT_LAST = frozenset("([{「『【〈《‘“")
"""Characters that no line begins or ends with."""


@cache
def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """Open one of the fonts that come with Hakken."""
    return ImageFont.truetype(_FONTS / name, size, layout_engine=ImageFont.Layout.BASIC)


@cache
def _has_letter(name: str, character: str) -> bool:
    small = font(name, 20)
    drawn, missing = (small.getmask(each) for each in (character, _MISSING))
    return (drawn.size, bytes(drawn)) != (missing.size, bytes(missing))


def drawable_text(text: str) -> str:
    """Return the text without signs that cannot be drawn; empty if a letter of it cannot.

    >>> drawable_text("K-On！♪  Movie"), drawable_text("けいおん！"), drawable_text("케이온")
    ('K-On! Movie', 'けいおん!', '')
    """
    plain = unicodedata.normalize("NFKC", text)
    return _drawable_with(MEDIUM, plain) or _drawable_with(JAPANESE, plain)


def choose_font(text: str, name: str) -> str:
    """Return the font that has all letters of a drawable text: ``name``, or the Japanese one."""
    is_whole = all(each.isspace() or _has_letter(name, each) for each in text)
    return name if is_whole else JAPANESE


def _drawable_with(name: str, text: str) -> str:
    kept = []
    for character in text:
        if character.isspace() or _has_letter(name, character):
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

    No letter stands alone in the last line, unless in the smallest size; in that what does not fit
    ends with an ellipsis.
    """
    text = text[:MAX_LENGTH]
    for size in sizes:
        lines = _break_lines(text, font(name, size), width, break_words=size == sizes[-1])
        alone = lines is not None and len(lines) > 1 and len(lines[-1]) == 1
        if lines is not None and len(lines) <= max_lines and not (alone and size != sizes[-1]):
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
    """Break between words, within them only if allowed; None where one is too long."""
    lines: list[str] = []
    for blank, given in _words(text):
        word = given
        if lines and font.getlength(f"{lines[-1]}{blank}{word}") <= width:
            lines[-1] += f"{blank}{word}"
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


def _words(text: str) -> Iterator[tuple[str, str]]:
    """Part a text where a line may break, each part with the blank before it.

    >>> list(_words("「進撃」 Final"))
    [(' ', '「進'), ('', '撃」'), (' ', 'Final')]
    """
    for word in text.split():
        blank, part = " ", ""
        for character in word:
            if (
                part
                and (_is_ideographic(character) or _is_ideographic(part[-1]))
                and character not in _NOT_FIRST
                and part[-1] not in _NOT_LAST
            ):
                yield blank, part
                blank, part = "", ""
            part += character
        yield blank, part


def _is_ideographic(character: str) -> bool:
    """Whether the character is of a script that has no blanks between words."""
    return unicodedata.east_asian_width(character) == "W"
