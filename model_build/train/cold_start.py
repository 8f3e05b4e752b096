"""Cold start: parameters of anime that are too new to have been rated, from their features.

The features of an anime (genres, studios, type, year, length and so on; `encode_item_features`) are
mapped to its parameters by ridge regression over the anime with ratings: with X the features and T
the parameters of those anime,

    W = argmin || D (T - X W) ||^2 + ridge ||W||^2,   and x W for a cold anime.

Its columns of the affinity are predicted in this way, its bias, and its factors of the Gaussian. D
weighs the anime by their ratings for the latter two, so that a score is predicted best. Of the
affinity only a share counts: facts tell what an anime is about, not how many will want it. Recent
anime that few could list yet get a share of such columns, too. What such an anime speaks for on a
short list, its row, is predicted alike from the rows of the others. What an anime continues, or
what continues it, adds to that (`model_build.train.item_facts.add_story_affinity`).

What the features cannot explain stays as noise: leave-one-out residuals of the ridge regression,
(T - X W)_i / (1 - H_ii), widen the stated uncertainty of the cold anime.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from app.recommender.array_types import Float64Array, Int32Array, Int64Array
from model_build.train.affinity import MIN_ENTRIES
from model_build.train.score_model import (
    BIAS_REGULARISATION,
    MIN_CORE_RATINGS,
    GaussianFactorModel,
    StandardScores,
)

FEATURE_RIDGE = 100.0
MIN_FEATURE_COUNT = 20
"""Rated anime that must have a feature for its weight to be fitted."""
MAX_COLD_NEIGHBOURS = 200
"""Affinities that a cold anime has at most."""
MAX_COLD_INPUTS = 30
"""Anime that a cold one speaks for at most."""
BLOCK_ITEMS = 512
_MULTI_VALUE_COLUMNS = ("genres", "themes", "demographics", "studios", "tags")
_CATEGORICAL_COLUMNS = ("type", "source")


def encode_item_features(catalogue: pl.DataFrame, anime_ids: Int32Array) -> Float64Array:
    """Encode features of ``anime_ids`` (n,) as zeros and ones (n, f), the first of them always one.

    A year stands for its lustrum, a length for its power of two.
    """
    wanted = pl.DataFrame({"anime_id": anime_ids}, schema={"anime_id": pl.Int64})
    found = wanted.join(
        catalogue.with_columns(pl.col("anime_id").cast(pl.Int64)),
        on="anime_id",
        how="left",
        maintain_order="left",
    )
    kinds: dict[str, list[int]] = {"": list(range(len(anime_ids)))}
    for name, extract in _FEATURE_EXTRACTORS.items():
        if name in found.columns:
            for at, value in enumerate(found[name].to_list()):
                for feature in () if value is None else extract(value):
                    kinds.setdefault(f"{name} {feature}", []).append(at)
    matrix = np.zeros((len(anime_ids), len(kinds)))
    for column, where in enumerate(kinds.values()):
        matrix[where, column] = 1.0
    return matrix


def _split_values(text: str) -> Iterable[str]:
    return filter(None, text.split(";"))


_FEATURE_EXTRACTORS: dict[str, Callable[..., Iterable[str]]] = {
    **dict.fromkeys(_MULTI_VALUE_COLUMNS, _split_values),
    **dict.fromkeys(_CATEGORICAL_COLUMNS, lambda word: [word.upper()]),
    "year": lambda year: [str(year // 5)],
    "episodes": lambda count: [str(int(np.log2(count)))] if count > 0 else [],
}


def new_item_ids(catalogue: pl.DataFrame, since: int) -> pl.Series:
    """Find the anime of ``since`` or later of which type and genres are known."""
    if not {"type", "genres", "year"} <= set(catalogue.columns):
        return pl.Series("anime_id", [], pl.Int64)
    described = pl.col("type").is_not_null() & (pl.col("genres").fill_null("") != "")
    return catalogue.filter(described & (pl.col("year") >= since))["anime_id"].sort()


class ColdStartRegressor:
    """Ridge regression from features, fitted to the ``known`` (m,) items, for the ``cold`` (k,).

    ``sample_weight`` (m,) says how much each counts; without it all count the same.
    """

    def __init__(
        self,
        features: Float64Array,
        known: Int64Array,
        cold: Int64Array,
        sample_weight: Int64Array | None = None,
    ) -> None:
        common = features[known].sum(axis=0) >= MIN_FEATURE_COUNT
        common[0] = True  # the constant
        self.known, self.cold = known, cold
        self.known_features = features[known][:, common]
        self.cold_features = features[cold][:, common]
        self.sample_weight = (
            np.ones(len(known)) if sample_weight is None else sample_weight / sample_weight.mean()
        )
        gram = self.known_features.T @ (self.sample_weight[:, None] * self.known_features)
        self.inverse_gram = np.linalg.inv(gram + FEATURE_RIDGE * np.eye(len(gram)))

    def predict(self, target: Float64Array) -> tuple[Float64Array, float]:
        """Predict parameters (k, t) of the cold items from those of the known ones, (m, t).

        Also returns the mean square of the leave-one-out errors, summed over t.
        """
        weights = self.inverse_gram @ (
            self.known_features.T @ (self.sample_weight[:, None] * target)
        )
        left = target - self.known_features @ weights
        own = (
            np.einsum("if,fg,ig->i", self.known_features, self.inverse_gram, self.known_features)
            * self.sample_weight
        )
        errors = ((left / (1.0 - own)[:, None]) ** 2).sum(axis=1)
        return self.cold_features @ weights, float(np.average(errors, weights=self.sample_weight))


def predict_cold_biases(
    regressor: ColdStartRegressor, bias: Float64Array, ratings: Int64Array
) -> tuple[Float64Array, float]:
    """Predict the cold items' biases among all (n,), and the mean squared error of that.

    A bias is fitted as if beside `BIAS_REGULARISATION` ratings of bias 0. A cold item gets the
    predicted bias there instead: with ``ratings`` (n,) of its own, b + predicted reg / (reg +
    ratings).
    """
    found, error = regressor.predict(bias[regressor.known][:, None])
    predicted = bias.copy()
    predicted[regressor.cold] += found[:, 0] * (
        BIAS_REGULARISATION / (BIAS_REGULARISATION + ratings[regressor.cold])
    )
    return predicted, error


def predict_cold_factors(
    regressor: ColdStartRegressor, gaussian: GaussianFactorModel, bias_variance: float
) -> GaussianFactorModel:
    """Add the cold items to the Gaussian; their noise holds what the features do not explain.

    None is close to another. The regressor is fitted to the items of the Gaussian;
    ``bias_variance`` is that of the predicted biases, in squared standard scores.
    """
    factor, error = regressor.predict(gaussian.factor.astype(np.float64))
    usual = float(np.average(gaussian.noise, weights=regressor.sample_weight))
    noise = np.full(len(factor), usual + error + bias_variance, np.float32)
    position = np.concatenate([gaussian.position, regressor.cold.astype(np.int32)])
    order = np.argsort(position)
    m = len(position)
    close = gaussian.close.copy()
    close.resize((m, m))
    return replace(
        gaussian,
        close=csr_array(close[order][:, order]),
        position=position[order],
        factor=np.concatenate([gaussian.factor, factor.astype(np.float32)])[order],
        noise=np.concatenate([gaussian.noise, noise])[order],
    )


def predict_cold_affinity(
    regressor: ColdStartRegressor,
    matrix: csr_array,
    weight: Float64Array,
    entry_count: Int64Array,
    n_neighbours: int = MAX_COLD_NEIGHBOURS,
) -> csr_array:
    """Add the cold items' columns to an affinity, row j on the list, i recommended.

    Parameters
    ----------
    matrix
        (n, n); other columns do not change.
    weight
        (k,) by cold item, how much of its predicted column it gets.
    entry_count
        (n,), on how many lists an item is.
    n_neighbours
        Predicted weights that are kept of a column, those that most is lost without: the square of
        a weight, times how many lists have its item. (By their size alone it would be items that
        are on nobody's list.)
    """
    completed = matrix + _predict_columns(regressor, matrix, weight, entry_count, n_neighbours)
    completed.eliminate_zeros()
    completed.sort_indices()
    return completed


def predict_cold_inputs(
    regressor: ColdStartRegressor,
    matrix: csr_array,
    weight: Float64Array,
    entry_count: Int64Array,
    n_neighbours: int,
) -> csr_array:
    """Return what is to be added to the cold items' rows of an affinity, (n, n).

    Parameters are those of `predict_cold_affinity`, of which this is the transpose. Of what an item
    speaks for, what hardly anybody listed is found least, so that least is lost without it.
    """
    columns = matrix.T.tocsr()
    rows = _predict_columns(regressor, columns, weight, entry_count, n_neighbours).T.tocsr()
    rows.eliminate_zeros()
    return rows


def _predict_columns(
    regressor: ColdStartRegressor,
    matrix: csr_array,
    weight: Float64Array,
    entry_count: Int64Array,
    n_neighbours: int,
) -> csr_array:
    of_rows = (
        np.asarray(matrix[:, regressor.known] @ regressor.known_features) @ regressor.inverse_gram
    )
    of_rows = of_rows[regressor.known]
    n_neighbours = min(n_neighbours, len(of_rows))
    lists = entry_count[regressor.known, None]
    cells: list[tuple[Float64Array, Int64Array, Int64Array]] = []
    for first in range(0, len(regressor.cold), BLOCK_ITEMS):
        block = regressor.cold[first : first + BLOCK_ITEMS]
        predicted = of_rows @ regressor.cold_features[first : first + BLOCK_ITEMS].T
        predicted *= weight[first : first + BLOCK_ITEMS]
        predicted[regressor.known[:, None] == block] = 0.0  # nothing speaks for itself
        lost = lists * predicted**2
        best = np.argpartition(-lost, n_neighbours - 1, axis=0)[:n_neighbours]
        value = np.take_along_axis(predicted, best, axis=0)
        cells.append(
            (value.ravel("F"), regressor.known[best].ravel("F"), np.repeat(block, n_neighbours))
        )
    if not cells:
        return csr_array(matrix.shape, dtype=np.float32)
    value, row, column = (np.concatenate(parts) for parts in zip(*cells, strict=True))
    return csr_array((value, (row, column)), shape=matrix.shape, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class FittedComponents:
    """The parts of a model that cold items are added to."""

    standard_scores: StandardScores
    gaussian: GaussianFactorModel
    affinity: csr_array
    short_history_affinity: csr_array
    little_known_affinity: csr_array


def predict_cold_items(
    features: Float64Array,
    cold: Int64Array,
    fitted: FittedComponents,
    *,
    rating_count: Int64Array,
    entry_count: Int64Array,
    facts_weight: Float64Array,
    input_weight: Float64Array,
    min_entries: int = MIN_ENTRIES,
    n_neighbours: int = MAX_COLD_NEIGHBOURS,
    n_input_neighbours: int = MAX_COLD_INPUTS,
) -> FittedComponents:
    """Predict the parameters of the items at positions ``cold`` (k,) from their features.

    Parameters
    ----------
    rating_count, entry_count
        (n_items,); items on ``min_entries`` lists have affinities of their own.
    facts_weight
        (n_items,), how much of the affinities that its features lead to expect an item gets: cold
        ones, and others to which they are added.
    input_weight
        (n_items,), 0 where ``facts_weight`` is: how much of what its features lead to expect an
        item speaks for on a short list.
    """
    rated = np.flatnonzero(rating_count >= MIN_CORE_RATINGS)
    listed = np.flatnonzero(entry_count >= min_entries)
    if not (len(rated) and len(listed)):
        return fitted
    by_lists = ColdStartRegressor(features, listed, np.flatnonzero(facts_weight))
    weight = facts_weight[by_lists.cold]
    full, short = (
        predict_cold_affinity(by_lists, matrix, weight, entry_count, n_neighbours)
        for matrix in (fitted.affinity, fitted.short_history_affinity)
    )
    weight = input_weight[by_lists.cold]
    matrix = fitted.short_history_affinity
    short = short + predict_cold_inputs(by_lists, matrix, weight, entry_count, n_input_neighbours)
    fitted = replace(fitted, affinity=full, short_history_affinity=short)
    if not len(cold):
        return fitted
    standard, gaussian = fitted.standard_scores, fitted.gaussian
    modelled = gaussian.position.astype(np.int64)
    # Scores are predicted, so every score counts; an affinity is a column an item.
    by_scores = ColdStartRegressor(features, rated, cold, rating_count[rated])
    # What the Gaussian knows by a few scores it goes on to know by these.
    unmodelled = np.setdiff1d(cold, modelled)
    of_gaussian = ColdStartRegressor(features, modelled, unmodelled, rating_count[modelled])
    bias, error = predict_cold_biases(by_scores, standard.item_bias, rating_count)
    return replace(
        fitted,
        standard_scores=replace(standard, item_bias=bias),
        gaussian=predict_cold_factors(of_gaussian, gaussian, error / standard.overall_std**2),
    )
