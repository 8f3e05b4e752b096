"""What is like an anime: by the model's two matrices, and for who is known to love it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.catalogue import Anime
from app.recommender import Listed, Status, Wish, recommend
from app.web.state import Library

LOVE = 10.0


@dataclass(frozen=True, slots=True)
class Alike:
    """An anime like another, and how strongly."""

    anime: Anime
    weight: float


@dataclass(frozen=True, slots=True)
class Both:
    """What is like an anime: those scored alike, and those that its fans pick."""

    similarity: tuple[Alike, ...] = ()
    affinity: tuple[Alike, ...] = ()


@dataclass(frozen=True, slots=True)
class Loved:
    """What Hakken recommends to a fan of whom it knows one thing: that they love this anime."""

    anime: Anime
    match: float
    score: float


def also_loved(held: Library, at: int, count: int) -> tuple[Loved, ...]:
    """The recommendations for a list on which nothing stands but this anime, with a 10.

    Of other series than its own, which has a place of its own on the page.
    """
    if at < 0:
        return ()
    group = held.franchises.group
    allowed = held.suitable.copy() if held.suitable[at] else np.ones(len(held.model), bool)
    if group[at] >= 0:
        allowed &= group != group[at]
    one = Listed.of([(int(held.model.anime_id[at]), LOVE, Status.COMPLETED)])
    wish = Wish(top=count, franchises=held.franchises, allowed=allowed, reasons=0)
    return tuple(
        Loved(held.catalogue.get(each.anime_id), each.match, each.predicted_score)
        for each in recommend(held.model, one, wish).recommendations
    )


def alike(held: Library, at: int, count: int) -> Both:
    """Similarity is what this anime's score is predicted from; affinity what it speaks for."""
    if at < 0:
        return Both()
    row = slice(held.model.affinity.start[at], held.model.affinity.start[at + 1])
    targets = held.model.affinity.target[row].astype(np.int64)
    weights = held.model.affinity.value[row] * held.model.affinity.scale
    return Both(
        _best(held, at, *held.model.similarity.into(at), count),
        _best(held, at, targets, weights, count),
    )


def _best(
    held: Library,
    at: int,
    positions: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
    count: int,
) -> tuple[Alike, ...]:
    """The largest positive weights; nothing for adults beside what is for everybody."""
    shown = (weights > 0) & (positions != at)
    if held.suitable[at]:
        shown &= held.suitable[positions]
    positions, weights = positions[shown], weights[shown]
    best = np.lexsort((positions, -weights))[:count]
    return tuple(
        Alike(held.catalogue.get(int(held.model.anime_id[positions[n]])), float(weights[n]))
        for n in best
    )
