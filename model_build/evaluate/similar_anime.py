"""Whether what is said to be alike makes sense, by facts that alikeness is not learnt from.

Of the best known anime the ten nearest are looked at: how many share a franchise, a studio, or two
tags with the title, and how many are known from next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from app.catalogue import LIST_SEPARATORS, Catalogue
from app.recommender import Model
from app.recommender.array_types import BoolArray, Int64Array
from app.recommender.similar_items import similar_items, similarity_sources

NEAREST = 10
SHARED_TAGS = 2
LITTLE_RATED = 10
RANKS_AROUND = 25
"""So many anime rated more and so many rated less are rated about as often as one."""
POPULAR, DRAWN = "the best known", "drawn"


@dataclass(frozen=True, slots=True)
class SimilarAnimeRow:
    """What the nearest of the best known anime are, by one source.

    ``sense`` is the share of them that have a franchise, a studio or `SHARED_TAGS` tags in common
    with the title, ``by_chance`` that of anime drawn from those rated about as often: well known
    anime have more tags. ``franchise``, ``studio`` and ``tags`` are the shares by each alone;
    ``little_rated`` the share with fewer than `LITTLE_RATED` ratings, ``rating_count`` the median
    of their ratings; ``different`` how many anime there are among all of them. NaN where there are
    none.
    """

    source: str
    titles: int
    sense: float
    by_chance: float
    franchise: float
    studio: float
    tags: float
    little_rated: float
    rating_count: float
    different: int


class SharedFacts:
    """What two anime of a model have in common, as its catalogue says."""

    def __init__(self, model: Model, catalogue: Catalogue) -> None:
        ids = model.anime_id.tolist()
        self._franchise = catalogue.column_values("franchise_id", ids)
        self._studios, self._tags = (
            [frozenset(text.split(LIST_SEPARATORS[name])) - {""} for text in texts]
            for name in ("studios", "tags")
            for texts in [catalogue.column_values(name, ids)]
        )

    def between(self, first: int, second: int) -> tuple[bool, bool, bool]:
        """Whether two anime, by position, share a franchise, a studio, and `SHARED_TAGS` tags."""
        franchise = self._franchise[first]
        return (
            franchise is not None and franchise == self._franchise[second],
            not self._studios[first].isdisjoint(self._studios[second]),
            len(self._tags[first] & self._tags[second]) >= SHARED_TAGS,
        )

    def of_pairs(self, pairs: Int64Array) -> BoolArray:
        """Return what `between` says of each pair of positions, (pairs, 3)."""
        return np.array([self.between(*pair) for pair in pairs.tolist()], bool).reshape(-1, 3)


def measure_similar_anime(
    model: Model, catalogue: Catalogue, *, n_titles: int = 200, seed: int = 0
) -> Iterator[SimilarAnimeRow]:
    """Measure every source of a model on its most rated anime, each as soon as it is known.

    Beside them stand what needs no model: the best known anime, and anime drawn from all that have
    `LITTLE_RATED` ratings.
    """
    facts = SharedFacts(model, catalogue)
    ratings: Int64Array = model.rating_count.astype(np.int64)
    by_ratings = np.argsort(-ratings, kind="stable")
    titles = by_ratings[:n_titles]
    rng = np.random.default_rng(seed)
    pool = np.flatnonzero(ratings >= LITTLE_RATED)

    def of(source: str) -> Callable[[int], list[int]]:
        return lambda at: [other for other, _ in similar_items(model, source, at, count=NEAREST)]

    def others(candidates: Int64Array, at: int) -> list[int]:
        chosen: list[int] = candidates[candidates != at][:NEAREST].tolist()
        return chosen

    nearest_of: dict[str, Callable[[int], list[int]]] = {
        DRAWN: lambda at: others(rng.permutation(pool), at),
        POPULAR: lambda at: others(by_ratings, at),
        **{source: of(source) for source in similarity_sources(model)},
    }
    rank = np.empty(len(model), np.int64)
    rank[by_ratings] = np.arange(len(model))
    for source, nearest in nearest_of.items():
        pairs = np.array(
            [(int(at), other) for at in titles for other in nearest(int(at))], np.int64
        ).reshape(-1, 2)
        nearby = rank[pairs[:, 1]] + rng.integers(-RANKS_AROUND, RANKS_AROUND + 1, len(pairs))
        chance = np.column_stack([pairs[:, 0], by_ratings[np.clip(nearby, 0, len(model) - 1)]])
        yield _summarise(
            source, len(titles), pairs, chance[chance[:, 0] != chance[:, 1]], facts, ratings
        )


def _summarise(
    source: str,
    n_titles: int,
    pairs: Int64Array,
    chance: Int64Array,
    facts: SharedFacts,
    ratings: Int64Array,
) -> SimilarAnimeRow:
    shared, alike = facts.of_pairs(pairs), np.asarray(facts.of_pairs(chance).any(axis=1))
    count = ratings[pairs[:, 1]]

    def share(mask: BoolArray) -> float:
        return float(mask.mean()) if len(mask) else float("nan")

    return SimilarAnimeRow(
        source,
        n_titles,
        sense=share(np.asarray(shared.any(axis=1))),
        by_chance=share(alike),
        franchise=share(shared[:, 0]),
        studio=share(shared[:, 1]),
        tags=share(shared[:, 2]),
        little_rated=share(count < LITTLE_RATED),
        rating_count=float(np.median(count)) if len(count) else float("nan"),
        different=len(np.unique(pairs[:, 1])),
    )
