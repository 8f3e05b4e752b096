"""Why an anime is recommended: the entries of the list that its number was made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.recommender.affinity import Affinity, contributions
from app.recommender.engines import Judged
from app.recommender.fold_in import Visitor
from app.recommender.model import Model
from app.recommender.predict import Prediction

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Because:
    """An anime of the fan's list, the score given (None: none), what it added to the number."""

    anime_id: int
    score: float | None
    weight: float


def reasons_for_match(
    model: Model,
    visitor: Visitor,
    affinity: Affinity,
    wanted: Positions,
    scale: float,
    count: int,
) -> list[tuple[Because, ...]]:
    """For each wanted anime the seen entries that added most to its affinity, times ``scale``."""
    terms = scale * contributions(model, affinity, wanted)
    return _largest_seen(model, visitor, affinity.entry, terms, count)


def reasons_for_score(
    model: Model, visitor: Visitor, prediction: Prediction, wanted: Positions, count: int
) -> list[tuple[Because, ...]]:
    """For each wanted anime the largest terms s_ij e_uj / sum(s_ij) of its predicted score."""
    near = prediction.neighbourhood
    given = _given_scores(visitor)
    reasons = []
    for target in wanted:
        used = slice(near.begin[target], near.begin[target] + near.used[target])
        which = near.which[used]
        terms = near.weight[used] * near.residual[which]
        if len(which):
            terms = terms / prediction.total_similarity[target]
        reasons.append(_largest(model, given, near.source[which], terms, count))
    return reasons


def reasons_of_engine(
    model: Model, visitor: Visitor, judged: Judged, wanted: Positions, count: int
) -> list[tuple[Because, ...]]:
    """For each wanted anime the seen entries that added most to what an engine makes of it."""
    return _largest_seen(model, visitor, visitor.known.position, judged.shares(wanted), count)


def _largest_seen(
    model: Model,
    visitor: Visitor,
    entry: Positions,
    terms: npt.NDArray[np.float64],
    count: int,
) -> list[tuple[Because, ...]]:
    """For each row of terms (wanted, entries) the largest of entries that were seen.

    Entries ascend, so that of equal terms the one with the smaller id comes first.
    """
    seen = np.zeros(len(model), bool)
    seen[visitor.seen] = True
    left = np.where(seen[entry], terms, 0.0)
    given = _given_scores(visitor)
    row = np.arange(len(left))
    best, weight = [], []
    for _ in range(min(count, len(entry))):
        at = left.argmax(axis=1)
        best.append(entry[at])
        weight.append(left[row, at])
        left[row, at] = 0.0
    if not best:
        return [()] * len(left)
    return [
        _told(model, given, entries, weights)
        for entries, weights in zip(
            np.stack(best, axis=1).tolist(), np.stack(weight, axis=1).tolist(), strict=True
        )
    ]


def _given_scores(visitor: Visitor) -> dict[int, float]:
    return dict(zip(visitor.rated.tolist(), visitor.score.tolist(), strict=True))


def _largest(
    model: Model,
    given: dict[int, float],
    entry: Positions,
    terms: npt.NDArray[np.float64],
    count: int,
) -> tuple[Because, ...]:
    """The largest positive terms, of equal ones the smaller anime id first."""
    if count < len(terms):
        # All that equal the last place come along, so that the sort decides between them.
        likely = np.flatnonzero(terms >= np.partition(terms, -count)[-count])
        entry, terms = entry[likely], terms[likely]
    best = np.lexsort((entry, -terms))[:count]
    return _told(model, given, entry[best].tolist(), terms[best].tolist())


def _told(
    model: Model, given: dict[int, float], entries: list[int], weights: list[float]
) -> tuple[Because, ...]:
    """Entries that speak for an anime; those that do not are left out."""
    return tuple(
        Because(int(model.anime_id[entry]), given.get(entry), weight)
        for entry, weight in zip(entries, weights, strict=True)
        if weight > 0
    )
