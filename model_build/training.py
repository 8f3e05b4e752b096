"""Train a model: ratings in, arrays and the facts about them out."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from model_build.affinity import FULL_LISTS, NEWCOMERS, Regularisation, fit_affinities
from model_build.baselines import fit_baselines
from model_build.fresh import Facts, Fitted, place
from model_build.grouping import group_ratings
from model_build.parts import Precision, affinity_part, facts_part, knn_part, taste_part
from model_build.ratings import Ratings
from model_build.similarity import pearson_baseline
from model_build.taste import SHRINKAGE, fit_gaussian, standard_similarity, standardise

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
    affinity_neighbours: int = 800
    newcomer_neighbours: int = 200
    taste_neighbours: int = 200
    taste_shrinkage: float = SHRINKAGE
    taste_factors: int = 256
    fresh_neighbours: int = 200


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
    facts: Facts | None = None,
    fresh: npt.NDArray[np.int64] | None = None,
    threads: int | None = None,
    progress: bool = False,
) -> Trained:
    """Fit everything that serving needs: KNN with baseline, affinity and taste.

    ``fresh`` are positions of anime that get their place from ``facts`` (`model_build.fresh`);
    in KNN with baseline they have none.
    """
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
    knn = knn_part(baselines, similarity, settings.precision)
    del similarity
    standard = timed("standard scores", lambda: standardise(grouped))
    taste_similarity = timed(
        "taste similarity",
        lambda: standard_similarity(
            grouped,
            standard,
            neighbours=settings.taste_neighbours,
            shrinkage=settings.taste_shrinkage,
            **running,
        ),
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
    fitted = Fitted(standard, gaussian, affinity, newcomer)
    counted = facts_part(ratings)
    if facts is not None and fresh is not None:
        fitted = timed(
            "fresh anime",
            lambda: place(
                facts,
                fresh,
                fitted,
                rating_count=counted.arrays["rating_count"].astype(np.int64),
                entry_count=counted.arrays["entry_count"].astype(np.int64),
                keep=settings.fresh_neighbours,
            ),
        )
    taste = taste_part(fitted.standard, taste_similarity, fitted.gaussian)
    parts = (counted, knn, taste, affinity_part(fitted.affinity, fitted.newcomer))
    return Trained(
        arrays={name: array for part in parts for name, array in part.arrays.items()},
        counts={
            "fans": n_users,
            "anime": n_items,
            "entries": len(ratings),
            "ratings": int(scored.sum()),
            "similarities": len(knn.arrays["similarity_value"]),
            "affinities": int(fitted.affinity.nnz),
            "fresh": 0 if fresh is None else len(fresh),
        },
        hyperparameters={
            **asdict(settings),
            **{name: number for part in parts for name, number in part.numbers.items()},
        },
        seconds=seconds,
    )


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
