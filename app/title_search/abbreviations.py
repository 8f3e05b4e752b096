"""Short names that fans make of a title: its initials, or the first syllables of two of its words.

SnK is Shingeki no Kyojin, DBZ Dragon Ball Z; KonoSuba is Kono Subarashii ..., OreImo Ore no Imouto
..., AnoHana Ano Hi Mita Hana ...: syllables of neighbours, or of the first word and a later one,
without the particles. Numbers become words, or words numbers: 7 Deadly Sins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

MAX_WORDS = 8
"""Words from the beginning of a title whose syllables are used."""
_PARTICLES = frozenset(
    b"a an and de e ga ka kara ha he made mo na ni no o of the to wa ya yo".split()
)
_NUMBER_WORDS = b"one two three four five six seven eight nine ten".split()
_OTHER_NUMBERS = {
    written: other
    for value, word in enumerate(_NUMBER_WORDS, 1)
    for written, other in ((word, b"%d" % value), (b"%d" % value, word))
}
_TWO_SYLLABLES = re.compile(rb"(?:[^aeiou\x80-\xff]*[aeiou]|n(?![aeiou])){2}")


def abbreviate(names: Sequence[bytes], synonyms: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the short names of an anime by its romanised, English and native title, normalized.

    What comes after the first words, the number of a season for instance, is kept; it also goes
    with a synonym of one word, which is often that of the whole series: JJK 2.
    """
    romanised, english, _ = names
    words, season = _part_season(romanised.split())
    if season:
        yield from (b" ".join((name, *season)) for name in synonyms if b" " not in name)
    for stem, rest in ((words, season), _part_season(english.split())):
        if len(stem) > 1:
            yield b" ".join((b"".join([word[:1] for word in stem]), *rest))
        if not _OTHER_NUMBERS.keys().isdisjoint(stem):
            yield b" ".join((*(_OTHER_NUMBERS.get(word, word) for word in stem), *rest))
    content = [word for word in words if word not in _PARTICLES][:MAX_WORDS]
    starts = [match and match[0] for match in map(_TWO_SYLLABLES.match, content)]
    for at, end in enumerate(starts[1:], 1):
        for start in dict.fromkeys((starts[0], starts[at - 1])):
            if start and end:
                yield b" ".join((start + end, *season))


def _part_season(words: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Part the words of a title from the number of its season, and what comes after."""
    for at, word in enumerate(words[1:], 1):
        if word == b"season" or word.isdigit():
            return words[:at], words[at:]
    return words, []
