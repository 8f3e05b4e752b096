"""From what a ranking showed to fans to how good it is, with bootstrap intervals over fans.

Every measure is computed for weighted fans: weights of one give the value, the counts of a resample
with replacement a bootstrap replicate. So an interval is one of exactly what is reported. The
formulas stand in `docs/evaluation.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from app.recommender.array_types import BoolArray, Float64Array, Int64Array
from model_build.evaluate.ranking_metrics import average_precision, ndcg, recall
from model_build.evaluate.ranking_results import (
    MAX_RATING,
    MIN_RATING,
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


def metrics_report(
    result: RankingResult, items: EvaluationItems, *, seed: int = 0
) -> dict[str, Any]:
    """The `values`, and two tables: ``calibration``, and ``ci`` with the `intervals`."""
    return {
        **summary(result, items),
        "calibration": calibration_table(result),
        "ci": bootstrap_intervals(result, items, seed=seed),
    }


def summary(result: RankingResult, items: EvaluationItems) -> dict[str, float | int]:
    """The measures, NaN where there was nothing to measure."""
    fans = len(result.n_relevant)
    once = weighted_metrics(result, items, np.ones((1, fans)))
    found: dict[str, float | int] = {name: float(value[0]) for name, value in once.items()}
    found |= {"users": fans, "pairs": len(result.actual)}
    return {name: int(v) if name in COUNT_METRICS else v for name, v in found.items()}


def bootstrap_intervals(
    result: RankingResult, items: EvaluationItems, *, seed: int = 0, resamples: int = N_RESAMPLES
) -> dict[str, list[float]]:
    """95 % bootstrap intervals, [low, high]: fans are drawn with replacement (Efron 1979).

    A resample repeats fans and so always covers less than all of them do; the interval of the
    coverage is the spread of the resamples around their mean, moved to the coverage.
    """
    fans = len(result.n_relevant)
    drawn = np.random.default_rng(seed).multinomial(fans, np.full(fans, 1 / fans), resamples)
    found = {}
    for name, sample in weighted_metrics(result, items, drawn.astype(np.float64)).items():
        defined = sample[np.isfinite(sample)]
        low, high = np.quantile(defined, (0.025, 0.975)) if len(defined) else (np.nan, np.nan)
        if name == "coverage":
            shift = _catalogue_coverage(result, np.ones((1, fans)))[0] - defined.mean()
            low, high = low + shift, high + shift
        found[name] = [float(low), float(high)]
    return found


def weighted_metrics(
    result: RankingResult, items: EvaluationItems, weights: Float64Array
) -> WeightedMetrics:
    """Every measure for rows of fans' weights (replicates, fans); each (replicates,)."""

    def mean(of_fan: Float64Array) -> Float64Array:
        defined = np.isfinite(of_fan)
        return _ratio(weights[:, defined] @ of_fan[defined], weights[:, defined].sum(axis=1))

    hits, relevant = result.hits, result.n_relevant
    found: WeightedMetrics = _rating_metrics(result, weights)
    for at in CUTOFFS:
        found[f"ndcg@{at}"] = mean(ndcg(hits, relevant, at))
        found[f"recall@{at}"] = mean(recall(hits, relevant, at))
        found[f"map@{at}"] = mean(average_precision(hits, relevant, at))
    found["new_ndcg@10"] = mean(ndcg(result.new_hits, result.n_new_relevant, 10))
    found["coverage"] = _catalogue_coverage(result, weights)

    shown = result.top_items[:, :TOP_N]
    there = shown >= 0
    many = weights @ there.sum(axis=1)
    surprise = np.where(
        there, -np.log2(np.maximum(items.list_count[shown], 1) / items.n_users), 0.0
    )
    found["novelty"] = _ratio(weights @ surprise.sum(axis=1), many)
    found["median_popularity"] = _weighted_median(
        items.list_count[shown[there]].astype(np.float64), np.nonzero(there)[0], weights
    )
    of_seen = (result.is_seen_franchise[:, :TOP_N] & there).sum(axis=1)
    found["seen_franchise_share"] = _ratio(weights @ of_seen, many)
    found["diversity"] = mean(intra_list_diversity(shown, items.genres))
    return found


def intra_list_diversity(top_items: Int64Array, genres: BoolArray) -> Float64Array:
    """Intra-list diversity, (F,): 1 minus the mean Jaccard similarity of the genres of all pairs.

    Anime without a genre are left out; a list of fewer than two others has no value. (Ziegler and
    others 2005; genres, because no ranking compared was trained on them.)
    """
    own = (genres[top_items] & (top_items >= 0)[:, :, None]).astype(np.float64)
    size = own.sum(axis=2)
    common = own @ own.transpose(0, 2, 1)
    either = size[:, :, None] + size[:, None, :] - common
    pair = (size[:, :, None] > 0) & (size[:, None, :] > 0) & ~np.eye(top_items.shape[1], dtype=bool)
    similar = np.divide(common, either, out=np.zeros_like(common), where=pair)
    return 1.0 - _ratio(similar.sum(axis=(1, 2)), pair.sum(axis=(1, 2)).astype(np.float64))


def calibration_table(result: RankingResult) -> list[dict[str, float | int]]:
    """Mean predicted and given score where predictions fall into the same half point."""
    count, predicted, given = (part.sum(axis=0) for part in _calibration_bins(result))
    return [
        {"predicted": float(p / n), "given": float(g / n), "pairs": int(n)}
        for n, p, g in zip(count, predicted, given, strict=True)
        if n
    ]


def nan_to_null(found: Mapping[str, object]) -> dict[str, object]:
    """NaN is no JSON: a measure that nothing could be measured for is null, at any depth."""

    def clean(value: object) -> object:
        if isinstance(value, Mapping):
            return {name: clean(part) for name, part in value.items()}
        if isinstance(value, list):
            return [clean(part) for part in value]
        return None if isinstance(value, float) and value != value else value

    return {name: clean(value) for name, value in found.items()}


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
    """Pairs, and sums of predicted and of given scores, by fan and half point, (F, bins) each."""
    place = np.nan_to_num((result.predicted - MIN_RATING) * BINS_PER_POINT).astype(np.int64)
    shape = (len(result.n_relevant), N_BINS)
    cell = result.pair_user * N_BINS + np.clip(place, 0, N_BINS - 1)

    def total(of_pair: Float64Array) -> Float64Array:
        return np.asarray(np.bincount(cell, of_pair, shape[0] * shape[1]).reshape(shape))

    return total(np.ones(len(cell))), total(result.predicted), total(result.actual)


def _catalogue_coverage(result: RankingResult, weights: Float64Array) -> Float64Array:
    """How many anime stand in some weighted fan's top ten."""
    shown = result.top_items[:, :TOP_N]
    fan, _ = there = np.nonzero(shown >= 0)
    distinct, column = np.unique(shown[there], return_inverse=True)
    stands = csr_array((np.ones(len(fan)), (column, fan)), shape=(len(distinct), len(shown)))
    return np.asarray((stands @ (weights > 0).astype(np.float64).T > 0).sum(axis=0), np.float64)


def _weighted_median(value: Float64Array, user: Int64Array, weights: Float64Array) -> Float64Array:
    """The median over values, each repeated as often as its fan's (whole) weight says."""
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
