"""From what a ranking showed to fans to how good it is, with bootstrap intervals over fans.

Every measure is computed for weighted fans: weights of one give the value, the counts of a resample
with replacement a bootstrap replicate. So an interval is one of exactly what is reported. The
formulas stand in `docs/evaluation.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from model_build.metrics import average_precision, ndcg, recall
from model_build.observing import HIGHEST, LOWEST, Anime, Observed

Floats = npt.NDArray[np.float64]
Measured = dict[str, Floats]

AT = (10, 20)
SHOWN = 10
BINS_A_POINT = 2
BINS = round((HIGHEST - LOWEST) * BINS_A_POINT)
RESAMPLES = 1000
COUNTS = ("coverage", "users", "pairs")


def report(observed: Observed, anime: Anime, *, seed: int = 0) -> dict[str, Any]:
    """The `values`, and two tables: ``calibration``, and ``ci`` with the `intervals`."""
    return {
        **values(observed, anime),
        "calibration": calibration(observed),
        "ci": intervals(observed, anime, seed=seed),
    }


def values(observed: Observed, anime: Anime) -> dict[str, float | int]:
    """The measures, NaN where there was nothing to measure."""
    fans = len(observed.relevant)
    once = measures(observed, anime, np.ones((1, fans)))
    found: dict[str, float | int] = {name: float(value[0]) for name, value in once.items()}
    found |= {"users": fans, "pairs": len(observed.given)}
    return {name: int(v) if name in COUNTS else v for name, v in found.items()}


def intervals(
    observed: Observed, anime: Anime, *, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, list[float]]:
    """95 % bootstrap intervals, [low, high]: fans are drawn with replacement (Efron 1979).

    A resample repeats fans and so always covers less than all of them do; the interval of the
    coverage is the spread of the resamples around their mean, moved to the coverage.
    """
    fans = len(observed.relevant)
    drawn = np.random.default_rng(seed).multinomial(fans, np.full(fans, 1 / fans), resamples)
    found = {}
    for name, sample in measures(observed, anime, drawn.astype(np.float64)).items():
        defined = sample[np.isfinite(sample)]
        low, high = np.quantile(defined, (0.025, 0.975)) if len(defined) else (np.nan, np.nan)
        if name == "coverage":
            shift = _coverage(observed, np.ones((1, fans)))[0] - defined.mean()
            low, high = low + shift, high + shift
        found[name] = [float(low), float(high)]
    return found


def measures(observed: Observed, anime: Anime, weights: Floats) -> Measured:
    """Every measure for rows of fans' weights (replicates, fans); each (replicates,)."""

    def mean(of_fan: Floats) -> Floats:
        defined = np.isfinite(of_fan)
        return _ratio(weights[:, defined] @ of_fan[defined], weights[:, defined].sum(axis=1))

    hits, relevant = observed.hits, observed.relevant
    found: Measured = _errors(observed, weights)
    for at in AT:
        found[f"ndcg@{at}"] = mean(ndcg(hits, relevant, at))
        found[f"recall@{at}"] = mean(recall(hits, relevant, at))
        found[f"map@{at}"] = mean(average_precision(hits, relevant, at))
    found["new_ndcg@10"] = mean(ndcg(observed.new_hits, observed.new_relevant, 10))
    found["coverage"] = _coverage(observed, weights)

    shown = observed.shown[:, :SHOWN]
    there = shown >= 0
    many = weights @ there.sum(axis=1)
    surprise = np.where(there, -np.log2(np.maximum(anime.lists[shown], 1) / anime.fans), 0.0)
    found["novelty"] = _ratio(weights @ surprise.sum(axis=1), many)
    found["median_popularity"] = _weighted_median(
        anime.lists[shown[there]].astype(np.float64), np.nonzero(there)[0], weights
    )
    of_seen = (observed.of_seen[:, :SHOWN] & there).sum(axis=1)
    found["seen_franchise_share"] = _ratio(weights @ of_seen, many)
    found["diversity"] = mean(diversity(shown, anime.genres))
    return found


def diversity(shown: npt.NDArray[np.int64], genres: npt.NDArray[np.bool_]) -> Floats:
    """Intra-list diversity, (F,): 1 minus the mean Jaccard similarity of the genres of all pairs.

    Anime without a genre are left out; a list of fewer than two others has no value. (Ziegler and
    others 2005; genres, because no ranking compared was trained on them.)
    """
    own = (genres[shown] & (shown >= 0)[:, :, None]).astype(np.float64)
    size = own.sum(axis=2)
    common = own @ own.transpose(0, 2, 1)
    either = size[:, :, None] + size[:, None, :] - common
    pair = (size[:, :, None] > 0) & (size[:, None, :] > 0) & ~np.eye(shown.shape[1], dtype=bool)
    similar = np.divide(common, either, out=np.zeros_like(common), where=pair)
    return 1.0 - _ratio(similar.sum(axis=(1, 2)), pair.sum(axis=(1, 2)).astype(np.float64))


def calibration(observed: Observed) -> list[dict[str, float | int]]:
    """Mean predicted and given score where predictions fall into the same half point."""
    count, predicted, given = (part.sum(axis=0) for part in _bins(observed))
    return [
        {"predicted": float(p / n), "given": float(g / n), "pairs": int(n)}
        for n, p, g in zip(count, predicted, given, strict=True)
        if n
    ]


def for_json(found: Mapping[str, object]) -> dict[str, object]:
    """NaN is no JSON: a measure that nothing could be measured for is null, at any depth."""

    def clean(value: object) -> object:
        if isinstance(value, Mapping):
            return {name: clean(part) for name, part in value.items()}
        if isinstance(value, list):
            return [clean(part) for part in value]
        return None if isinstance(value, float) and value != value else value

    return {name: clean(value) for name, value in found.items()}


def _errors(observed: Observed, weights: Floats) -> Measured:
    """Rating error and calibration, over pairs."""
    p, g = observed.predicted, observed.given
    deviation = np.abs(p - g)

    def total(of_pair: Floats) -> Floats:
        return np.asarray(weights @ np.bincount(observed.pair_fan, of_pair, weights.shape[1]))

    n = total(np.ones(len(p)))
    mean_p, mean_g = _ratio(total(p), n), _ratio(total(g), n)
    slope = _ratio(
        _ratio(total(p * g), n) - mean_p * mean_g, _ratio(total(p * p), n) - mean_p * mean_p
    )
    count, predicted, given = _bins(observed)
    gap = np.abs(weights @ (given - predicted)).sum(axis=1)
    inside = np.where(
        np.isnan(observed.expected_error), np.nan, deviation <= observed.expected_error
    )
    return {
        "rmse": np.sqrt(_ratio(total(deviation**2), n)),
        "mae": _ratio(total(deviation), n),
        "calibration_slope": slope,
        "calibration_intercept": mean_g - slope * mean_p,
        "calibration_error": _ratio(gap, (weights @ count).sum(axis=1)),
        "within_expected_error": _ratio(total(inside), n),
    }


def _bins(observed: Observed) -> tuple[Floats, Floats, Floats]:
    """Pairs, and sums of predicted and of given scores, by fan and half point, (F, bins) each."""
    place = np.nan_to_num((observed.predicted - LOWEST) * BINS_A_POINT).astype(np.int64)
    shape = (len(observed.relevant), BINS)
    cell = observed.pair_fan * BINS + np.clip(place, 0, BINS - 1)

    def total(of_pair: Floats) -> Floats:
        return np.asarray(np.bincount(cell, of_pair, shape[0] * shape[1]).reshape(shape))

    return total(np.ones(len(cell))), total(observed.predicted), total(observed.given)


def _coverage(observed: Observed, weights: Floats) -> Floats:
    """How many anime stand in some weighted fan's top ten."""
    shown = observed.shown[:, :SHOWN]
    fan, _ = there = np.nonzero(shown >= 0)
    distinct, column = np.unique(shown[there], return_inverse=True)
    stands = csr_array((np.ones(len(fan)), (column, fan)), shape=(len(distinct), len(shown)))
    return np.asarray((stands @ (weights > 0).astype(np.float64).T > 0).sum(axis=0), np.float64)


def _weighted_median(value: Floats, fan: npt.NDArray[np.int64], weights: Floats) -> Floats:
    """The median over values, each repeated as often as its fan's (whole) weight says."""
    order = np.argsort(value, kind="stable")
    value, fan = value[order], fan[order]
    medians = np.full(len(weights), np.nan)
    for row, weight in enumerate(weights):
        upto = np.cumsum(weight[fan])
        if len(upto) and upto[-1] > 0:
            middle = np.array([(upto[-1] - 1) // 2, upto[-1] // 2])
            medians[row] = value[np.searchsorted(upto, middle, side="right")].mean()
    return medians


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """NaN where there is nothing to divide by."""
    nothing = np.full(np.shape(numerator), np.nan)
    return np.asarray(np.divide(numerator, denominator, out=nothing, where=denominator > 0))
