"""What is like an anime: by the model's two matrices, and for who is known to love it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from app.catalogue import Anime
from app.recommender import Listed, Status, Wish, recommend
from app.recommender.like_minded import alike as near
from app.web.state import Library

LOVE = 10.0


@dataclass(frozen=True, slots=True)
class Alike:
    """An anime like another, and how strongly."""

    anime: Anime
    weight: float


@dataclass(frozen=True, slots=True)
class Both:
    """What is like an anime: those scored alike, those that its fans pick, and by the name of each
    engine that the model has those whose vectors are near."""

    similarity: tuple[Alike, ...] = ()
    affinity: tuple[Alike, ...] = ()
    engines: Mapping[str, tuple[Alike, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Loved:
    """What Hakken recommends to a fan of whom it knows one thing: that they love this anime."""

    anime: Anime
    match: float
    score: float


def also_loved(
    held: Library, at: int, count: int, among: npt.NDArray[np.bool_] | None = None
) -> tuple[Loved, ...]:
    """The recommendations for a list on which nothing stands but this anime, with a 10.

    Of other series than its own, which has a place of its own on the page.
    """
    if at < 0:
        return ()
    group = held.franchises.group
    allowed = held.suitable.copy() if held.suitable[at] else np.ones(len(held.model), bool)
    if among is not None:
        allowed &= among
    if group[at] >= 0:
        allowed &= group != group[at]
    one = Listed.of([(int(held.model.anime_id[at]), LOVE, Status.COMPLETED)])
    wish = Wish(top=count, franchises=held.franchises, allowed=allowed, reasons=0)
    return tuple(
        Loved(held.catalogue.get(each.anime_id), each.match, each.predicted_score)
        for each in recommend(held.model, one, wish).recommendations
    )


def alike(held: Library, at: int, count: int, allowed: npt.NDArray[np.bool_] | None = None) -> Both:
    """Similarity is what this anime's score is predicted from; affinity what it speaks for.

    ``allowed`` (n,) narrows what is shown; beside what is for everybody nothing is for adults.
    """
    if at < 0:
        return Both()
    shown = np.ones(len(held.model), bool) if allowed is None else allowed.copy()
    if held.suitable[at]:
        shown &= held.suitable
    row = slice(held.model.affinity.start[at], held.model.affinity.start[at + 1])
    targets = held.model.affinity.target[row].astype(np.int64)
    weights = held.model.affinity.value[row] * held.model.affinity.scale
    return Both(
        _best(held, at, *held.model.similarity.into(at), count, shown),
        _best(held, at, targets, weights, count, shown),
        {name: _near(held, name, at, count, shown) for name in held.model.engines},
    )


def _best(
    held: Library,
    at: int,
    positions: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
    count: int,
    allowed: npt.NDArray[np.bool_],
) -> tuple[Alike, ...]:
    """The largest positive weights."""
    shown = (weights > 0) & (positions != at) & allowed[positions]
    positions, weights = positions[shown], weights[shown]
    best = np.lexsort((positions, -weights))[:count]
    return tuple(
        Alike(held.catalogue.get(int(held.model.anime_id[positions[n]])), float(weights[n]))
        for n in best
    )


def _near(
    held: Library, engine: str, at: int, count: int, allowed: npt.NDArray[np.bool_]
) -> tuple[Alike, ...]:
    found = near(held.model, engine, at, count=count, allowed=allowed)
    return tuple(
        Alike(held.catalogue.get(int(held.model.anime_id[position])), likeness)
        for position, likeness in found
    )
