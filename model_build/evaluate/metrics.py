"""Metrics of rankings, predicted scores and predicted likes.

The first half are functions of plain arrays. The second half puts the metrics of a `RankingResult`
together. There every metric is computed for weighted users: weights of one give the value, the
counts of a resample with replacement a bootstrap replicate. So an interval is one of exactly what
is reported. The formulas stand in `docs/evaluation.md`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_array

from app.recommender.array_types import BoolArray, Float64Array, Int64Array
from model_build.evaluate.ranking import (
    MAX_RATING,
    MIN_RATING,
    N_PERCENTILE_BINS,
    PERCENT,
    EvaluationItems,
    RankingResult,
)

WeightedMetrics = dict[str, Float64Array]

CUTOFFS = (10, 20)
TOP_N = 10
BINS_PER_POINT = 2
N_BINS = round((MAX_RATING - MIN_RATING) * BINS_PER_POINT)
N_RESAMPLES = 1000
COUNT_METRICS = ("coverage", "users", "pairs")
MIN_PROBABILITY = 1e-6


def ndcg(hits: BoolArray, n_relevant: Int64Array | int, k: int) -> Float64Array:
    """Normalised discounted cumulative gain with binary gains (Järvelin and Kekäläinen 2002).

    The sum of 1 / log2(1 + rank) over the hits, divided by that of min(k, n_relevant) hits at the
    top. Like the other ranking metrics it is NaN for a user to whom nothing is relevant.

    Parameters
    ----------
    hits
        (..., places) bool, first place first: whether the item there is relevant. Places that a
        short ranking lacks may be missing or False.
    n_relevant
        (...), how many items are relevant, ranked or not.
    k
        How many places count.

    Examples
    --------
    >>> round(float(ndcg(np.array([True, False, True]), 2, k=10)), 4)
    0.9197
    """
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[np.nan], np.cumsum(discount)])[np.minimum(k, n_relevant)]
    found = hits[..., :k]
    return np.asarray(found @ discount[: found.shape[-1]] / ideal)


def recall(hits: BoolArray, n_relevant: Int64Array | int, k: int) -> Float64Array:
    """Hits among the first ``k`` by the most there could be, (...,); arguments as for `ndcg`.

    >>> float(recall(np.array([True, False, True]), 4, k=3))
    0.6666666666666666
    """
    return np.asarray(hits[..., :k].sum(axis=-1) / _max_hits(n_relevant, k))


def precision(hits: BoolArray, n_relevant: Int64Array | int, k: int) -> Float64Array:
    """Hits among the first ``k``, divided by ``k``; arguments and shapes (...,) as for `ndcg`."""
    some = np.where(np.asarray(n_relevant) > 0, float(k), np.nan)
    return np.asarray(hits[..., :k].sum(axis=-1) / some)


def average_precision(hits: BoolArray, n_relevant: Int64Array | int, k: int) -> Float64Array:
    """Precision at the place of every hit, summed and divided by min(k, n_relevant).

    Its mean over users is MAP. Arguments as for `ndcg`.

    >>> float(average_precision(np.array([True, False, True]), 2, k=10))
    0.8333333333333333
    """
    found = hits[..., :k]
    at_each = np.cumsum(found, axis=-1) / np.arange(1, found.shape[-1] + 1)
    return np.asarray((at_each * found).sum(axis=-1) / _max_hits(n_relevant, k))


def _max_hits(n_relevant: Int64Array | int, k: int) -> Float64Array:
    return np.where(np.asarray(n_relevant) > 0, np.minimum(k, n_relevant), np.nan)


def roc_auc(scores: Float64Array, truth: BoolArray) -> float:
    """Return the share of pairs of a true and a false one in which the true one scores higher.

    ``scores`` and ``truth`` are (n,). Ties count half (Mann and Whitney 1947). NaN where there are
    no pairs.

    >>> roc_auc(np.array([3.0, 1.0, 2.0, 2.0]), np.array([False, False, True, False]))
    0.5
    """
    # Imported late, here as elsewhere: it takes a second, which most commands need not take.
    from sklearn.metrics import roc_auc_score

    if truth.all() or not truth.any():
        return float("nan")
    return float(roc_auc_score(truth, scores))


def mean_log_loss(probability: Float64Array, truth: BoolArray) -> float:
    """Mean of -log of the probability (n,), at least 1e-6, of what happened; NaN for none."""
    from sklearn.metrics import log_loss

    if not len(truth):
        return float("nan")
    clipped = np.clip(probability, MIN_PROBABILITY, 1.0 - MIN_PROBABILITY)
    return float(log_loss(truth, clipped, labels=[False, True]))


def classification_metrics(predicted: BoolArray, truth: BoolArray) -> tuple[float, float, float]:
    """Accuracy, precision and recall of yes-or-no predictions (n,), NaN where undefined."""

    def share(part: int, whole: int) -> float:
        return part / whole if whole else float("nan")

    right = int((predicted & truth).sum())
    return (
        share(int((predicted == truth).sum()), len(truth)),
        share(right, int(predicted.sum())),
        share(right, int(truth.sum())),
    )


def intra_list_diversity(top_items: Int64Array, genres: BoolArray) -> Float64Array:
    """1 minus the mean Jaccard similarity of the genres of all pairs in a list.

    Ziegler and others 2005; genres, because no ranking compared was trained on them. Anime without
    a genre are left out.

    Parameters
    ----------
    top_items
        (users, k) positions of anime, -1 for none.
    genres
        (n, genres) bool.

    Returns
    -------
    Float64Array
        (users,), NaN for a list with fewer than two anime that have genres.
    """
    own = (genres[top_items] & (top_items >= 0)[:, :, None]).astype(np.float64)
    size = own.sum(axis=2)
    common = own @ own.transpose(0, 2, 1)
    either = size[:, :, None] + size[:, None, :] - common
    pair = (size[:, :, None] > 0) & (size[:, None, :] > 0) & ~np.eye(top_items.shape[1], dtype=bool)
    similar = np.divide(common, either, out=np.zeros_like(common), where=pair)
    return 1.0 - _ratio(similar.sum(axis=(1, 2)), pair.sum(axis=(1, 2)).astype(np.float64))


def finite_mean(value: Float64Array) -> float:
    """Return the mean of what is finite in (n,), NaN if nothing is."""
    finite = value[np.isfinite(value)]
    return float(finite.mean()) if len(finite) else float("nan")


def metrics_report(
    result: RankingResult, items: EvaluationItems, *, seed: int = 0
) -> dict[str, Any]:
    """Return the `summary`, the `bootstrap_intervals` as ``ci``, and two tables.

    These are ``calibration`` (`calibration_table`) and ``match_percentile``
    (`match_percentile_table`).
    """
    return {
        **summary(result, items),
        "calibration": calibration_table(result),
        "match_percentile": match_percentile_table(result),
        "ci": bootstrap_intervals(result, items, seed=seed),
    }


def summary(result: RankingResult, items: EvaluationItems) -> dict[str, float | int]:
    """All metrics by name, NaN where there was nothing to measure."""
    n_users = len(result.n_relevant)
    once = weighted_metrics(result, items, np.ones((1, n_users)))
    found: dict[str, float | int] = {name: float(value[0]) for name, value in once.items()}
    found |= {"users": n_users, "pairs": len(result.actual)}
    return {name: int(v) if name in COUNT_METRICS else v for name, v in found.items()}


def bootstrap_intervals(
    result: RankingResult, items: EvaluationItems, *, seed: int = 0
) -> dict[str, list[float]]:
    """95 % bootstrap intervals, [low, high]: users are drawn with replacement (Efron 1979).

    A resample repeats users and so always covers less than all of them do; the interval of the
    coverage is the spread of the resamples around their mean, moved to the coverage.
    """
    n_users = len(result.n_relevant)
    drawn = np.random.default_rng(seed).multinomial(
        n_users, np.full(n_users, 1 / n_users), N_RESAMPLES
    )
    found = {}
    for name, sample in weighted_metrics(result, items, drawn.astype(np.float64)).items():
        defined = sample[np.isfinite(sample)]
        low, high = np.quantile(defined, (0.025, 0.975)) if len(defined) else (np.nan, np.nan)
        if name == "coverage":
            shift = _catalogue_coverage(result, np.ones((1, n_users)))[0] - defined.mean()
            low, high = low + shift, high + shift
        found[name] = [float(low), float(high)]
    return found


def weighted_metrics(
    result: RankingResult, items: EvaluationItems, weights: Float64Array
) -> WeightedMetrics:
    """Every metric, (replicates,), for rows of users' weights (replicates, users)."""

    def mean(of_user: Float64Array) -> Float64Array:
        defined = np.isfinite(of_user)
        return _ratio(weights[:, defined] @ of_user[defined], weights[:, defined].sum(axis=1))

    hits, n_relevant = result.hits, result.n_relevant
    found: WeightedMetrics = _rating_metrics(result, weights)
    for k in CUTOFFS:
        found[f"ndcg@{k}"] = mean(ndcg(hits, n_relevant, k))
        found[f"recall@{k}"] = mean(recall(hits, n_relevant, k))
        found[f"map@{k}"] = mean(average_precision(hits, n_relevant, k))
    # Popularity-stratified recall with an exponent of a half (Steck 2011, section 3). What nobody
    # trained on lists has no such weight, so it is not among what could be found.
    found_weight = (items.rarity_weight[result.top_items] * hits)[:, :TOP_N].sum(axis=1)
    some = np.where(result.relevant_weight > 0, result.relevant_weight, np.nan)
    found["stratified_recall@10"] = mean(found_weight / some)
    found["new_ndcg@10"] = mean(ndcg(result.new_hits, result.n_new_relevant, 10))
    found["coverage"] = _catalogue_coverage(result, weights)

    shown = result.top_items[:, :TOP_N]
    is_item = shown >= 0
    is_recent = items.is_recent[shown] & is_item
    n_recent = result.n_recent_relevant
    found["recent_ndcg@10"] = mean(ndcg(hits[:, :TOP_N] & is_recent, n_recent, 10))
    found["among_recent_ndcg@10"] = mean(ndcg(result.among_recent_hits, n_recent, 10))
    of_now = weights * np.isfinite(result.recent_listed)
    found["recent_shown"] = _ratio(of_now @ is_recent.sum(axis=1), of_now @ is_item.sum(axis=1))
    found["recent_listed"] = mean(result.recent_listed)
    n_shown = weights @ is_item.sum(axis=1)
    surprise = np.where(
        is_item, -np.log2(np.maximum(items.list_count[shown], 1) / items.n_users), 0.0
    )
    found["novelty"] = _ratio(weights @ surprise.sum(axis=1), n_shown)
    found["median_popularity"] = _weighted_median(
        items.list_count[shown[is_item]].astype(np.float64), np.nonzero(is_item)[0], weights
    )
    n_seen = (result.is_seen_franchise[:, :TOP_N] & is_item).sum(axis=1)
    found["seen_franchise_share"] = _ratio(weights @ n_seen, n_shown)
    found["diversity"] = mean(intra_list_diversity(shown, items.genres))
    return found


def calibration_table(result: RankingResult) -> list[dict[str, float | int]]:
    """Mean predicted and given score where predictions fall into the same half point."""
    count, predicted, given = (part.sum(axis=0) for part in _calibration_bins(result))
    return [
        {"predicted": float(p / n), "given": float(g / n), "pairs": int(n)}
        for n, p, g in zip(count, predicted, given, strict=True)
        if n
    ]


def match_percentile_table(result: RankingResult) -> list[dict[str, float | int]]:
    """What became of all that may be shown, by tens of the match percentile that a user is told.

    ``candidates`` is how many anime fell between ``lower`` and ``upper`` percent, over all users;
    ``picked`` the share of them that was hidden, ``loved`` the share that was hidden with a score
    of 8 or more, and ``given`` the mean score of the hidden, NaN where none was. Empty for a
    ranking without percentiles; a bin that nothing fell into is left out.
    """
    width = round(PERCENT) // N_PERCENTILE_BINS
    candidates, picked, loved, given = (
        part.sum(axis=0).tolist()
        for part in (
            result.candidate_bins,
            result.picked_bins,
            result.loved_bins,
            result.given_bins,
        )
    )
    return [
        {
            "lower": width * at,
            "upper": width * (at + 1),
            "candidates": count,
            "picked": picked[at] / count,
            "loved": loved[at] / count,
            "given": given[at] / picked[at] if picked[at] else float("nan"),
        }
        for at, count in enumerate(candidates)
        if count
    ]


def _rating_metrics(result: RankingResult, weights: Float64Array) -> WeightedMetrics:
    """Rating error and calibration, over pairs."""
    p, g = result.predicted, result.actual
    deviation = np.abs(p - g)

    def total(of_pair: Float64Array) -> Float64Array:
        return np.asarray(weights @ np.bincount(result.pair_user, of_pair, weights.shape[1]))

    n = total(np.ones(len(p)))
    mean_p, mean_g = _ratio(total(p), n), _ratio(total(g), n)
    slope = _ratio(
        _ratio(total(p * g), n) - mean_p * mean_g, _ratio(total(p * p), n) - mean_p * mean_p
    )
    count, predicted, given = _calibration_bins(result)
    gap = np.abs(weights @ (given - predicted)).sum(axis=1)
    inside = np.where(np.isnan(result.expected_error), np.nan, deviation <= result.expected_error)
    return {
        "rmse": np.sqrt(_ratio(total(deviation**2), n)),
        "mae": _ratio(total(deviation), n),
        "calibration_slope": slope,
        "calibration_intercept": mean_g - slope * mean_p,
        "calibration_error": _ratio(gap, (weights @ count).sum(axis=1)),
        "within_expected_error": _ratio(total(inside), n),
    }


def _calibration_bins(result: RankingResult) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Pairs, and sums of predicted and of given scores, by user and half point, (users, bins)."""
    bin_index = np.nan_to_num((result.predicted - MIN_RATING) * BINS_PER_POINT).astype(np.int64)
    shape = (len(result.n_relevant), N_BINS)
    cell = result.pair_user * N_BINS + np.clip(bin_index, 0, N_BINS - 1)

    def total(of_pair: Float64Array) -> Float64Array:
        return np.asarray(np.bincount(cell, of_pair, shape[0] * shape[1]).reshape(shape))

    return total(np.ones(len(cell))), total(result.predicted), total(result.actual)


def _catalogue_coverage(result: RankingResult, weights: Float64Array) -> Float64Array:
    """How many anime stand in some weighted user's top ten."""
    shown = result.top_items[:, :TOP_N]
    user, _ = is_item = np.nonzero(shown >= 0)
    distinct, column = np.unique(shown[is_item], return_inverse=True)
    stands = csr_array((np.ones(len(user)), (column, user)), shape=(len(distinct), len(shown)))
    return np.asarray((stands @ (weights > 0).astype(np.float64).T > 0).sum(axis=0), np.float64)


def _weighted_median(value: Float64Array, user: Int64Array, weights: Float64Array) -> Float64Array:
    """Return the median over values, each repeated as often as its user's (whole) weight says."""
    order = np.argsort(value, kind="stable")
    value, user = value[order], user[order]
    medians = np.full(len(weights), np.nan)
    for row, weight in enumerate(weights):
        upto = np.cumsum(weight[user])
        if len(upto) and upto[-1] > 0:
            middle = np.array([(upto[-1] - 1) // 2, upto[-1] // 2])
            medians[row] = value[np.searchsorted(upto, middle, side="right")].mean()
    return medians


def _ratio(numerator: Float64Array, denominator: Float64Array) -> Float64Array:
    """NaN where there is nothing to divide by."""
    nothing = np.full(np.shape(numerator), np.nan)
    return np.asarray(np.divide(numerator, denominator, out=nothing, where=denominator > 0))
