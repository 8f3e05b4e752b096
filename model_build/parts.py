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
from app.recommender.artifact import FORMAT, Artifact, Dataset, Manifest
from model_build.affinity import mean_appeal
from model_build.baselines import Baselines
from model_build.grouping import count_items
from model_build.ratings import Ratings
from model_build.taste import REG, SPREAD_WEIGHT, Gaussian, Standardised

Precision = Literal["exact", "compact"]
NUMBER = "number-"


@dataclass(frozen=True, slots=True)
class Part:
    """``arrays`` by file name, and ``numbers`` that go among the manifest's hyperparameters."""

    arrays: dict[str, npt.NDArray[Any]]
    numbers: dict[str, float]

    def flat(self) -> dict[str, npt.NDArray[Any]]:
        """Arrays alone, to be kept; numbers are arrays of one element."""
        return {
            **self.arrays,
            **{f"{NUMBER}{name}": np.array([number]) for name, number in self.numbers.items()},
        }

    @classmethod
    def of(cls, flat: Mapping[str, npt.NDArray[Any]]) -> Part:
        """What `flat` made arrays of."""
        return cls(
            {name: array for name, array in flat.items() if not name.startswith(NUMBER)},
            {
                name.removeprefix(NUMBER): float(array[0])
                for name, array in flat.items()
                if name.startswith(NUMBER)
            },
        )


def facts_part(ratings: Ratings) -> Part:
    """What is counted rather than fitted."""
    n_items = len(ratings.anime_ids)
    arrays: dict[str, npt.NDArray[Any]] = {
        "anime_id": ratings.anime_ids,
        "rating_count": count_items(ratings.item, n_items, ratings.scored).astype(np.int32),
        "entry_count": count_items(ratings.item, n_items).astype(np.int32),
        "appeal": mean_appeal(ratings),
    }
    return Part(arrays, {})


def knn_part(baselines: Baselines, similarity: csr_array, precision: Precision) -> Part:
    """KNN with baseline; row i of ``similarity`` holds the neighbours of anime i."""
    arrays, scale = store_matrix("similarity", similarity.T, precision)
    return Part(
        {"item_bias": baselines.item_bias, **arrays},
        {"mean": baselines.mean, "similarity_scale": scale},
    )


def taste_part(standard: Standardised, similarity: csr_array, gaussian: Gaussian) -> Part:
    """What sharpens predicted scores; row i of ``similarity`` holds the neighbours of anime i."""
    arrays, scale = store_matrix("taste_similarity", similarity.T, "compact")
    return Part(
        {
            "taste_item_bias": standard.item_bias,
            **arrays,
            "taste_position": gaussian.position,
            "taste_factor": gaussian.factor.astype(np.float16),
            "taste_noise": gaussian.noise,
        },
        {
            "taste_reg_user": REG,
            "taste_spread": standard.mean_spread,
            "taste_spread_weight": SPREAD_WEIGHT,
            "taste_level_factor": float(np.sqrt(gaussian.level_variance)),
            "taste_similarity_scale": scale,
        },
    )


def affinity_part(full_lists: csr_array, newcomers: csr_array) -> Part:
    """Affinity; row j of each matrix is the anime on the list."""
    full, full_scale = store_matrix("affinity", full_lists, "compact")
    new, new_scale = store_matrix("newcomer", newcomers, "compact")
    return Part({**full, **new}, {"affinity_scale": full_scale, "newcomer_scale": new_scale})


def no_knn(n_items: int, mean: float) -> Part:
    """Predicts the mean of all scores for everyone."""
    nothing = np.zeros(0)
    baselines = Baselines(mean, nothing, np.zeros(n_items), nothing)
    return knn_part(baselines, _empty(n_items), "exact")


def no_taste(n_items: int) -> Part:
    """Predicts a visitor's level for every anime, and is as uncertain of each."""
    nothing = np.zeros(0)
    standard = Standardised(np.zeros(n_items), nothing, nothing, nothing, 1.0)
    one = np.ones(1, np.float32)  # the Gaussian knows an anime at least
    gaussian = Gaussian(np.zeros(1, np.int32), np.zeros((1, 0), np.float32), one, 1.0)
    return taste_part(standard, _empty(n_items), gaussian)


def no_affinity(n_items: int) -> Part:
    """Matches nothing."""
    return affinity_part(_empty(n_items), _empty(n_items))


def model_in_memory(
    parts: tuple[Part, ...], counts: dict[str, int], settings: dict[str, float | int | str]
) -> Model:
    """A model that was never written, to be measured; it has no catalogue."""
    numbers = {name: number for part in parts for name, number in part.numbers.items()}
    manifest = Manifest(
        format=FORMAT,
        version="in-memory",
        created="",
        dataset=Dataset(name="in memory", fingerprint=""),
        counts=counts,
        hyperparameters={**settings, **numbers},
        metrics={},
        files={},
    )
    arrays = {name: array for part in parts for name, array in part.arrays.items()}
    return Model(Artifact(Path("in-memory"), manifest, arrays))


def _empty(n_items: int) -> csr_array:
    return csr_array((n_items, n_items), dtype=np.float32)


def store_matrix(
    name: str, by_source: csr_array, precision: Precision
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
        f"{name}_start": by_source.indptr.astype(np.int64),
        f"{name}_target": by_source.indices.astype(narrow),
        f"{name}_value": by_source.data,
    }, scale
