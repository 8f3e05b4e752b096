"""What further engines have in common.

An engine is another way of predicting what a user would pick. Its arrays lie in the model's folder,
``NAME_*.npy``, with a row for each of the model's anime; its numbers are hyperparameters
``NAME_*``. A model without them does not have the engine, and pays nothing for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

from app.recommender.array_types import BoolArray, Float32Array, Float64Array, Int64Array
from app.recommender.arrays import ArtifactReader
from app.recommender.user_list import KnownEntries


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
