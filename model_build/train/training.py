"""Train a model: ratings in, arrays and the facts about them out."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from app.recommender.array_types import Int64Array
from model_build.data.ratings import Ratings
from model_build.train.checkpoints import CheckpointStore
from model_build.train.cold_start import FittedComponents, ItemFeatures, predict_cold_items
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.model_arrays import (
    ModelArrays,
    affinity_arrays,
    item_statistics_arrays,
    score_model_arrays,
)
from model_build.train.training_stages import TrainingStages


@dataclass(slots=True)
class TrainedModel:
    """The arrays of a model by name, and what the manifest says of them."""

    arrays: dict[str, npt.NDArray[Any]]
    counts: dict[str, int]
    hyperparameters: dict[str, float | int | str]
    seconds: dict[str, float] = field(default_factory=dict)


def train_model(
    ratings: Ratings,
    hyperparameters: Hyperparameters,
    *,
    item_features: ItemFeatures | None = None,
    cold_items: Int64Array | None = None,
    threads: int | None = None,
    progress: bool = False,
    checkpoints: CheckpointStore | None = None,
) -> TrainedModel:
    """Fit everything that serving needs: KNN with baseline, affinity and taste.

    ``fresh`` are positions of anime that get their place from ``facts`` (`model_build.train.cold_start`);
    in KNN with baseline they have none. Finished stages are kept by ``checkpoints``, if any.
    """
    stages = TrainingStages(
        ratings,
        hyperparameters,
        checkpoints or CheckpointStore(None),
        threads=threads,
        progress=progress,
    )
    knn = stages.fit_knn()
    standard, taste_similarity = stages.fit_score_similarity()
    gaussian = stages.fit_gaussian()
    stages.release_shared()
    fitted = FittedComponents(
        standard, gaussian, stages.fit_affinity(), stages.fit_short_history_affinity()
    )
    return assemble_model(
        item_statistics_arrays(ratings),
        knn,
        taste_similarity,
        fitted,
        hyperparameters,
        len(ratings.user_ids),
        item_features=item_features,
        cold_items=cold_items,
        seconds=stages.seconds,
    )


def assemble_model(
    item_statistics: ModelArrays,
    knn: ModelArrays,
    score_similarity: csr_array,
    fitted: FittedComponents,
    hyperparameters: Hyperparameters,
    n_users: int,
    *,
    item_features: ItemFeatures | None,
    cold_items: Int64Array | None,
    seconds: dict[str, float],
) -> TrainedModel:
    """Place the fresh anime, if there are any, and put all parts together."""
    ratings, entries = item_statistics.arrays["rating_count"], item_statistics.arrays["entry_count"]
    if item_features is not None and cold_items is not None:
        start = time.perf_counter()
        fitted = predict_cold_items(
            item_features,
            cold_items,
            fitted,
            rating_count=ratings.astype(np.int64),
            entry_count=entries.astype(np.int64),
            min_entries=hyperparameters.affinity_min_entries(n_users),
            n_neighbours=hyperparameters.fresh_neighbours,
        )
        seconds["fresh anime"] = time.perf_counter() - start
    taste = score_model_arrays(fitted.standard_scores, score_similarity, fitted.gaussian)
    parts = (
        item_statistics,
        knn,
        taste,
        affinity_arrays(fitted.affinity, fitted.short_history_affinity),
    )
    return TrainedModel(
        arrays={name: array for part in parts for name, array in part.arrays.items()},
        counts={
            "fans": n_users,
            "anime": len(entries),
            "entries": int(entries.sum()),
            "ratings": int(ratings.sum()),
            "similarities": len(knn.arrays["similarity_data"]),
            "affinities": int(fitted.affinity.nnz),
            "fresh": 0 if cold_items is None else len(cold_items),
        },
        hyperparameters={
            **asdict(hyperparameters),
            **{name: number for part in parts for name, number in part.scalars.items()},
        },
        seconds=seconds,
    )


def ratings_fingerprint(ratings: Ratings) -> str:
    """A sha256 of the ratings themselves, whatever kind of file they came in."""
    digest = hashlib.sha256()
    digest.update("\n".join(map(str, ratings.user_ids.to_list())).encode())
    for array in (ratings.anime_ids, ratings.user, ratings.item, ratings.rating, ratings.status):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def build_timestamp() -> datetime:
    """Now, or what SOURCE_DATE_EPOCH says, for builds that must come out the same."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)


def make_model_version(created: datetime, dataset: str, hyperparameters: Hyperparameters) -> str:
    """A name that sorts by time and differs for other data or settings."""
    digest = hashlib.sha256(f"{dataset} {asdict(hyperparameters)}".encode()).hexdigest()
    return f"{created:%Y%m%dT%H%M%SZ}-{digest[:8]}"
