"""What an engine's vectors say is alike: anime to anime, and fans to a fan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.recommender.crowd import LOVED_SCORE, NEAREST
from app.recommender.fold_in import Visitor, folded_in
from app.recommender.listed import Listed
from app.recommender.model import Model
from app.recommender.rank import candidates, top

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Near:
    """One fan like the visitor. ``shared`` are loved by both, ``fresh`` not on the visitor's list;
    positions, best first."""

    likeness: float
    shared: tuple[int, ...]
    fresh: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Favourite:
    """What ``lovers`` of the nearest fans loved; ``weight`` is the sum of their likenesses."""

    position: int
    lovers: int
    weight: float


@dataclass(frozen=True, slots=True)
class LikeMinded:
    """The fans like a visitor, nearest first, and what they loved that the visitor has not seen.

    ``share`` (n,) is how many of the nearest fans loved each anime, of 1; ``usual`` (n,) the same
    of the whole crowd.
    """

    fans: tuple[Near, ...]
    favourites: tuple[Favourite, ...]
    share: Floats
    usual: Floats


def like_minded(
    model: Model,
    engine: str,
    one: Listed | Visitor,
    *,
    count: int = 20,
    nearest: int = NEAREST,
    allowed: npt.NDArray[np.bool_] | None = None,
) -> LikeMinded:
    """Find the fans of an engine's crowd who are most like this one.

    ``allowed`` (n,) bool narrows the favourites that are told; at most ``count`` are.

    Raises:
        KeyError: the model has no such engine, or the engine no crowd.
    """
    crowd = model.crowds[engine]
    visitor = folded_in(model, one)
    near, likeness = crowd.nearest(model.engines[engine].vector(visitor.known), nearest)
    lovers, weight = np.zeros(len(model), np.int64), np.zeros(len(model))
    for fan, alike in zip(near.tolist(), likeness.tolist(), strict=True):
        lovers[crowd.loved_by(fan)] += 1
        weight[crowd.loved_by(fan)] += alike
    fresh = candidates(model, visitor)
    shown = fresh & (lovers > 0)
    if allowed is not None:
        shown &= allowed
    own = np.zeros(len(model), bool)
    own[visitor.rated[visitor.score >= LOVED_SCORE]] = True
    return LikeMinded(
        tuple(
            _near(crowd.loved_by(fan), alike, own, fresh)
            for fan, alike in zip(near.tolist(), likeness.tolist(), strict=True)
        ),
        tuple(
            Favourite(int(at), int(lovers[at]), float(weight[at]))
            for at in top(weight, shown, count)
        ),
        lovers / max(1, len(near)),
        crowd.lovers / max(1, len(crowd)),
    )


def _near(
    loved: npt.NDArray[np.int32],
    likeness: float,
    own: npt.NDArray[np.bool_],
    fresh: npt.NDArray[np.bool_],
) -> Near:
    return Near(likeness, tuple(loved[own[loved]].tolist()), tuple(loved[fresh[loved]].tolist()))


def alike(
    model: Model, engine: str, at: int, *, count: int, allowed: npt.NDArray[np.bool_] | None = None
) -> list[tuple[int, float]]:
    """The anime whose embeddings are most like that of one, and the cosines, best first.

    Raises:
        KeyError: the model has no such engine.
    """
    embedding = model.engines[engine].embedding
    length = np.linalg.norm(embedding, axis=1)
    if not length[at]:
        return []
    likeness = np.asarray(embedding @ (embedding[at] / length[at]), np.float64)
    likeness /= np.where(length > 0, length, 1.0)
    shown = (length > 0) & (likeness > 0)
    shown[at] = False
    if allowed is not None:
        shown &= allowed
    best = top(likeness, shown, count)
    return list(zip(best.tolist(), likeness[best].tolist(), strict=True))
