"""How alike the tastes of two fans are, what they agree on and where they part.

Compared are residuals: scores minus what was to be expected of that fan for that anime. So two fans
are not alike because both find a classic good, nor apart because one of them is stricter.

    r        = sum e_a e_b / sqrt(sum e_a^2 sum e_b^2)     over the n anime both scored
    likeness = n / (n + `SHRINKAGE`) r
    chance   = Phi(likeness / sqrt(1 / SHRINKAGE + 1 / (n + SHRINKAGE)))

Between two fans picked at random r is 0 on average and spreads by 1 / sqrt(SHRINKAGE) once the
chance of few shared anime is taken off (`docs/model.md`). So ``chance`` is how likely these two are
more alike than two fans picked at random: 0.5 when nothing is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.recommender.fold_in import Visitor
from app.recommender.model import Model

SHRINKAGE = 80.0
LEAST_SHARED = 5
"""Anime that both must have scored before their likeness is told at all."""
LEAST_APART = 1.0
FAVOURITES = 0.75
"""Favourites are scored at least as high as this quantile of the fan's own scores."""

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Verdict:
    """An anime that both scored; ``apart`` is a's residual minus b's, in points."""

    anime_id: int
    scores: tuple[float, float]
    apart: float


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two fans are; ``seen`` and ``scored`` count what both have seen and scored.

    ``value`` (-1..1) and ``chance`` (0..1) are None below `LEAST_SHARED` scored, and where one of
    the two scored exactly as was to be expected. ``gap`` is how far their scores of the same anime
    lie apart on average, None where they share none.
    """

    seen: int
    scored: int
    value: float | None
    chance: float | None
    gap: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two fans side by side: ``disagreements``, the widest first; ``favourites`` of both."""

    likeness: Likeness
    disagreements: tuple[Verdict, ...]
    favourites: tuple[Verdict, ...]


def compare(model: Model, one: Visitor, other: Visitor, count: int) -> Comparison:
    """Compare two fans; of disagreements and shared favourites ``count`` each are told.

    A disagreement is an anime that one of them scored higher than was to be expected and the other
    lower, at least `LEAST_APART` apart, and that is not a favourite of both. Of favourites those
    come first that the less enthusiastic of the two placed highest above the own average; of equal
    ones those that both scored furthest above what was to be expected.
    """
    shared, mine, theirs = np.intersect1d(one.rated, other.rated, return_indices=True)
    e, f = one.residual[mine], other.residual[theirs]
    r, s = one.score[mine], other.score[theirs]
    apart = e - f

    def told(chosen: Positions) -> tuple[Verdict, ...]:
        return tuple(
            Verdict(int(model.anime_id[shared[at]]), (float(r[at]), float(s[at])), float(apart[at]))
            for at in chosen[:count]
        )

    both_love = favourites(one)[mine] & favourites(other)[theirs]
    opposed = np.flatnonzero((e * f < 0) & (np.abs(apart) >= LEAST_APART) & ~both_love)
    loved = np.flatnonzero(both_love)
    lesser = np.minimum(r - _mean(one), s - _mean(other))
    return Comparison(
        _likeness(len(np.intersect1d(one.seen, other.seen)), e, f, r - s),
        told(opposed[np.lexsort((shared[opposed], -np.abs(apart[opposed])))]),
        told(loved[np.lexsort((shared[loved], -(e + f)[loved], -lesser[loved]))]),
    )


def favourites(visitor: Visitor) -> npt.NDArray[np.bool_]:
    """Which of ``visitor.rated`` are among the best scored quarter of the fan's own list."""
    if not len(visitor.score):
        return np.zeros(0, bool)
    return np.asarray(visitor.score >= np.quantile(visitor.score, FAVOURITES))


def _mean(visitor: Visitor) -> float:
    return float(visitor.score.mean()) if len(visitor.score) else 0.0


def _likeness(
    seen: int,
    e: npt.NDArray[np.float64],
    f: npt.NDArray[np.float64],
    gap: npt.NDArray[np.float64],
) -> Likeness:
    n = len(e)
    told = float(np.abs(gap).mean()) if n else None
    size = math.sqrt(float(e @ e) * float(f @ f))
    if n < LEAST_SHARED or size == 0:
        return Likeness(seen, n, None, None, told)
    value = n / (n + SHRINKAGE) * float(np.clip((e @ f) / size, -1, 1))
    spread = math.sqrt(1 / SHRINKAGE + 1 / (n + SHRINKAGE))
    return Likeness(seen, n, value, 0.5 * (1 + math.erf(value / spread / math.sqrt(2))), told)
