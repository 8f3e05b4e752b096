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
    seen = np.isin(affinity.entry, visitor.seen)
    given = _given_scores(visitor)
    return [
        _largest(model, given, affinity.entry, terms, count)
        for terms in scale * contributions(model, affinity, wanted) * seen
    ]


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
    position = visitor.known.position
    seen = np.isin(position, visitor.seen)
    given = _given_scores(visitor)
    return [
        _largest(model, given, position, terms, count) for terms in judged.shares(wanted) * seen
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
    return tuple(
        Because(int(model.anime_id[entry[at]]), given.get(int(entry[at])), float(terms[at]))
        for at in best
        if terms[at] > 0
    )
