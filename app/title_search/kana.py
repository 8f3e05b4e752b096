"""Titles that are written in kana: read aloud, and known by the consonants of the romanised one.

Native titles stand in the catalogue for most anime on television, and for hardly any film or OVA.
ドラえもん is read as doraemon, which is looked for as if it had been typed. ワンピース is found as
One Piece and エヴァンゲリオン as Evangelion: kana write what is heard, with vowels between the
consonants, and tell l from r, b from v and s from th no more than a Japanese does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from rapidfuzz import fuzz

MIN_CONSONANTS = 2
"""Fewer say too little."""
CLEAR_CONSONANTS = 4
"""So many say which title is meant."""
MAX_WORDS = 4
"""Words of a title that a search may begin with."""
_SILENT = "ー "
_WITHOUT_CONSONANT = "AIUEOYW"

# As kana are called in Unicode -> as Hepburn spells them, and titles are romanised.
_HEPBURN = {
    "si": "shi",
    "ti": "chi",
    "tu": "tsu",
    "hu": "fu",
    "zi": "ji",
    "di": "ji",
    "du": "zu",
    "wo": "o",
    "wi": "i",
    "we": "e",
}
_KANA_KINDS = (["KATAKANA", "LETTER"], ["HIRAGANA", "LETTER"])

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
        # Hunter x Hunter is read without it.
        (rb"(?<= )x(?= )", b""),
        (rb"x", b"ks"),
        (rb"r(?![aeiouy])", b""),
    )
)
_VOWELS = b"aeiouyw"
# As likeness of 100: a title begins with what sounds so, ends with it, or is nothing else.
_BEGIN_WEIGHT, _END_WEIGHT, _WHOLE_WEIGHT = 11.0, 8.0, 27.0
_SAME_SOUNDS = bytes.maketrans(b"lvzjf", b"rbssh")


def kana_consonants(name: str) -> bytes:
    """Return the consonants of a name in kana; none if there are other letters in it."""
    sounds = []
    for letter in unicodedata.normalize("NFC", name):
        if letter in _SILENT:
            continue
        words = unicodedata.name(letter, "").split()
        if words[:2] not in _KANA_KINDS:
            return b""
        # Small letters bend the one before.
        if len(words) == 3 and words[2][0] not in _WITHOUT_CONSONANT:
            sounds.append(words[2][0])
    return "".join(sounds).lower().encode().translate(_SAME_SOUNDS)


def romanise_kana(name: str) -> str:
    """Return how a name in kana is read, in Latin letters; nothing if there are others in it.

    What is ASCII stays as it is. Long vowels are written as kana write them.
    """
    syllables: list[str] = []
    doubles = False
    for letter in unicodedata.normalize("NFC", name):
        words = unicodedata.name(letter, "").split()
        if letter == "ー":
            continue
        if letter.isascii():
            syllables.append(letter)
        elif words[:2] not in _KANA_KINDS:
            return ""
        elif words[2:] == ["SMALL", "TU"]:
            doubles = True
        elif words[2] == "SMALL" and syllables and len(words) == 4:
            syllables[-1] = _bend(syllables[-1], words[3].lower())
        else:
            written = words[-1].lower()
            syllable = _HEPBURN.get(written, written)
            syllables.append(syllable[0] * doubles + syllable)
            doubles = False
    return "" if name.isascii() else "".join(syllables)


def _bend(syllable: str, small: str) -> str:
    """Return a syllable whose vowel a small letter takes the place of: shi and ya are sha."""
    if small in ("ka", "ke"):
        return syllable + small
    if small[0] == "y":
        glide = "" if syllable[-3:-1] in ("sh", "ch") or syllable[-2:-1] == "j" else "y"
        return syllable[:-1] + glide + small[1:]
    return (syllable[:-1] or "w" * (syllable == "u")) + small


def latin_consonants(names: Sequence[bytes]) -> list[list[bytes]]:
    """Return the consonants of each normalized name in Latin letters, from each word on."""
    return _spell(names, vowels=False)


def latin_sounds(names: Sequence[bytes]) -> list[list[bytes]]:
    """Return how each normalized name in Latin letters sounds, vowels included, as consonants."""
    return _spell(names, vowels=True)


def sound_likeness(sound: bytes, consonants: bytes, names: Sequence[bytes]) -> float:
    """Return how much one of the names sounds so, of 100 and some, where it has the consonants."""
    letters = (b"%c" % each for each in consonants)
    pattern = re.compile(b"".join(b"[%s]*%s" % (_VOWELS, re.escape(each)) for each in letters))
    best = 0.0
    for words in latin_sounds(names):
        for at, start in enumerate(words):
            if match := pattern.match(start):
                # The last vowels may be of the next word.
                likeness = fuzz.ratio(sound.rstrip(_VOWELS), match[0])
                if not start[match.end() :].strip(_VOWELS):
                    likeness += _END_WEIGHT if at else _WHOLE_WEIGHT
                elif at == 0:
                    likeness += _BEGIN_WEIGHT
                best = max(best, likeness)
    return best


def _spell(names: Sequence[bytes], *, vowels: bool) -> list[list[bytes]]:
    if not names:
        return []
    text = b"\n".join(names)
    for spelling, sound in _SPELLINGS:
        text = spelling.sub(sound, text)
    if not vowels:
        text = text.translate(None, _VOWELS)
    lines = [line.split() for line in text.translate(_SAME_SOUNDS).split(b"\n")]
    return [[b"".join(words[at:]) for at in range(min(len(words), MAX_WORDS))] for words in lines]
