"""The parts of a model: what was fitted, as the arrays and numbers that serving reads.

A part that is not there is one without anime in it: it predicts nothing, and costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from app.recommender import Model
from app.recommender.artifact import FORMAT_VERSION, DatasetInfo, Manifest, ModelArtifact
from model_build.data.grouping import count_entries_per_item
from model_build.data.ratings import Ratings
from model_build.train.affinity import mean_item_relevance
from model_build.train.bias_model import BiasModel
from model_build.train.score_model import (
    BIAS_REGULARISATION,
    STD_PRIOR_WEIGHT,
    GaussianFactorModel,
    StandardScores,
)

MatrixPrecision = Literal["exact", "compact"]
SCALAR_PREFIX = "number-"


@dataclass(frozen=True, slots=True)
class ModelArrays:
    """``arrays`` by file name, and ``numbers`` that go among the manifest's hyperparameters."""

    arrays: dict[str, npt.NDArray[Any]]
    scalars: dict[str, float]

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Arrays alone, to be kept; numbers are arrays of one element."""
        return {
            **self.arrays,
            **{
                f"{SCALAR_PREFIX}{name}": np.array([number])
                for name, number in self.scalars.items()
            },
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> ModelArrays:
        """What `flat` made arrays of."""
        return cls(
            {name: array for name, array in arrays.items() if not name.startswith(SCALAR_PREFIX)},
            {
                name.removeprefix(SCALAR_PREFIX): float(array[0])
                for name, array in arrays.items()
                if name.startswith(SCALAR_PREFIX)
            },
        )


def item_statistics_arrays(ratings: Ratings) -> ModelArrays:
    """What is counted rather than fitted."""
    n_items = len(ratings.anime_ids)
    arrays: dict[str, npt.NDArray[Any]] = {
        "anime_id": ratings.anime_ids,
        "rating_count": count_entries_per_item(ratings.item, n_items, ratings.rated_mask).astype(
            np.int32
        ),
        "entry_count": count_entries_per_item(ratings.item, n_items).astype(np.int32),
        "item_relevance": mean_item_relevance(ratings),
    }
    return ModelArrays(arrays, {})


def knn_arrays(
    bias_model: BiasModel, similarity: csr_array, precision: MatrixPrecision
) -> ModelArrays:
    """KNN with baseline; row i of ``similarity`` holds the neighbours of anime i."""
    arrays, scale = encode_item_matrix("similarity", similarity.T, precision)
    return ModelArrays(
        {"item_bias": bias_model.item_bias, **arrays},
        {"global_mean": bias_model.mean, "similarity_scale": scale},
    )


def score_model_arrays(
    standard_scores: StandardScores, similarity: csr_array, gaussian: GaussianFactorModel
) -> ModelArrays:
    """What sharpens predicted scores; row i of ``similarity`` holds the neighbours of anime i."""
    arrays, scale = encode_item_matrix("score_model_similarity", similarity.T, "compact")
    return ModelArrays(
        {
            "score_model_item_bias": standard_scores.item_bias,
            **arrays,
            "score_model_factor_position": gaussian.position,
            "score_model_item_factors": gaussian.factor.astype(np.float16),
            "score_model_noise_variance": gaussian.noise,
        },
        {
            "score_model_reg_user": BIAS_REGULARISATION,
            "score_model_score_std": standard_scores.overall_std,
            "score_model_score_std_weight": STD_PRIOR_WEIGHT,
            "score_model_constant_factor": float(np.sqrt(gaussian.user_bias_variance)),
            "score_model_similarity_scale": scale,
        },
    )


def affinity_arrays(full_history: csr_array, short_history: csr_array) -> ModelArrays:
    """Affinity; row j of each matrix is the anime on the list."""
    full, full_scale = encode_item_matrix("affinity", full_history, "compact")
    new, new_scale = encode_item_matrix("short_history", short_history, "compact")
    return ModelArrays(
        {**full, **new}, {"affinity_scale": full_scale, "short_history_scale": new_scale}
    )


def empty_knn_arrays(n_items: int, mean: float) -> ModelArrays:
    """Predicts the mean of all scores for everyone."""
    nothing = np.zeros(0)
    baselines = BiasModel(mean, nothing, np.zeros(n_items), nothing)
    return knn_arrays(baselines, _empty_item_matrix(n_items), "exact")


def empty_score_model_arrays(n_items: int) -> ModelArrays:
    """Predicts a visitor's level for every anime, and is as uncertain of each."""
    nothing = np.zeros(0)
    standard = StandardScores(np.zeros(n_items), nothing, nothing, nothing, 1.0)
    one = np.ones(1, np.float32)  # the Gaussian knows an anime at least
    gaussian = GaussianFactorModel(np.zeros(1, np.int32), np.zeros((1, 0), np.float32), one, 1.0)
    return score_model_arrays(standard, _empty_item_matrix(n_items), gaussian)


def empty_affinity_arrays(n_items: int) -> ModelArrays:
    """Matches nothing."""
    return affinity_arrays(_empty_item_matrix(n_items), _empty_item_matrix(n_items))


def build_in_memory_model(
    parts: tuple[ModelArrays, ...], counts: dict[str, int], settings: dict[str, float | int | str]
) -> Model:
    """A model that was never written, to be measured; it has no catalogue."""
    numbers = {name: number for part in parts for name, number in part.scalars.items()}
    manifest = Manifest(
        format=FORMAT_VERSION,
        version="in-memory",
        created="",
        dataset=DatasetInfo(name="in memory", fingerprint=""),
        counts=counts,
        hyperparameters={**settings, **numbers},
        metrics={},
        files={},
    )
    arrays = {name: array for part in parts for name, array in part.arrays.items()}
    return Model(ModelArtifact(Path("in-memory"), manifest, arrays))


def _empty_item_matrix(n_items: int) -> csr_array:
    return csr_array((n_items, n_items), dtype=np.float32)


def encode_item_matrix(
    name: str, by_source: csr_array, precision: MatrixPrecision
) -> tuple[dict[str, npt.NDArray[Any]], float]:
    """Arrays of a matrix as `app.recommender.arrays.ItemMatrix` reads it, and their scale.

    Row j holds what anime j on a list gives. ``exact`` keeps float32 values; ``compact`` rounds
    them to 16-bit steps of the largest one. What rounds to 0 says nothing and is left out.
    """
    by_source = by_source.tocsr(copy=True)
    by_source.sort_indices()
    narrow = np.uint16 if by_source.shape[0] <= np.iinfo(np.uint16).max else np.int32
    value, scale = by_source.data.astype(np.float32, copy=False), 1.0
    if precision == "compact" and len(value):
        signed = bool(value.min() < 0)
        steps = np.iinfo(np.int16 if signed else np.uint16).max
        scale = float(np.abs(value).max()) / steps
        value = np.rint(value / scale).astype(np.int16 if signed else np.uint16)
    by_source.data = value
    by_source.eliminate_zeros()
    return {
        f"{name}_indptr": by_source.indptr.astype(np.int64),
        f"{name}_indices": by_source.indices.astype(narrow),
        f"{name}_data": by_source.data,
    }, scale
