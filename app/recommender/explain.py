"""Why an anime is recommended: the entries of the list that its number was made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.recommender.affinity import AffinityScores, affinity_contributions
from app.recommender.array_types import Float64Array, Int64Array
from app.recommender.fold_in import UserProfile
from app.recommender.franchise import Franchises
from app.recommender.knn_baseline import KnnPrediction
from app.recommender.model import Model


@dataclass(frozen=True, slots=True)
class Contribution:
    """An anime of the user's list, the score given (None: none), what it added to the number."""

    anime_id: int
    score: float | None
    weight: float


def explain_match(
    model: Model,
    profile: UserProfile,
    affinity: AffinityScores,
    positions: Int64Array,
    scale: float,
    count: int,
    franchises: Franchises | None = None,
) -> list[tuple[Contribution, ...]]:
    """For each of ``positions`` (p,) the entries that speak most for its affinity, scaled."""
    terms = scale * affinity_contributions(affinity, positions)
    entry = affinity.input_position
    return _telling_contributions(model, profile, entry, positions, terms, count, franchises)


def explain_score(
    model: Model, profile: UserProfile, prediction: KnnPrediction, positions: Int64Array, count: int
) -> list[tuple[Contribution, ...]]:
    """For each of ``positions`` (p,) the largest terms s_ij e_uj / sum(s_ij) of its score."""
    neighbourhood = prediction.neighbourhood
    given = _score_by_position(profile)
    explanations = []
    for target in positions:
        used = slice(
            neighbourhood.indptr[target],
            neighbourhood.indptr[target] + neighbourhood.neighbour_count[target],
        )
        entry_index = neighbourhood.entry_index[used]
        terms = neighbourhood.similarity[used] * neighbourhood.residual[entry_index]
        if len(entry_index):
            terms = terms / prediction.total_similarity[target]
        explanations.append(
            _top_contributions(
                model, given, neighbourhood.entry_position[entry_index], terms, count
            )
        )
    return explanations


def explain_engine_scores(
    model: Model,
    profile: UserProfile,
    terms: Float64Array,
    positions: Int64Array,
    count: int,
    franchises: Franchises | None = None,
) -> list[tuple[Contribution, ...]]:
    """For each wanted anime the entries of most weight in an engine's ``terms`` (wanted, entries).

    In factors two dislikes may be a like: what was disliked is no reason, whatever its sign.
    """
    entry = profile.known_entries.position
    return _telling_contributions(
        model, profile, entry, positions, terms, count, franchises, only_liked=True
    )


def _telling_contributions(
    model: Model,
    profile: UserProfile,
    entry: Int64Array,
    positions: Int64Array,
    terms: Float64Array,
    count: int,
    franchises: Franchises | None,
    *,
    only_liked: bool = False,
) -> list[tuple[Contribution, ...]]:
    """For each row of terms (wanted, entries) the largest that tell the user something.

    They are of entries that were seen and not disliked, one a franchise, and none of the wanted
    anime's own: that a sequel follows is said apart. Where nothing of the kind speaks for an anime,
    it is the largest of all that was seen and not named to say no, or with ``only_liked`` of what
    was not disliked. Entries ascend, so that of equal terms the one with the smaller id comes
    first.
    """
    seen = np.zeros(len(model), bool)
    seen[profile.seen] = True
    seen[profile.counts_against] = False
    liked = seen.copy()
    liked[profile.all_dropped] = False
    liked[profile.rated[profile.score < profile.least_liked_score]] = False
    group = np.arange(len(model)) if franchises is None else franchises.series_number
    of_another = np.not_equal.outer(group[positions], group[entry])
    telling = np.where(liked[entry] & of_another, terms, 0.0)
    silent = np.asarray(telling.max(axis=1, initial=0.0) <= 0.0)
    left = np.where(
        silent[:, None], np.where((liked if only_liked else seen)[entry], terms, 0.0), telling
    )
    given = _score_by_position(profile)
    row = np.arange(len(left))
    best, weight = [], []
    for _ in range(min(count, len(entry))):
        at = left.argmax(axis=1)
        best.append(entry[at])
        weight.append(left[row, at])
        left[np.equal.outer(group[entry[at]], group[entry])] = 0.0
    if not best:
        return [()] * len(left)
    return [
        _positive_contributions(model, given, entries, weights)
        for entries, weights in zip(
            np.stack(best, axis=1).tolist(), np.stack(weight, axis=1).tolist(), strict=True
        )
    ]


def _score_by_position(profile: UserProfile) -> dict[int, float]:
    return dict(zip(profile.rated.tolist(), profile.score.tolist(), strict=True))


def _top_contributions(
    model: Model, given: dict[int, float], entry: Int64Array, terms: Float64Array, count: int
) -> tuple[Contribution, ...]:
    """Return the largest positive terms, of equal ones the smaller anime id first."""
    if count < len(terms):
        # All that equal the last place come along, so that the sort decides between them.
        likely = np.flatnonzero(terms >= np.partition(terms, -count)[-count])
        entry, terms = entry[likely], terms[likely]
    best = np.lexsort((entry, -terms))[:count]
    return _positive_contributions(model, given, entry[best].tolist(), terms[best].tolist())


def _positive_contributions(
    model: Model, given: dict[int, float], entries: list[int], weights: list[float]
) -> tuple[Contribution, ...]:
    """Entries that speak for an anime; those that do not are left out."""
    return tuple(
        Contribution(int(model.anime_id[entry]), given.get(entry), weight)
        for entry, weight in zip(entries, weights, strict=True)
        if weight > 0
    )
