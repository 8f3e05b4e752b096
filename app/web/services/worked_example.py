"""One recommendation worked through: every number that it is made of, as the model computes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from app.lists.entry import AnimeList
from app.recommender import RecommendOptions, SortOrder, UserProfile
from app.recommender.affinity import affinity_contributions
from app.recommender.recommend import MAX_SCORE, MIN_SCORE, PERCENT, ItemScores, score_items
from app.recommender.score_correction import corrected_scores
from app.translation import mark
from app.web.requests.query import QueryOptions, default_title_language
from app.web.services.library import Library
from app.web.services.recommendations import estimate_for, recommend_with_filters
from app.web.services.user_lists import to_user_list

ITEM_BIAS_LABEL = mark("How much better than average fans find this anime")
USER_BIAS_LABEL = mark("How much higher than others this fan scores")


ScoreTerms = Mapping[str, float]
"""Numbers that are added, by what they stand for: a message."""


@dataclass(frozen=True, slots=True)
class MatchTerm:
    """A title on the list; ``score`` is None where the user gave none.

    ``input_weight`` times ``weight`` percent is its ``contribution`` to the match.
    """

    anime_id: int
    title: str
    score: float | None
    input_weight: float
    weight: float
    contribution: float


@dataclass(frozen=True, slots=True)
class ItemNeighbour:
    """A title that others score alike.

    ``residual`` is ``score`` minus ``baseline``, ``product`` is ``similarity`` times that. What was
    dropped without a score has a residual, but neither score nor baseline.
    """

    anime_id: int
    title: str
    score: float | None
    baseline: float | None
    residual: float
    similarity: float
    product: float


@dataclass(frozen=True, slots=True)
class KnnBreakdown:
    """KNN with baseline: ``baseline`` is the sum of its terms, ``score`` that and ``correction``.

    ``correction`` is ``product_sum`` over ``similarity_sum``.
    """

    baseline_terms: ScoreTerms
    baseline: float
    neighbours: tuple[ItemNeighbour, ...]
    product_sum: float
    similarity_sum: float
    correction: float
    score: float


@dataclass(frozen=True, slots=True)
class WorkedExample:
    """A recommendation: ``match`` is the sum of ``match_terms`` and ``prior_term``.

    The second stage of ranking added ``moved_by`` percent; ``match_percentile`` is of the sum.
    ``score`` is the sum of ``score_terms``; ``silent_count`` titles contribute nothing; ``knn`` is
    None where the user has scored none of the neighbours.
    """

    anime_id: int
    title: str
    match_terms: tuple[MatchTerm, ...]
    silent_count: int
    prior_term: float
    match: float
    moved_by: float
    match_percentile: float | None
    score_terms: ScoreTerms
    score: float
    knn: KnnBreakdown | None


def build_worked_example(library: Library, anime_list: AnimeList) -> WorkedExample | None:
    """Work out the best match of a list, among new series; None if there is none."""
    library, user_list = library.in_language(default_title_language()), to_user_list(anime_list)
    # Of a series that is on the list already, little more could be said than just that.
    wish = QueryOptions(new_series=True)
    found, _ = recommend_with_filters(library, estimate_for(library, user_list, wish), wish)
    if not found.is_personalized or not found.recommendations:
        return None
    best = max(found.recommendations, key=lambda item: item.match + item.moved_by)
    position = int(library.model.anime_id.searchsorted(best.anime_id))
    scores = score_items(library.model, user_list, RecommendOptions(sort_order=SortOrder.SCORE))
    match_terms = _match_terms(library, scores, position)
    return WorkedExample(
        anime_id=best.anime_id,
        title=library.catalogue.title(best.anime_id),
        match_terms=match_terms,
        silent_count=len(scores.affinity.input_position) - len(match_terms),
        prior_term=PERCENT * float(scores.affinity.prior[position]),
        match=best.match,
        moved_by=best.moved_by,
        match_percentile=best.match_percentile,
        score_terms=_score_terms(library, scores, position),
        score=best.expected_score,
        knn=_knn_breakdown(library, scores, position),
    )


def _scores_by_position(user: UserProfile) -> dict[int, float]:
    return dict(zip(user.rated.tolist(), user.score.tolist(), strict=True))


def _match_terms(library: Library, scores: ItemScores, position: int) -> tuple[MatchTerm, ...]:
    """List the titles that say anything, those that add most first."""
    affinity, model = scores.affinity, library.model
    added = PERCENT * affinity_contributions(affinity, np.array([position]))[0]
    given = _scores_by_position(scores.profile)
    order = np.lexsort((affinity.input_position, -added))
    order = order[added[order] != 0]
    columns = (affinity.input_position, affinity.input_weight, added)
    rows = zip(*(column[order].tolist() for column in columns), strict=True)
    return tuple(
        MatchTerm(
            anime_id=int(model.anime_id[source]),
            title=library.catalogue.title(int(model.anime_id[source])),
            score=given.get(source),
            input_weight=weight,
            weight=contribution / weight,
            contribution=contribution,
        )
        for source, weight, contribution in rows
    )


def _score_terms(library: Library, scores: ItemScores, position: int) -> ScoreTerms:
    """Take the formula of `app.recommender.score_model` apart."""
    model, predicted, at = library.model, scores.score_prediction, np.array([position])
    affinity = float(scores.affinity.value[position] / scores.affinity.lift[position])
    parameters = model.parameters
    pick = parameters.score_affinity_weight * affinity + parameters.score_offset
    terms = {
        mark("The average of all scores"): model.global_mean,
        ITEM_BIAS_LABEL: float(model.score_model.item_bias[position]),
        USER_BIAS_LABEL: predicted.user_bias,
        mark("How this fan scored anime that others score alike"): float(
            predicted.knn_term[position]
        ),
        mark("What all scores on the list say together"): float(predicted.gaussian_terms(at)[0]),
        mark("Anime that the fan would pick are scored higher"): pick,
    }
    raw = float(predicted.scores(at)[0])
    if model.score_trees is not None:
        corrected = corrected_scores(model, scores.profile, scores.affinity, predicted, at)
        terms[mark("What such sums were off by, by how much is behind them")] = (
            float(corrected[0]) - raw
        )
        raw = float(corrected[0])
    clamped = min(MAX_SCORE, max(MIN_SCORE, raw))
    if clamped != raw:
        terms[mark("Kept within 1 and 10")] = clamped - raw
    return terms


def _knn_breakdown(library: Library, scores: ItemScores, position: int) -> KnnBreakdown | None:
    """Take the formula of `app.recommender.knn_baseline` apart."""
    model, prediction = library.model, scores.knn_prediction
    if prediction is None or not prediction.neighbourhood.neighbour_count[position]:
        return None
    near = prediction.neighbourhood
    start = near.indptr[position]
    used = slice(start, start + near.neighbour_count[position])
    entries = near.entry_index[used]
    columns = (near.entry_position[entries], near.residual[entries], near.similarity[used])
    rows = zip(*(column.tolist() for column in columns), strict=True)
    given = _scores_by_position(scores.profile)
    neighbours = tuple(
        ItemNeighbour(
            anime_id=int(model.anime_id[source]),
            title=library.catalogue.title(int(model.anime_id[source])),
            score=given.get(source),
            baseline=given[source] - residual if source in given else None,
            residual=residual,
            similarity=similarity,
            product=similarity * residual,
        )
        for source, residual, similarity in sorted(rows, key=lambda row: (-row[2], row[0]))
    )
    baseline, score = float(prediction.baseline[position]), float(prediction.score[position])
    terms = {
        mark("The average of all scores"): model.global_mean,
        USER_BIAS_LABEL: scores.profile.user_bias,
        ITEM_BIAS_LABEL: float(model.item_bias[position]),
    }
    return KnnBreakdown(
        baseline_terms=terms,
        baseline=baseline,
        neighbours=neighbours,
        product_sum=sum(each.product for each in neighbours),
        similarity_sum=float(prediction.total_similarity[position]),
        correction=score - baseline,
        score=score,
    )
