"""Train a model: ratings in, arrays and the facts about them out."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from model_build.checkpoints import Checkpoints
from model_build.fresh import Facts, Fitted, place
from model_build.hyperparameters import Hyperparameters as Hyperparameters  # where it is looked for
from model_build.parts import affinity_part, facts_part, taste_part
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
    counted = facts_part(ratings)
    if facts is not None and fresh is not None:
        fitted = stages.timed(
            "fresh anime",
            lambda: place(
                facts,
                fresh,
                fitted,
                rating_count=counted.arrays["rating_count"].astype(np.int64),
                entry_count=counted.arrays["entry_count"].astype(np.int64),
                min_entries=settings.lists_needed(len(ratings.user_ids)),
                keep=settings.fresh_neighbours,
            ),
        )
    taste = taste_part(fitted.standard, taste_similarity, fitted.gaussian)
    parts = (counted, knn, taste, affinity_part(fitted.affinity, fitted.newcomer))
    return Trained(
        arrays={name: array for part in parts for name, array in part.arrays.items()},
        counts={
            "fans": len(ratings.user_ids),
            "anime": len(ratings.anime_ids),
            "entries": len(ratings),
            "ratings": int(ratings.scored.sum()),
            "similarities": len(knn.arrays["similarity_value"]),
            "affinities": int(fitted.affinity.nnz),
            "fresh": 0 if fresh is None else len(fresh),
        },
        hyperparameters={
            **asdict(settings),
            **{name: number for part in parts for name, number in part.numbers.items()},
        },
        seconds=stages.seconds,
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
