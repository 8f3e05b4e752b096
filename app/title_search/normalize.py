"""Brings what is written in different ways to one: case, accents, numerals, long vowels, "&".

Works on many names at once, and on every different word of them once: name by name, a catalogue
would take ten times as long.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterable, Sequence

_LINE = b"|"
_BLANKS = string.punctuation.encode() + bytes(set(range(32)) - {ord("\n")})
_ASCII_LETTERS = bytes.maketrans(
    _BLANKS + string.ascii_uppercase.encode(), b" " * len(_BLANKS) + string.ascii_lowercase.encode()
)
_REPLACED = {b"&": b" and ", b"'": b"", "’".encode(): b"", "｜".encode(): b" "}
_ACCENTS = re.compile("[\u0300-\u036f]+")
_KANA_MARKS = "\u3099\u309a"
"""They part は, ば and ぱ."""

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
_ROMAN_NUMERALS = {"ii": 2, "iii": 3, "iv": 4, "vi": 6, "vii": 7, "viii": 8, "ix": 9, "xii": 12}
"""I, V and X alone are letters as often as numbers, and Xi is a name."""
_SAME_WORDS = {
    b"wo": b"o",
    **{word.encode(): b"%d" % value for value, word in enumerate(_ORDINALS, 1)},
    **{word.encode(): b"%d" % value for word, value in _ROMAN_NUMERALS.items()},
}

_NUMBER = re.compile(rb"([0-9]+)(?:(?:st|nd|rd|th)\b)?")
_SEASON = re.compile(rb" s(?:eason)? ([0-9]+)(?![^ ])")
_LEADING_ZERO = re.compile(rb"(?<=[^ |] )0(?=[1-9](?![^ ]))")
"""Of a number that counts, as Movie 01 does; 07-Ghost is called so, and 00 and 0079 are names."""
_LONG_O = re.compile(rb"o[ou]+")
_ARTICLE = re.compile(rb"(?<![^ ])the (?=.)|(?<=.) the$")


def normalize_text(text: str) -> str:
    """Return one name as words of small letters, or of digits, parted by single blanks.

    Accents and punctuation go, "&" becomes "and", ordinals and Roman numerals become digits,
    "season 2" and "S2" become "2 season", as "2nd season" does, "movie 01" becomes "movie 1", and
    long vowels short.
    """
    (line,) = normalize_names([text])
    return line.decode()


def normalize_names(names: Iterable[str | None]) -> list[bytes]:
    """Do for each name what `normalize_text` does for one; returns UTF-8, empty for None."""
    written_names = list(names)
    text = "\n".join([name.replace("\n", " ") for name in written_names if name])
    lines = text.encode("utf-8", "replace")
    for written, plain in _REPLACED.items():
        lines = lines.replace(written, plain)
    lines = lines.translate(_ASCII_LETTERS).replace(b"\n", b" | ")
    words = lines.split()
    joined = b" ".join(filter(None, map(_plain_words(set(words)).__getitem__, words)))
    joined, before = b" %s" % joined, b""
    while joined != before:  # "Season 2 3" takes two rounds.
        joined, before = _SEASON.sub(rb" \1 season", joined), joined
    joined = _LEADING_ZERO.sub(b"", joined)
    plain_names = iter(joined.split(_LINE))
    return [next(plain_names).strip() if name else b"" for name in written_names]


def drop_article(name: bytes) -> bytes:
    """Leave "the" out of a normalized name that has other words."""
    return _ARTICLE.sub(b"", name) if b"the" in name else name


def _plain_words(words: set[bytes]) -> dict[bytes, bytes]:
    """Return how each word is written plainly, maybe as several."""
    mixed = [word for word in words if not word.isalpha()]
    parts = dict(zip(mixed, _part_words(mixed), strict=True))
    plain = _plain_ascii(words.union(*parts.values()))
    return plain | {
        word: b" ".join(filter(None, map(plain.__getitem__, parts[word]))) for word in mixed
    }


def _plain_ascii(words: set[bytes]) -> dict[bytes, bytes]:
    """Return each word with short vowels, or as a number."""
    if not words:
        return {}
    ordered = list(words)
    text = _LONG_O.sub(b"o", b" ".join(ordered))
    for vowel in (b"a", b"e", b"i", b"u"):
        while vowel * 2 in text:
            text = text.replace(vowel * 2, vowel)
    return dict(zip(ordered, text.split(b" "), strict=True)) | _SAME_WORDS


def _part_words(words: Sequence[bytes]) -> list[list[bytes]]:
    """Return the words that each is without accents, parted at marks and between numbers."""
    if not words:
        return []
    text = b"\n".join(words).decode()
    for _ in range(2):  # What is taken apart may hold capitals: 𝚨 becomes Α.
        text = unicodedata.normalize("NFKD", text.casefold())
    text = _ACCENTS.sub("", text).replace("×", " x ")
    marks = "".join(sorted(c for c in set(text) if c not in "\n|" and not _is_letter(c)))
    text = re.sub(f"[{re.escape(marks)}]+", " ", text) if marks else text
    lines = _NUMBER.sub(rb" \1 ", text.encode()).split(b"\n")
    return [line.split() for line in lines]


def _is_letter(character: str) -> bool:
    return character.isalnum() or character in _KANA_MARKS
