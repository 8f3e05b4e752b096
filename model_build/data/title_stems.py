"""Stems of titles: what is left of one without its season, year, medium and subtitle.

``Shingeki no Kyojin Season 3 Part 2`` and ``Shingeki no Kyojin (OVA)`` both come down to ``shingeki
no kyojin``, and ``Toradora!: Bentou no Gokui`` has the lead ``toradora``. Words are compared in
small letters, without punctuation.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

Words = tuple[str, ...]
_WORD = re.compile(r"[^\W_]+")
_APOSTROPHE = re.compile(r"(?<=\w)['’`´](?=\w)")
_SUBTITLE = re.compile(r"[:：]\s+|[:：]$|\s[-–—]+\s|\s?[~〜～]|\s[-–—](?=\w)|\s?[(（\[]")
_BRACKETS = re.compile(r"(?<=\S)\s*[(（][^)）]*[)）]")
_ROMAN = {"ii", "iii", "iv", "vi", "vii", "viii", "ix", "xi", "xii"}
_ORDINALS = {
    *("2nd", "3rd", "1st", "first", "second", "third", "fourth", "fifth", "sixth", "final"),
    *(f"{n}th" for n in range(4, 31)),
}
_NUMBERED = {
    "season",
    "part",
    "cour",
    "series",
    "stage",
    "act",
    "vol",
    "volume",
    "movie",
    "chapter",
}
_MEDIA = {
    *("movie", "movies", "gekijouban", "film", "eiga", "ova", "ovas", "oad", "ona", "onas", "tv"),
    *("special", "specials", "recap", "recaps", "summary", "digest", "soushuuhen", "soushuhen"),
    *("pv", "cm", "pilot", "picture", "drama", "omake", "short", "shorts", "mini", "anime"),
    *("animation", "dvd", "bd", "web", "season", "extra", "extras", "the", "kanketsuhen", "remake"),
}
_LEADING = {"gekijouban", "eiga", "zoku", "the", "tv"}
_RECAP = re.compile(
    r"\b(recaps?|summary|digest|compilation|soushuuhen|soushuhen|reflections?|sou-?shuu-?hen)\b",
    re.IGNORECASE,
)
_PROMOTION = re.compile(
    r"\b(PVs?|CMs?|(?i:trailer|promo|promotion|teaser|announcement|manner (movie|eizou)))\b"
)
_STOP_WORDS = {
    *("a", "an", "and", "for", "in", "is", "made", "my", "of", "on", "the", "to", "vs", "with"),
    *("de", "e", "ga", "hen", "kara", "mo", "na", "ni", "no", "o", "wa", "wo", "x"),
}


@dataclass(frozen=True, slots=True)
class TitleStems:
    """The words of one title.

    ``words`` are without what is in brackets; ``base`` without season, year and medium; ``lead`` is
    of that what stands before a subtitle.
    """

    words: Words
    base: Words
    lead: Words


def title_stems(title: str) -> TitleStems:
    """Take a title apart.

    Examples
    --------
    >>> " ".join(title_stems("Mushoku Tensei II: Isekai Ittara Honki Dasu Part 2").lead)
    'mushoku tensei'
    >>> " ".join(title_stems("Hunter x Hunter (2011)").base)
    'hunter x hunter'
    """
    words = split_words(title)
    lead = split_words(_SUBTITLE.split(title.strip(), maxsplit=1)[0])
    plain = split_words(_BRACKETS.sub(" ", title)) or words
    return TitleStems(plain, _without_markers(plain), _without_markers(lead or plain))


def split_words(title: str) -> Words:
    """Return the words of a title in small letters, without punctuation."""
    text = unicodedata.normalize("NFKC", title).casefold()
    return tuple(_WORD.findall(_APOSTROPHE.sub("", text)))


def telling_words(titles: Iterable[str | None]) -> frozenset[str]:
    """Return the words that titles can be told by: no particles, numbers and media."""
    words = {word for title in titles for word in split_words(title or "")}
    return frozenset(
        word for word in words - _STOP_WORDS - _MEDIA - _ROMAN - _ORDINALS if not word.isdigit()
    )


def numbered_parts(title: str) -> list[tuple[Words, int]]:
    """Return each number within a title, with the words before it.

    >>> numbered_parts("Arise - Border:2 Ghost Whispers")
    [(('arise', 'border'), 2)]
    """
    words = split_words(title)
    return [
        (words[:at], int(word))
        for at, word in enumerate(words)
        if at and word.isdecimal() and len(word) < len("100")
    ]


def is_recap_title(title: str) -> bool:
    """Whether a title says that it retells: recap, summary, digest."""
    return _RECAP.search(title) is not None


def is_promotion_title(title: str) -> bool:
    """Whether a title says that it is an advert or trailer."""
    return _PROMOTION.search(title) is not None


def _without_markers(words: Words) -> Words:
    """Take season, part, year and medium off the end, and the medium off the beginning."""
    kept, dropped = list(words), ""
    # "Persona 5 the Animation" is no fifth season.
    while len(kept) > 1 and _is_marker(kept) and not (kept[-1].isdecimal() and dropped == "the"):
        dropped = kept.pop()
    while len(kept) > 1 and kept[0] in _LEADING:
        kept.pop(0)
    return tuple(kept)


def _is_marker(words: list[str]) -> bool:
    """Whether the last word says season, part, year or medium."""
    last = words[-1]
    if last in _ORDINALS | _ROMAN | _MEDIA or last in _NUMBERED:
        return True
    if re.fullmatch(r"s\d{1,2}|r\d", last):
        return True
    if not last.isdecimal() or (last[0] == "0" and last != "0"):
        return False
    number = int(last)
    return number <= 30 or 1950 <= number <= 2050 or words[-2] in _NUMBERED
