"""Families: series, and what goes off from them, as spin-offs and other tellings do.

A spin-off is a series of its own, which who asks for something new does not want all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from app.catalogue import Catalogue
from app.recommender.array_types import Int32Array, Int64Array

MIN_TITLE_WORDS, MIN_TITLE_LETTERS = 2, 9
"""A title with fewer is one that others may begin with by chance: Monster, Kimi to."""
OTHER_TITLE_WORDS = {"no", "x", "vs"}
"""A title in front of these is part of another sentence, or of a cross-over."""
_WORD = re.compile(r"[^\W_]+")


def find_families(
    catalogue: Catalogue, anime_ids: Sequence[int], entry_count: Int32Array
) -> Int64Array:
    """Number the families of a model's anime, (n,): anime of one have the same number.

    Of one family are a series, what the catalogue relates to it in any way, and what is called by
    its whole title and something more, if fewer lists (``entry_count``, (n,)) have that.
    """
    columns = ("franchise_id", "relation_id", "title")
    groups, related, titles = (catalogue.column_values(name, anime_ids) for name in columns)
    position = {anime_id: at for at, anime_id in enumerate(anime_ids)}
    firsts: dict[int, int] = {}
    pairs = [
        *((at, firsts.setdefault(g, at)) for at, g in enumerate(groups) if g is not None),
        *((at, position[other]) for at, other in enumerate(related) if other in position),
        *_called_after(titles, entry_count),
    ]
    family = list(range(len(anime_ids)))

    def head(at: int) -> int:
        while family[at] != at:
            family[at] = family[family[at]]
            at = family[at]
        return at

    for one, other in pairs:
        family[head(one)] = head(other)
    return np.array([head(at) for at in range(len(family))], np.int64)


def _called_after(titles: Sequence[str], entry_count: Int32Array) -> Iterator[tuple[int, int]]:
    """Yield what is called by a whole title and something more, and the better known with that."""
    words = [tuple(_WORD.findall(title.casefold())) for title in titles]
    titled: dict[tuple[str, ...], int] = {}
    for at, title in enumerate(words):
        best = titled.setdefault(title, at)
        if entry_count[at] > entry_count[best]:
            titled[title] = at
    for at, title in enumerate(words):
        for count in range(MIN_TITLE_WORDS, len(title)):
            whole = titled.get(title[:count], -1)
            if (
                whole >= 0
                and entry_count[whole] > entry_count[at]
                and sum(map(len, title[:count])) >= MIN_TITLE_LETTERS
                and title[count] not in OTHER_TITLE_WORDS
            ):
                yield at, whole
