"""From a list to explained, ranked recommendations: the one path that every caller takes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np

from app.recommender.affinity import AffinityScores, score_affinity
from app.recommender.array_types import BoolArray, Float64Array, Int64Array
from app.recommender.engines import EngineName, EngineScores
from app.recommender.explain import (
    Contribution,
    explain_engine_scores,
    explain_match,
    explain_score,
)
from app.recommender.fold_in import UserProfile, ensure_profile
from app.recommender.franchise import CollapsedFranchises, Franchises, collapse_franchises
from app.recommender.knn_baseline import KnnPrediction, predict_knn
from app.recommender.match_percentile import match_percentiles
from app.recommender.model import Model
from app.recommender.rank import (
    SortOrder,
    candidate_mask,
    little_known_mask,
    novelty_sort_key,
    support_sort_key,
    tiered_sort_key,
    top_items,
)
from app.recommender.reranking.feature_names import FeatureGroup
from app.recommender.reranking.reranker import Reranking, moving_reasons, rerank
from app.recommender.score_correction import corrected_scores
from app.recommender.score_model import ScorePrediction, expected_error, predict_scores
from app.recommender.user_list import UserList

MIN_SCORE, MAX_SCORE = 1.0, 10.0
PERCENT = 100.0
ExplainedTarget = Literal["match", "predicted_score"]


@dataclass(frozen=True, slots=True)
class RecommendOptions:
    """What is asked for; ``allowed_mask`` (n,) bool narrows the anime shown, by type or genre, say.

    With ``franchises`` one anime a franchise is shown, the first unseen; ``include_extras`` lets
    specials and summaries of franchises that the user knows in. ``explanation_size`` is how many
    contributions each anime comes with; with none it is not told what moved it either. ``engine``
    must be one that the model has. Nothing is shown whose predicted score is below ``min_score``.
    What ``stands_above`` (k,), positions of the model, is not shown again; where it passes the same
    filters, nothing else of its franchise comes in its place.
    Without ``second_stage`` matches rank as they are. The ``top_n`` begin behind the ``offset``
    best.
    """

    top_n: int = 20
    sort_order: SortOrder = SortOrder.MATCH
    engine: EngineName = EngineName.HAKKEN
    include_planned: bool = False
    include_extras: bool = False
    explanation_size: int = 3
    franchises: Franchises | None = field(default=None, repr=False)
    allowed_mask: BoolArray | None = field(default=None, repr=False)
    stands_above: Int64Array | None = field(default=None, repr=False)
    min_score: float | None = None
    second_stage: bool = True
    offset: int = 0

    def without_reasons(self) -> RecommendOptions:
        """Copy these options, asking for no contributions and no reasons of the second stage."""
        return replace(self, explanation_size=0)


@dataclass(frozen=True, slots=True)
class RecommendedItem:
    """One anime.

    ``match`` is the affinity in percent: 100 for what the user would pick and give a 9 or 10, 0 for
    what the user would not pick; or another engine's, which is held to 0..100. ``moved_by`` is what
    the second stage of ranking added to it, in percent, and ``moved_reason`` what it moved it for,
    where that is told.
    ``match_percentile`` is how much of what the user loves matches less than this does as moved
    (`app.recommender.match_percentile`). ``expected_score``, within 1..10, is what the user would
    give, the same in every order, and ``expected_error`` its standard deviation;
    ``predicted_score`` is that number, or what KNN with baseline predicts where the order sorts by
    it. The weights of ``contributions`` and ``residual`` add up to the number that the result
    explains. ``follows`` is the anime, finished and liked, that it comes next after in a franchise.
    ``more_of_franchise`` counts the further anime of the franchise that this one stands for;
    ``rarely_listed`` is on few users' lists.
    """

    anime_id: int
    rank: int
    match: float
    match_percentile: float | None
    moved_by: float
    moved_reason: FeatureGroup | None
    predicted_score: float
    expected_score: float
    expected_error: float
    contributions: tuple[Contribution, ...]
    residual: float
    follows: int | None
    more_of_franchise: int
    rarely_listed: bool

    @property
    def shown_match(self) -> float:
        """The number that a fan is shown: how much matches less, or the match where none says."""
        return self.match if self.match_percentile is None else self.match_percentile


@dataclass(frozen=True, slots=True)
class RecommendationResult:
    """The recommendations, and what was understood of the list.

    ``is_personalized`` is False when nothing on the list could be used, and popular, well rated
    anime are shown instead.
    """

    model_version: str
    engine: EngineName
    sort_order: SortOrder
    explained_target: ExplainedTarget
    is_personalized: bool
    profile: UserProfile
    recommendations: tuple[RecommendedItem, ...]


@dataclass(frozen=True)
class ItemEstimates:
    """What no option changes for a user: affinity, predicted score and match of every anime.

    Who asks several times for the same user makes them once (`estimate_items`); an anime has the
    same numbers then whatever else may be shown.
    """

    model: Model
    profile: UserProfile
    affinity: AffinityScores
    score_prediction: ScorePrediction

    @cached_property
    def reranking(self) -> Reranking | None:
        """What the second stage makes of everything unseen; None where there is none."""
        return self.rerank(candidate_mask(self.model, self.profile, include_planned=True))

    def expected_scores(
        self, positions: Int64Array, engine_scores: EngineScores | None = None
    ) -> Float64Array:
        """Scores (k,) of some anime, 1 to 10: the engine's, where one was asked that has them."""
        if engine_scores is not None and engine_scores.predicted_score is not None:
            score = engine_scores.predicted_score[positions]
        else:
            score = corrected_scores(
                self.model, self.profile, self.affinity, self.score_prediction, positions
            )
        return np.clip(score, MIN_SCORE, MAX_SCORE)

    def rerank(self, allowed: BoolArray) -> Reranking | None:
        """Let the second stage order the best of the ``allowed`` (n,) anime."""
        if not len(self.profile.input_position):
            return None
        return rerank(self.model, self.profile, self.affinity, self.score_prediction, allowed)


@dataclass(frozen=True, slots=True)
class ItemScores:
    """Every anime of the model scored for one user: what `recommend` shows the best of.

    ``match`` (n,) is as in `RecommendedItem`; ``ranked_match`` (n,) is the match as the second
    stage moved it, the match itself without one; ``sort_key`` (n,) what the order sorts by;
    ``allowed_mask`` (n,) bool where one may be shown.
    ``knn_prediction`` is there where KNN with baseline predicts the score that the order sorts by,
    ``engine_scores`` where another engine than Hakken's was asked.
    """

    sort_order: SortOrder
    engine: EngineName
    profile: UserProfile
    affinity: AffinityScores
    score_prediction: ScorePrediction
    knn_prediction: KnnPrediction | None
    engine_scores: EngineScores | None
    reranking: Reranking | None
    match: Float64Array
    ranked_match: Float64Array
    sort_key: Float64Array
    allowed_mask: BoolArray
    is_personalized: bool

    @property
    def explained_target(self) -> ExplainedTarget:
        """The number that is explained: the score where the order sorts by one."""
        if self.knn_prediction is not None or self._explains_engine_score:
            return "predicted_score"
        return "match"

    @property
    def _explains_engine_score(self) -> bool:
        return (
            self.sort_order is SortOrder.SCORE
            and self.engine_scores is not None
            and self.engine_scores.score_contributions is not None
        )

    def explain(
        self, model: Model, positions: Int64Array, count: int, franchises: Franchises | None = None
    ) -> list[tuple[Contribution, ...]]:
        """For each of ``positions`` (p,) the entries of the list that speak most for its number."""
        if self.knn_prediction is not None:
            return explain_score(model, self.profile, self.knn_prediction, positions, count)
        if self.engine_scores is not None:
            terms = self.engine_scores.contributions
            if self._explains_engine_score and self.engine_scores.score_contributions is not None:
                terms = self.engine_scores.score_contributions
            return explain_engine_scores(
                model, self.profile, terms(positions), positions, count, franchises
            )
        return explain_match(
            model, self.profile, self.affinity, positions, PERCENT, count, franchises
        )

    def match_percentiles(self, model: Model, positions: Int64Array) -> Float64Array:
        """How much of what the user loves each wanted anime matches more than, (p,), in percent.

        NaN where that is not known: of another engine's match, and for a list that says nothing.
        """
        if self.engine_scores is not None or not self.is_personalized:
            return np.full(len(positions), np.nan)
        value = self.affinity.value if self.reranking is None else self.reranking.value
        return match_percentiles(model, self.profile, value, positions)

    def moved_by(self, positions: Int64Array) -> Float64Array:
        """How far the second stage moved the match of each wanted anime, (p,), in percent."""
        return self.ranked_match[positions] - self.match[positions]

    def moving_reasons(self, model: Model, positions: Int64Array) -> list[FeatureGroup | None]:
        """What moved each of ``positions`` (p,) most, None where it was hardly moved."""
        if self.reranking is None:
            return [None] * len(positions)
        moved = self.moved_by(positions)
        moved[np.abs(moved) < model.parameters.moved_points] = 0.0
        return moving_reasons(model, self.reranking, positions, moved)

    def expected_scores(self, model: Model, positions: Int64Array) -> Float64Array:
        """What the user would give each wanted anime, (p,), 1 to 10, in every order the same."""
        estimates = ItemEstimates(model, self.profile, self.affinity, self.score_prediction)
        return estimates.expected_scores(positions, self.engine_scores)

    def predicted_scores(self, model: Model, positions: Int64Array) -> Float64Array:
        """Those, (p,), or what KNN with baseline predicts where the order sorts by it."""
        if self.knn_prediction is None:
            return self.expected_scores(model, positions)
        return np.clip(self.knn_prediction.score[positions], MIN_SCORE, MAX_SCORE)

    def expected_errors(self, model: Model, positions: Int64Array) -> Float64Array:
        """Return one standard deviation of each wanted anime's expected score, (p,)."""
        if self.engine_scores is not None and self.engine_scores.expected_error is not None:
            return np.full(len(positions), self.engine_scores.expected_error)
        return expected_error(model, self.score_prediction, positions)


def estimate_items(model: Model, user: UserList | UserProfile | ItemEstimates) -> ItemEstimates:
    """Fold a list in and estimate every anime for it, as far as that is not done already."""
    if isinstance(user, ItemEstimates):
        return user
    profile = ensure_profile(model, user)
    affinity = score_affinity(model, profile)
    return ItemEstimates(model, profile, affinity, predict_scores(model, profile, affinity))


def score_items(
    model: Model, user: UserList | UserProfile | ItemEstimates, options: RecommendOptions
) -> ItemScores:
    """Fold a list in, unless that is done already, and score every anime.

    With `SortOrder.SCORE` Hakken predicts with KNN with baseline, the reference; with the other
    orders with the sharper `predict_scores`. Where another engine predicts no scores, Hakken's are
    taken.
    """
    estimates = estimate_items(model, user)
    profile, affinity = estimates.profile, estimates.affinity
    allowed = candidate_mask(model, profile, include_planned=options.include_planned)
    if options.allowed_mask is not None:
        allowed &= options.allowed_mask
    match = PERCENT * affinity.value
    is_personalized = len(profile.input_position) > 0
    engine_scores = None
    if options.engine is not EngineName.HAKKEN and is_personalized:
        engine_scores = model.engines[options.engine].score(profile.known_entries)
        # One scale for all: what goes past its ends says no more. The order keeps the difference.
        match = np.clip(engine_scores.match, 0.0, PERCENT) + 0.0  # no -0
        allowed &= engine_scores.known_items
    if options.min_score is not None:
        at = np.flatnonzero(allowed)
        allowed[at] = estimates.expected_scores(at, engine_scores) >= options.min_score
    if options.sort_order is SortOrder.DISCOVER:
        allowed &= little_known_mask(model, options.franchises)
    reranking = None
    by_match = options.second_stage and options.sort_order is not SortOrder.SCORE
    if by_match and engine_scores is None:
        reranking = estimates.reranking
    ranked_match = match if reranking is None else PERCENT * reranking.value
    knn_prediction = None
    sort_key = ranked_match if engine_scores is None else engine_scores.match
    if options.sort_order is SortOrder.DISCOVER:
        # Few of the best are little known: the second stage looks deeper for those.
        deeper = None if reranking is None else estimates.rerank(allowed)
        sort_key = novelty_sort_key(model, sort_key if deeper is None else PERCENT * deeper.value)
    elif options.sort_order is SortOrder.SCORE and (
        engine_scores is not None and engine_scores.predicted_score is not None
    ):
        sort_key = tiered_sort_key(
            engine_scores.predicted_score, model.rating_count < model.parameters.min_ratings
        )
    elif options.sort_order is SortOrder.SCORE:
        knn_prediction = predict_knn(model, profile)
        sort_key = support_sort_key(model, knn_prediction, affinity.value)
        is_personalized = len(knn_prediction.neighbourhood.entry_position) > 0
    return ItemScores(
        options.sort_order,
        options.engine,
        profile,
        affinity,
        estimates.score_prediction,
        knn_prediction,
        engine_scores,
        reranking,
        match,
        ranked_match,
        sort_key,
        allowed,
        is_personalized,
    )


def collapse_candidates(
    model: Model, scores: ItemScores, options: RecommendOptions
) -> CollapsedFranchises:
    """One anime a franchise of what may be shown; of those given up only what is planned.

    A franchise is given up where it was dropped, or what was seen of it disliked.
    """
    if options.franchises is None:
        return CollapsedFranchises(scores.allowed_mask, np.zeros(len(model), np.int64))
    profile = scores.profile
    dropped_franchises = options.franchises.dropped_franchises(profile.all_dropped, profile.seen)
    dropped_franchises |= options.franchises.dropped_franchises(
        profile.disliked(model.parameters.disliked_points), profile.liked()
    )
    dropped_franchises[profile.planned] = False
    planned = profile.planned if not options.include_planned else profile.planned[:0]
    return collapse_franchises(
        options.franchises,
        model.entry_count,
        model.parameters.franchise_shares,
        scores.allowed_mask & ~dropped_franchises,
        profile.seen,
        planned,
        include_extras=options.include_extras,
    )


def recommend(
    model: Model,
    user: UserList | UserProfile | ItemEstimates,
    options: RecommendOptions | None = None,
) -> RecommendationResult:
    """Recommend anime for a list, or for who is folded in or estimated already."""
    options = options or RecommendOptions()
    return recommend_scored(model, score_items(model, user, options), options)


def recommend_scored(
    model: Model, scores: ItemScores, options: RecommendOptions
) -> RecommendationResult:
    """Recommend the best of what was scored with the same options."""
    profile, collapsed = scores.profile, collapse_candidates(model, scores, options)
    allowed = collapsed.allowed
    if options.stands_above is not None:
        allowed = allowed.copy()
        allowed[options.stands_above] = False
    chosen = top_items(scores.sort_key, allowed, options.top_n, options.offset)
    explanations: list[tuple[Contribution, ...]] = [()] * len(chosen)
    percentiles = scores.match_percentiles(model, chosen)
    of_match = scores.explained_target == "match"
    expected = scores.expected_scores(model, chosen)
    predicted = expected
    if scores.knn_prediction is not None:
        predicted = scores.predicted_scores(model, chosen)
    explained = scores.match[chosen] if of_match else predicted
    errors = scores.expected_errors(model, chosen)
    moved_by = scores.moved_by(chosen)
    reasons: list[FeatureGroup | None] = [None] * len(chosen)
    if options.explanation_size:
        explanations = scores.explain(model, chosen, options.explanation_size, options.franchises)
        reasons = scores.moving_reasons(model, chosen)
    follows = np.full(len(chosen), -1)
    if options.franchises is not None:
        follows = options.franchises.followed(chosen, profile.seen, profile.liked())
    recommendations = tuple(
        RecommendedItem(
            anime_id=int(model.anime_id[target]),
            rank=options.offset + at + 1,
            match=float(scores.match[target]),
            match_percentile=None if np.isnan(percentiles[at]) else float(percentiles[at]),
            moved_by=float(moved_by[at]),
            moved_reason=reasons[at],
            predicted_score=float(predicted[at]),
            expected_score=float(expected[at]),
            expected_error=float(errors[at]),
            contributions=explanations[at],
            residual=float(explained[at] - sum(reason.weight for reason in explanations[at])),
            follows=int(model.anime_id[follows[at]]) if follows[at] >= 0 else None,
            more_of_franchise=int(collapsed.hidden_count[target]),
            rarely_listed=bool(model.entry_count[target] < model.parameters.rare_item_lists),
        )
        for at, target in enumerate(chosen)
    )
    return RecommendationResult(
        model.version,
        options.engine,
        options.sort_order,
        scores.explained_target,
        scores.is_personalized,
        profile,
        recommendations,
    )
