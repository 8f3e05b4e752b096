"""One recommendation worked through: every number that it is made of, as the model computes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.lists.entry import AnimeList
from app.recommender import RecommendOptions, SortOrder
from app.recommender.affinity import affinity_contributions
from app.recommender.recommend import MAX_SCORE, MIN_SCORE, PERCENT, ItemScores, score_items
from app.web.requests.query import QueryOptions
from app.web.services.library import Library
from app.web.services.recommendations import recommend_with_filters
from app.web.services.user_lists import to_user_list


@dataclass(frozen=True, slots=True)
class ScoreTerm:
    """A number that is added, and what it stands for."""

    label: str
    value: float


@dataclass(frozen=True, slots=True)
class MatchTerm:
    """A title on the list: ``interest`` times ``weight`` percent is what it ``adds`` to the match.

    ``score`` is None where the fan gave none.
    """

    anime_id: int
    title: str
    score: float | None
    input_weight: float
    weight: float
    contribution: float


@dataclass(frozen=True, slots=True)
class ItemNeighbour:
    """A title that others score alike: ``residual`` is ``score`` minus ``baseline``, what the fan
    was expected to give it; ``similarity`` times that is the ``product``. What was dropped without
    a score has a residual, but neither score nor baseline."""

    anime_id: int
    title: str
    score: float | None
    baseline: float | None
    residual: float
    similarity: float
    product: float


@dataclass(frozen=True, slots=True)
class KnnBreakdown:
    """KNN with baseline: the ``baseline`` is the sum of its terms; with the sum of products over
    the sum of similarities (``correction``) it is the ``score``."""

    baseline_terms: tuple[ScoreTerm, ...]
    baseline: float
    neighbours: tuple[ItemNeighbour, ...]
    product_sum: float
    similarity_sum: float
    correction: float
    score: float


@dataclass(frozen=True, slots=True)
class WorkedExample:
    """A recommendation: the match is what all ``voices`` add and ``general``, the score the sum of
    its terms. ``silent`` titles say nothing. ``classic`` is None where none was scored alike."""

    anime_id: int
    title: str
    match_terms: tuple[MatchTerm, ...]
    silent_count: int
    prior_term: float
    match: float
    score_terms: tuple[ScoreTerm, ...]
    score: float
    knn: KnnBreakdown | None


def build_worked_example(library: Library, anime_list: AnimeList) -> WorkedExample | None:
    """The best match of a list, among new series, with all its numbers; None if there is none."""
    user_list = to_user_list(anime_list)
    # Of a series that is on the list already, little more could be said than just that.
    recommendations, _ = recommend_with_filters(library, user_list, QueryOptions(new_series=True))
    if not recommendations.is_personalized or not recommendations.recommendations:
        return None
    best = max(recommendations.recommendations, key=lambda item: item.match)
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
        score_terms=_score_terms(library, scores, position),
        score=best.predicted_score,
        knn=_knn_breakdown(library, scores, position),
    )


def _match_terms(library: Library, scores: ItemScores, position: int) -> tuple[MatchTerm, ...]:
    """The titles of the list that say anything, those that add most first."""
    affinity, user = scores.affinity, scores.profile
    added = PERCENT * affinity_contributions(library.model, affinity, np.array([position]))[0]
    given = dict(zip(user.rated.tolist(), user.score.tolist(), strict=True))
    order = np.lexsort((affinity.input_position, -added))
    return tuple(
        MatchTerm(
            anime_id=int(library.model.anime_id[affinity.input_position[n]]),
            title=library.catalogue.title(int(library.model.anime_id[affinity.input_position[n]])),
            score=given.get(int(affinity.input_position[n])),
            input_weight=float(affinity.input_weight[n]),
            weight=float(added[n] / affinity.input_weight[n]),
            contribution=float(added[n]),
        )
        for n in order
        if added[n]
    )


def _score_terms(library: Library, scores: ItemScores, position: int) -> tuple[ScoreTerm, ...]:
    """The formula of `app.recommender.score_model`, term by term."""
    predicted = scores.score_prediction
    pick = (
        library.model.parameters.score_affinity_weight * float(scores.affinity.value[position])
        + library.model.parameters.score_offset
    )
    terms = (
        ScoreTerm("The average of all scores", library.model.global_mean),
        ScoreTerm(
            "How much better than average fans find this anime", _item_bias(library, position)
        ),
        ScoreTerm("How much higher than others this fan scores", predicted.user_bias),
        ScoreTerm(
            "How this fan scored anime that others score alike", float(predicted.knn_term[position])
        ),
        ScoreTerm(
            "What all scores on the list say together", float(predicted.gaussian_term[position])
        ),
        ScoreTerm("Anime that the fan would pick are scored higher", pick),
    )
    raw = float(predicted.score[position])
    clamped = min(MAX_SCORE, max(MIN_SCORE, raw))
    return terms if clamped == raw else (*terms, ScoreTerm("Kept within 1 and 10", clamped - raw))


def _item_bias(library: Library, position: int) -> float:
    return float(library.model.score_model.item_bias[position])


def _knn_breakdown(library: Library, scores: ItemScores, position: int) -> KnnBreakdown | None:
    """The formula of `app.recommender.knn_baseline` for one anime."""
    model, user, prediction = library.model, scores.profile, scores.knn_prediction
    if prediction is None or not prediction.neighbourhood.neighbour_count[position]:
        return None
    neighbourhood = prediction.neighbourhood
    used = slice(
        neighbourhood.indptr[position],
        neighbourhood.indptr[position] + neighbourhood.neighbour_count[position],
    )
    given = dict(zip(user.rated.tolist(), user.score.tolist(), strict=True))
    rows = [
        (int(neighbourhood.entry_position[n]), float(neighbourhood.residual[n]), float(similarity))
        for n, similarity in zip(
            neighbourhood.entry_index[used], neighbourhood.similarity[used], strict=True
        )
    ]
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
    baseline = float(prediction.baseline[position])
    score = float(prediction.score[position])
    return KnnBreakdown(
        baseline_terms=(
            ScoreTerm("The average of all scores", model.global_mean),
            ScoreTerm("How much higher than others this fan scores", user.user_bias),
            ScoreTerm(
                "How much better than average fans find this anime",
                float(model.item_bias[position]),
            ),
        ),
        baseline=baseline,
        neighbours=neighbours,
        product_sum=sum(each.product for each in neighbours),
        similarity_sum=float(prediction.total_similarity[position]),
        correction=score - baseline,
        score=score,
    )
