"""Train a model: ratings in, arrays and the facts about them out."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from model_build.affinity import (
    FULL_LISTS,
    NEWCOMERS,
    Regularisation,
    fit_affinities,
    mean_appeal,
)
from model_build.baselines import fit_baselines
from model_build.grouping import group_ratings
from model_build.ratings import Ratings
from model_build.similarity import pearson_baseline
from model_build.taste import REG, SPREAD_WEIGHT, fit_gaussian, standard_similarity, standardise

Precision = Literal["exact", "compact"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """What can be set about a model; defaults were chosen by `docs/model.md`'s measurements."""

    reg_user: float = 15.0
    reg_item: float = 10.0
    epochs: int = 10
    shrinkage: float = 100.0
    min_support: int = 1
    neighbours: int = 500
    k: int = 40
    precision: Precision = "exact"
    affinity_ridge: float = FULL_LISTS.ridge
    affinity_dropout: float = FULL_LISTS.dropout
    affinity_popularity: float = FULL_LISTS.popularity
    affinity_neighbours: int = 500
    newcomer_neighbours: int = 200
    taste_neighbours: int = 200
    taste_factors: int = 256


@dataclass(slots=True)
class Trained:
    """The arrays of a model by name, and what the manifest says of them."""

    arrays: dict[str, npt.NDArray[Any]]
    counts: dict[str, int]
    hyperparameters: dict[str, float | int | str]
    seconds: dict[str, float] = field(default_factory=dict)


def train(
    ratings: Ratings,
    settings: Hyperparameters,
    *,
    threads: int | None = None,
    progress: bool = False,
) -> Trained:
    """Fit everything that serving needs: KNN with baseline, affinity and taste."""
    seconds: dict[str, float] = {}
    running: dict[str, Any] = {"threads": threads, "progress": progress}

    def timed(step: str, work: Callable[[], T]) -> T:
        start = time.perf_counter()
        result = work()
        seconds[step] = time.perf_counter() - start
        return result

    scored = ratings.scored
    n_users, n_items = len(ratings.user_ids), len(ratings.anime_ids)
    grouped = timed(
        "grouping",
        lambda: group_ratings(
            ratings.user[scored], ratings.item[scored], ratings.rating[scored], n_users, n_items
        ),
    )
    baselines = timed(
        "baselines",
        lambda: fit_baselines(
            grouped,
            reg_user=settings.reg_user,
            reg_item=settings.reg_item,
            epochs=settings.epochs,
        ),
    )
    similarity = timed(
        "similarity",
        lambda: pearson_baseline(
            grouped,
            baselines.residual,
            shrinkage=settings.shrinkage,
            min_support=settings.min_support,
            neighbours=settings.neighbours,
            **running,
        ),
    )
    arrays, scales = {}, {}
    arrays["similarity"], scales["similarity"] = store_matrix(
        "similarity", similarity.T, settings.precision
    )
    del similarity
    standard = timed("standard scores", lambda: standardise(grouped))
    taste_similarity = timed(
        "taste similarity",
        lambda: standard_similarity(
            grouped, standard, neighbours=settings.taste_neighbours, **running
        ),
    )
    arrays["taste"], scales["taste_similarity"] = store_matrix(
        "taste_similarity", taste_similarity.T, "compact"
    )
    gaussian = timed(
        "taste factors",
        lambda: fit_gaussian(grouped, standard, factors=settings.taste_factors, **running),
    )
    full_lists = Regularisation(
        settings.affinity_ridge, settings.affinity_dropout, settings.affinity_popularity
    )
    affinity, newcomer = timed(
        "affinity",
        lambda: fit_affinities(
            ratings,
            [
                (full_lists, settings.affinity_neighbours),
                (NEWCOMERS, settings.newcomer_neighbours),
            ],
            **running,
        ),
    )
    arrays["affinity"], scales["affinity"] = store_matrix("affinity", affinity, "compact")
    arrays["newcomer"], scales["newcomer"] = store_matrix("newcomer", newcomer, "compact")
    return Trained(
        arrays={
            "anime_id": ratings.anime_ids,
            "item_bias": baselines.item_bias,
            "rating_count": np.bincount(ratings.item[scored], minlength=n_items).astype(np.int32),
            "entry_count": np.bincount(ratings.item, minlength=n_items).astype(np.int32),
            "appeal": mean_appeal(ratings),
            **arrays["similarity"],
            **arrays["affinity"],
            **arrays["newcomer"],
            "taste_item_bias": standard.item_bias,
            **arrays["taste"],
            "taste_position": gaussian.position,
            "taste_factor": gaussian.factor.astype(np.float16),
            "taste_noise": gaussian.noise,
        },
        counts={
            "fans": n_users,
            "anime": n_items,
            "entries": len(ratings),
            "ratings": int(scored.sum()),
            "similarities": len(arrays["similarity"]["similarity_value"]),
            "affinities": int(affinity.nnz),
        },
        hyperparameters={
            **asdict(settings),
            "mean": baselines.mean,
            "taste_reg_user": REG,
            "taste_spread": standard.mean_spread,
            "taste_spread_weight": SPREAD_WEIGHT,
            "taste_level_factor": float(np.sqrt(gaussian.level_variance)),
            **{f"{name}_scale": scale for name, scale in scales.items()},
        },
        seconds=seconds,
    )


def store_matrix(
    name: str, by_source: csr_array, precision: Precision
) -> tuple[dict[str, npt.NDArray[Any]], float]:
    """Arrays of a matrix as `app.recommender.model.ItemMatrix` reads it, and their scale.

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


def fingerprint(ratings: Ratings) -> str:
    """A sha256 of the ratings themselves, whatever kind of file they came in."""
    digest = hashlib.sha256()
    digest.update("\n".join(map(str, ratings.user_ids.to_list())).encode())
    for array in (ratings.anime_ids, ratings.user, ratings.item, ratings.rating, ratings.status):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def build_time() -> datetime:
    """Now, or what SOURCE_DATE_EPOCH says, for builds that must come out the same."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)


def model_version(created: datetime, dataset: str, settings: Hyperparameters) -> str:
    """A name that sorts by time and differs for other data or settings."""
    digest = hashlib.sha256(f"{dataset} {asdict(settings)}".encode()).hexdigest()
    return f"{created:%Y%m%dT%H%M%SZ}-{digest[:8]}"
