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

from model_build.checkpoints import Checkpoints
from model_build.fresh import Facts, Fitted, place
from model_build.hyperparameters import Hyperparameters as Hyperparameters  # where it is looked for
from model_build.parts import Part, affinity_part, facts_part, taste_part
from model_build.ratings import Ratings
from model_build.stages import Stages


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
    checkpoints: Checkpoints | None = None,
) -> Trained:
    """Fit everything that serving needs: KNN with baseline, affinity and taste.

    ``fresh`` are positions of anime that get their place from ``facts`` (`model_build.fresh`);
    in KNN with baseline they have none. Finished stages are kept by ``checkpoints``, if any.
    """
    stages = Stages(
        ratings, settings, checkpoints or Checkpoints(None), threads=threads, progress=progress
    )
    knn = stages.knn()
    standard, taste_similarity = stages.taste_similarity()
    gaussian = stages.gaussian()
    stages.forget()
    fitted = Fitted(standard, gaussian, stages.affinity(), stages.newcomer())
    return assemble(
        facts_part(ratings),
        knn,
        taste_similarity,
        fitted,
        settings,
        len(ratings.user_ids),
        facts=facts,
        fresh=fresh,
        seconds=stages.seconds,
    )


def assemble(
    counted: Part,
    knn: Part,
    taste_similarity: csr_array,
    fitted: Fitted,
    settings: Hyperparameters,
    fans: int,
    *,
    facts: Facts | None,
    fresh: npt.NDArray[np.int64] | None,
    seconds: dict[str, float],
) -> Trained:
    """Place the fresh anime, if there are any, and put all parts together."""
    ratings, entries = counted.arrays["rating_count"], counted.arrays["entry_count"]
    if facts is not None and fresh is not None:
        start = time.perf_counter()
        fitted = place(
            facts,
            fresh,
            fitted,
            rating_count=ratings.astype(np.int64),
            entry_count=entries.astype(np.int64),
            min_entries=settings.lists_needed(fans),
            keep=settings.fresh_neighbours,
        )
        seconds["fresh anime"] = time.perf_counter() - start
    taste = taste_part(fitted.standard, taste_similarity, fitted.gaussian)
    parts = (counted, knn, taste, affinity_part(fitted.affinity, fitted.newcomer))
    return Trained(
        arrays={name: array for part in parts for name, array in part.arrays.items()},
        counts={
            "fans": fans,
            "anime": len(entries),
            "entries": int(entries.sum()),
            "ratings": int(ratings.sum()),
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
