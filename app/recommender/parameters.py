"""The numbers that serving blends and orders with: fitted to data, and part of the model.

They stand in the manifest (`app.recommender.artifact.Manifest.serving_parameters`), written by
training from a file that ``python -m model_build calibrate`` makes on held-out users. Each states
the range it may have, in which calibration searches, and the metric that it is fitted to; those
without a metric are choices about what a page shows.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Objective = Literal["rmse", "ndcg@10"]


def _fitted(low: float, high: float, objective: Objective) -> Any:
    """Return a number that calibration fits, by what the best matches measure."""
    return Field(ge=low, le=high, json_schema_extra={"objective": objective})


def _chosen(low: float, high: float) -> Any:
    """Return a number that no metric decides."""
    return Field(ge=low, le=high)


class FranchiseShares(NamedTuple):
    """By how many lists anime of a franchise are told apart: see `collapse_franchises`."""

    entry_point: float
    prequel: float
    between: float


class ParameterProvenance(BaseModel):
    """How parameters came about: by which command, on which users of which data, and when."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: str
    split: str
    date: str
    dataset: str


class MatchCurve(BaseModel):
    """Affinities of what users love, as lists of ``length`` entries lead to expect them.

    ``quantiles`` are at equal distances from the least to the largest.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    length: Annotated[int, Field(ge=1)]
    quantiles: Annotated[tuple[float, ...], Field(min_length=2)]


class ServingParameters(BaseModel):
    """Blend weights, powers and thresholds of serving.

    Predicted scores (`app.recommender.score_model`): the weight of the neighbourhood is
    ``knn_weight + knn_weight_gain t`` and that of the Gaussian ``gaussian_weight +
    gaussian_weight_gain t``, t = n / (n + ``score_count_shrinkage``) for n scores.
    ``dropped_residual`` stands for an anime dropped without a score, in points.

    Affinity (`app.recommender.affinity`): from ``short_history_length`` entries on, or
    ``partial_history_length`` of a partial list, the model for full lists takes over from that for
    short ones; ``min_matrix_weight`` is the weight below which
    one is left out. Of the ``recent_depth`` best, recent anime are to have ``recent_share_gain``
    times their share of the list, plus ``recent_share_floor``; a list counts as if
    ``recent_share_shrinkage`` entries longer, none of them recent.

    Second stage (`app.recommender.reranking`): lists of fewer than ``rerank_min_entries`` entries
    go without its trees, as they say too little, unless they are partial; what has less than the
    share ``min_candidate_share`` of the largest affinity stays behind; why it moved an anime is
    told from ``moved_points`` percent on. The odds of recent anime are multiplied by 1 +
    ``recent_share_odds`` times the share that these are to have. Of short lists of one taste, what
    is well known goes down by ``short_history_popularity`` times the logarithm of its members: not
    for evidence of up to ``unfocused_evidence`` nats for one taste, and wholly from
    ``focused_evidence`` on.

    Match in percent (`app.recommender.match_percentile`): ``match_curves`` are those of all users,
    by ascending length, and count as much as ``match_curve_weight`` anime that the user loves.

    Order (`app.recommender.rank`): a predicted score needs ``min_ratings`` ratings of the anime and
    ``min_neighbours`` entries of the list behind it, and an affinity of ``min_affinity``, to come
    first. ``popularity_exponent`` is the power of an anime's members that discovery divides by; it
    shows none with more than ``discover_max_members`` (0: all) or on fewer than
    ``rare_item_lists`` lists, and takes what is below the quantile ``known_to_nobody_quantile`` of
    members as known equally little.

    Franchises (`app.recommender.franchise`): where one begins is on ``entry_point_share`` as many
    lists as its most listed anime, or continued by what is and on ``prequel_share`` as many as
    that. What is on ``between_share`` as many lists as a sequel and what it continues comes between
    them; what is on fewer than that share of the last seen part's was rightly passed over. A score
    is far below the user's mean, and a dislike, if it is ``disliked_points`` below it, and a
    standard deviation of the user's scores.

    Shrinkages are counts at which what is shrunk is halved: how alike users are, by titles in
    common (``user_similarity_shrinkage``), how alike an anime is by an engine's vectors, by who
    knows it (``similar_items_shrinkage``), how far what is well known goes down for a short list of
    one taste, by on how many lists its titles are (``short_history_popularity_shrinkage``), and how
    a user likes a word or a type, by scores (``word_shrinkage``, ``type_shrinkage``; the trees
    learnt with these). What the users most alike prefer counts up to ``preference_limit`` times,
    its shares raised by ``preference_damping``. Of what is like an anime by affinity, what is well
    known goes down by the power ``similar_items_popularity`` of 1 + n / ``similar_items_shrinkage``
    for n lists.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    knn_weight: Annotated[float, _fitted(0, 2, "rmse")]
    knn_weight_gain: Annotated[float, _fitted(-2, 2, "rmse")]
    gaussian_weight: Annotated[float, _fitted(0, 2, "rmse")]
    gaussian_weight_gain: Annotated[float, _fitted(-2, 2, "rmse")]
    score_count_shrinkage: Annotated[float, _fitted(1, 10_000, "rmse")]
    score_affinity_weight: Annotated[float, _fitted(0, 3, "rmse")]
    score_offset: Annotated[float, _fitted(-1, 1, "rmse")]
    similarity_exponent: Annotated[float, _fitted(1, 6, "rmse")]
    similarity_damping: Annotated[float, _fitted(1e-6, 1, "rmse")]
    dropped_residual: Annotated[float, _chosen(-4, 0)]

    short_history_length: Annotated[float, _fitted(1, 50, "ndcg@10")]
    partial_history_length: Annotated[float, _fitted(1, 50, "ndcg@10")] = 5.0
    short_history_weight: Annotated[float, _fitted(0, 200, "ndcg@10")]
    short_history_exponent: Annotated[float, _fitted(1, 6, "ndcg@10")]
    weight_decay_length: Annotated[float, _fitted(1, 500, "ndcg@10")]
    prior_decay_exponent: Annotated[float, _fitted(0, 4, "ndcg@10")]
    min_matrix_weight: Annotated[float, _chosen(0, 1)]
    recent_share_gain: Annotated[float, _chosen(0, 10)] = 0.0
    recent_share_floor: Annotated[float, _chosen(0, 1)] = 0.0
    recent_share_shrinkage: Annotated[float, _chosen(0, 1000)] = 5.0
    recent_depth: Annotated[int, _chosen(1, 1000)] = 20

    rerank_min_entries: Annotated[int, _chosen(0, 1000)] = 10
    min_candidate_share: Annotated[float, _chosen(0, 1)] = 0.0
    recent_share_odds: Annotated[float, _chosen(0, 1000)] = 0.0
    short_history_popularity: Annotated[float, _chosen(0, 2)] = 0.0
    short_history_popularity_shrinkage: Annotated[float, _chosen(0, 1_000_000)] = 0.0
    unfocused_evidence: Annotated[float, _chosen(0, 1000)] = 20.0
    focused_evidence: Annotated[float, _chosen(0, 1000)] = 40.0
    moved_points: Annotated[float, _chosen(0, 100)] = 2.0

    match_curves: tuple[MatchCurve, ...] = ()
    match_curve_weight: Annotated[float, _chosen(0, 10_000)] = 20.0

    min_ratings: Annotated[int, _chosen(0, 1000)]
    min_neighbours: Annotated[int, _chosen(0, 20)]
    min_affinity: Annotated[float, _chosen(0, 1)] = 0.0
    popularity_exponent: Annotated[float, _chosen(0, 2)]
    discover_max_members: Annotated[int, _chosen(0, 100_000_000)] = 0
    rare_item_lists: Annotated[int, _chosen(0, 1000)]
    entry_point_share: Annotated[float, _chosen(0, 1)]
    prequel_share: Annotated[float, _chosen(0, 1)] = 0.1
    between_share: Annotated[float, _chosen(0, 1)] = 0.35
    disliked_points: Annotated[float, _chosen(0, 9)] = 2.0
    known_to_nobody_quantile: Annotated[float, _chosen(0, 1)] = 0.25
    user_similarity_shrinkage: Annotated[float, _chosen(1, 10_000)]
    similar_items_shrinkage: Annotated[float, _chosen(0, 10_000)] = 20.0
    similar_items_popularity: Annotated[float, _chosen(0, 2)] = 0.0
    word_shrinkage: Annotated[float, _chosen(0.1, 1000)] = 5.0
    type_shrinkage: Annotated[float, _chosen(0.1, 1000)] = 5.0
    preference_limit: Annotated[float, _chosen(1, 100)] = 2.0
    preference_damping: Annotated[float, _chosen(1e-6, 1)] = 0.01

    provenance: ParameterProvenance

    @model_validator(mode="after")
    def _check_evidence(self) -> Self:
        if self.focused_evidence <= self.unfocused_evidence:
            raise ValueError("focused_evidence must be larger than unfocused_evidence")
        return self

    @property
    def franchise_shares(self) -> FranchiseShares:
        """What `app.recommender.franchise.collapse_franchises` tells anime apart by."""
        return FranchiseShares(self.entry_point_share, self.prequel_share, self.between_share)
