"""What further engines have in common.

An engine is another way of predicting what a user would pick. Its arrays lie in the model's folder,
``NAME_*.npy``, with a row for each of the model's anime; its numbers are hyperparameters
``NAME_*``. A model without them does not have the engine, and pays nothing for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import numpy as np

from app.recommender.array_types import BoolArray, Float32Array, Float64Array, Int8Array, Int64Array
from app.recommender.arrays import ArtifactReader
from app.recommender.user_list import KnownEntries
from app.recommender.watch_status import WatchStatus


@dataclass(frozen=True, slots=True)
class EngineScores:
    """An engine's scores of every anime for one user.

    ``match`` (n,) is larger for what the user would rather pick, near 100 for what is as good as
    certain and near 0 for what is not; ``known_items`` (n,) bool is where the engine has a score.
    ``contributions`` gives for some positions what each entry of the user's `KnownEntries` added to
    the match, (positions, entries). ``predicted_score`` (n,) and ``expected_error``, its standard
    deviation, are None where the engine does not predict scores, and so is ``score_contributions``:
    what each entry added to the predicted score, in points.
    """

    match: Float64Array
    known_items: BoolArray
    contributions: Callable[[Int64Array], Float64Array]
    predicted_score: Float64Array | None = None
    expected_error: float | None = None
    score_contributions: Callable[[Int64Array], Float64Array] | None = None


class Engine(Protocol):
    """One engine of an opened model. ``name`` stands in addresses and files."""

    name: ClassVar[str]

    @property
    def embedding(self) -> Float32Array:
        """What anime are alike by, (n, e); zeros where the engine does not know one."""

    @classmethod
    def from_arrays(cls, arrays: ArtifactReader, n_items: int) -> Self | None:
        """Return the engine of a model of n anime; None if the model does not have it.

        Raises
        ------
        ArtifactError
            Its arrays do not fit.
        """

    def score(self, entries: KnownEntries) -> EngineScores:
        """Fold a list in and score every anime of the model."""

    def user_embedding(self, entries: KnownEntries) -> Float64Array:
        """Return the user with this list as a vector, (d,); users are alike by their cosine."""


LIKE_THRESHOLD = 5.0
FINISHED_STATUSES = (int(WatchStatus.UNKNOWN), int(WatchStatus.COMPLETED))


def like_labels(score: Float64Array, status: Int8Array) -> Int8Array:
    """1 for liked, 0 for not liked, -1 where the entry does not say, (entries,).

    Liked is what was completed and scored above 5; not liked what was dropped, or scored 5 or less.
    A score without a status counts as completed: of the scored entries whose status is known, 98 %
    are. Watching, on hold and planned say nothing yet.
    """
    finished = np.isin(status, FINISHED_STATUSES) & (score > 0)
    label = np.full(len(score), -1, np.int8)
    label[finished] = score[finished] > LIKE_THRESHOLD
    label[status == WatchStatus.DROPPED] = 0
    return label


@dataclass(frozen=True, slots=True)
class EngineBiases:
    """mu + b_i + b_u, ``item_bias`` (n,) float64; b_u has a closed form (Koren 2010, eq. 2)."""

    global_mean: float
    item_bias: Float64Array
    reg_user: float

    @classmethod
    def from_arrays(cls, arrays: ArtifactReader, engine: str, n_items: int) -> Self:
        """From the array and the numbers ``ENGINE_*``."""
        return cls(
            arrays.read_number(f"{engine}_global_mean"),
            arrays.read_vector(f"{engine}_item_bias", np.float64, n_items),
            arrays.read_number(f"{engine}_reg_user", minimum=0),
        )

    def user_residuals(self, entries: KnownEntries) -> tuple[BoolArray, Float64Array, float]:
        """Return which entries (k,) have a score, their residuals, and the user's bias b_u."""
        has_score = (entries.score > 0) & (entries.status != WatchStatus.PLAN_TO_WATCH)
        at = entries.position[has_score]
        deviation = entries.score[has_score] - self.global_mean - self.item_bias[at]
        user_bias = float(deviation.sum() / max(self.reg_user + len(deviation), 1.0))
        return has_score, deviation - user_bias, user_bias
