"""Short names that fans make of a title: its initials, or the first syllables of two of its words.

SnK is Shingeki no Kyojin, DBZ Dragon Ball Z; KonoSuba is Kono Subarashii ..., OreImo Ore no Imouto
..., AnoHana Ano Hi Mita Hana ...: syllables of neighbours, or of the first word and a later one,
without the particles. Numbers become words, or words numbers: 7 Deadly Sins.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, takewhile

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
_COUNTED = frozenset(b"season final part movie".split())
_ROMANISED = re.compile(rb"(?:(?:[bdfghjkmnprstwyz]|[bghkmnpr]y|ch|sh|ts)?[aeiou]|n)+")
_TWO_SYLLABLES = re.compile(rb"(?:[^aeiou\x80-\xff]*[aeiou]|n(?![aeiou])){2}")


def abbreviate(
    names: Sequence[bytes], synonyms: Collection[bytes], series: Mapping[bytes, Iterable[bytes]]
) -> Iterator[bytes]:
    """Yield the short names of an anime by its romanised, English and native title, normalized.

    What comes after the first words, the number of a season for instance, is kept, but for what a
    final season is called besides; it also goes with a synonym of one word, which is often that of
    the whole series: JJK 2. Synonyms of several words have initials only with such a number, as
    those of all others would be mere noise. ``series`` are other names of those
    that some anime have a number of, as of `name_series`.
    """
    romanised, english, _ = names
    words, season = _part_season(romanised.split())
    if season:
        yield from (b" ".join((name, *season)) for name in synonyms if b" " not in name)
    parted = [(words, season), _part_season(english.split())]
    others = [_part_season(name.split()) for name in synonyms if b" " in name]
    for stem, rest in chain(parted, (pair for pair in others if pair[1])):
        if len(stem) > 1:
            yield b" ".join((b"".join([word[:1] for word in stem]), *rest))
        if rest:
            yield from (
                b" ".join((name, *_number(rest))) for name in series.get(b" ".join(stem), ())
            )
    for stem, rest in parted:
        if not _OTHER_NUMBERS.keys().isdisjoint(stem):
            yield b" ".join((*(_OTHER_NUMBERS.get(word, word) for word in stem), *rest))
    yield from _join_syllables(_content(words), season)
    for stem, rest in others:
        # Hagaren is Hagane no Renkinjutsushi; in English words it would be noise.
        content = _content(stem)[:2]
        if all(map(_ROMANISED.fullmatch, content)):
            yield from _join_syllables(content, rest)


def name_series(
    names_by_anime: Iterable[tuple[Sequence[bytes], Collection[bytes]]],
) -> dict[bytes, list[bytes]]:
    """Return what else a series is called, by its name: of each anime the titles, the synonyms.

    "Jujutsu Kaisen" is JJK, as the first of it says; "Meitantei Conan" is "Detective Conan", as one
    of its films does that is called both.
    """
    found: dict[bytes, dict[bytes, None]] = {}
    for (romanised, english, _), synonyms in names_by_anime:
        stem, rest = _part_season(romanised.split())
        other, same = _part_season(english.split())
        if stem and other and stem != other and _number(rest) == _number(same):
            name, called = b" ".join(stem), b" ".join(other)
            found.setdefault(name, {})[called] = None
            found.setdefault(called, {})[name] = None
        if not rest:
            for name in filter(None, (romanised, english)):
                found.setdefault(name, {}).update(
                    dict.fromkeys(each for each in synonyms if b" " not in each)
                )
    return {name: list(others) for name, others in found.items()}


def _content(words: Iterable[bytes]) -> list[bytes]:
    return [word for word in words if word not in _PARTICLES][:MAX_WORDS]


def _join_syllables(content: Iterable[bytes], season: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the first two syllables of neighbours, and of the first word and each later one."""
    starts = [match and match[0] for match in map(_TWO_SYLLABLES.match, content)]
    for at, end in enumerate(starts[1:], 1):
        for start in dict.fromkeys((starts[0], starts[at - 1])):
            if start and end:
                yield b" ".join((start + end, *season))


def _part_season(words: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Part the words of a title from the number of its season or film, and what comes after."""
    for at, word in enumerate(words[1:], 1):
        if word == b"season" or word.isdigit():
            before = at - 1 if at > 1 and words[at - 1] == b"movie" else at
            return words[:before], words[before:]
        if word == b"final" and words[at + 1 : at + 2] == [b"season"]:
            # "The" is said of what is final, and in no short name.
            before = at - 1 if at > 1 and words[at - 1] == b"the" else at
            return words[:before], _number(words[at:])
    return words, []


def _number(rest: Sequence[bytes]) -> list[bytes]:
    """Return the number of a season or film without what it is called besides."""
    return list(takewhile(lambda word: word.isdigit() or word in _COUNTED, rest))
