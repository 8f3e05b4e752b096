"""Titles that are written in kana: known by the consonants that they share with the romanised one.

Most native titles stand in the catalogue. Of the others ワンピース is found as One Piece, and
エヴァンゲリオン as Evangelion: kana write what is heard, with vowels between the consonants, and
tell l from r, b from v and s from th no more than a Japanese does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

MIN_CONSONANTS = 2
"""Fewer say too little."""
MAX_WORDS = 4
"""Words of a title that a search may begin with."""
_SILENT = "ー "
_WITHOUT_CONSONANT = "AIUEOYW"

# As English and romanised Japanese are spelt -> as kana are called in Unicode (TI for chi).
_SPELLINGS = tuple(
    (re.compile(spelling), sound)
    for spelling, sound in (
        (rb"([a-z])\1+", rb"\1"),
        (rb"tch|ch|ts", b"t"),
        (rb"sh|th", b"s"),
        (rb"ph", b"h"),
        (rb"c(?=[eiy])", b"s"),
        (rb"ck|c|q", b"k"),
        (rb"x", b"ks"),
        (rb"r(?![aeiouy])", b""),
        (rb"[aeiouyw]", b""),
    )
)
_SAME_SOUNDS = bytes.maketrans(b"lvzjf", b"rbssh")


def kana_consonants(name: str) -> bytes:
    """Return the consonants of a name in kana; none if there are other letters in it."""
    sounds = []
    for letter in unicodedata.normalize("NFC", name):
        if letter in _SILENT:
            continue
        words = unicodedata.name(letter, "").split()
        if words[:2] not in (["KATAKANA", "LETTER"], ["HIRAGANA", "LETTER"]):
            return b""
        # Small letters bend the one before.
        if len(words) == 3 and words[2][0] not in _WITHOUT_CONSONANT:
            sounds.append(words[2][0])
    return "".join(sounds).lower().encode().translate(_SAME_SOUNDS)


def latin_consonants(names: Sequence[bytes]) -> list[list[bytes]]:
    """Return the consonants of each normalized name in Latin letters, from each word on."""
    if not names:
        return []
    text = b"\n".join(names)
    for spelling, sound in _SPELLINGS:
        text = spelling.sub(sound, text)
    lines = [line.split() for line in text.translate(_SAME_SOUNDS).split(b"\n")]
    return [[b"".join(words[at:]) for at in range(min(len(words), MAX_WORDS))] for words in lines]
