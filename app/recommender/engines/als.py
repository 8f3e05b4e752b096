"""ALS for implicit feedback (Hu, Koren and Volinsky 2008): a list is what a user did, not scores.

Every entry has a strength r, of what became of it (completed, dropped, ...) and whether it is a
favourite, and a confidence c = alpha r. With the items' factors Y (n, f) fixed, the user's factors
are one exact least-squares solution,

    x = A^-1 sum_j c_j y_j,   A = Y'Y + reg I + sum_j (c_j - 1) y_j y_j'

and the preference for anime i is x'y_i, 1 for what is surely on the list and 0 for what is not. It
is a sum over the list: entry j adds c_j y_i' A^-1 y_j.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from app.recommender.array_types import BoolArray, Float32Array, Float64Array, Int8Array, Int64Array
from app.recommender.arrays import ArtifactReader
from app.recommender.engines.base import EngineScores
from app.recommender.user_list import EntryActivity, KnownEntries
from app.recommender.watch_status import WatchStatus

PERCENT = 100.0
ACTIVITY_STRENGTHS = ("commented", "reviewed", "time")
"""Strengths that models from before they were learnt from do not have; they are 0 there."""


@dataclass(frozen=True, slots=True)
class InteractionStrengths:
    """How strongly an entry says that a user chose an anime.

    A favourite's, and that of a comment and a review, are added to the one of its status; ``time``
    is for each doubling of the hours spent, times log2(1 + hours).
    """

    completed: float = 6.0
    favourite: float = 5.0
    watching: float = 4.0
    planned: float = 3.0
    on_hold: float = 2.0
    dropped: float = 1.0
    commented: float = 2.0
    reviewed: float = 3.0
    time: float = 0.0

    def for_entries(
        self,
        status: Int8Array,
        favourite: BoolArray | None = None,
        activity: EntryActivity | None = None,
    ) -> Float64Array:
        """Return the strengths, (entries,); an entry of unknown status counts as completed."""
        by_status = np.full(int(max(WatchStatus)) + 1, self.completed, np.float64)
        by_status[WatchStatus.WATCHING] = self.watching
        by_status[WatchStatus.ON_HOLD] = self.on_hold
        by_status[WatchStatus.DROPPED] = self.dropped
        by_status[WatchStatus.PLAN_TO_WATCH] = self.planned
        strength = by_status[status]
        if favourite is not None:
            strength = strength + self.favourite * favourite
        if activity is not None:
            strength = strength + self.commented * activity.commented
            strength += self.reviewed * activity.reviewed + self.time * np.log2(1 + activity.hours)
        return strength


@dataclass(frozen=True)
class AlsEngine:
    """``item_factors`` (n, f) float32, zeros for an item not trained on; ``gram`` (f, f) is Y'Y."""

    name: ClassVar[str] = "als"

    item_factors: Float32Array
    gram: Float64Array
    regularization: float
    alpha: float
    strengths: InteractionStrengths
    known_items: BoolArray

    @classmethod
    def from_arrays(cls, arrays: ArtifactReader, n_items: int) -> Self | None:
        """From ``als_item_factors`` and the numbers ``als_*``."""
        if "als_item_factors" not in arrays:
            return None
        item_factors = arrays.read_table("als_item_factors", n_items)
        exact = item_factors.astype(np.float64)
        return cls(
            item_factors=item_factors,
            gram=exact.T @ exact,
            regularization=arrays.read_number("als_regularization", minimum=0),
            alpha=arrays.read_number("als_alpha", minimum=0),
            strengths=InteractionStrengths(
                **{
                    name: arrays.read_number(
                        f"als_{name}",
                        minimum=0,
                        default=0.0 if name in ACTIVITY_STRENGTHS else None,
                    )
                    for name in InteractionStrengths.__dataclass_fields__
                }
            ),
            known_items=np.asarray(item_factors.any(axis=1), bool),
        )

    @property
    def embedding(self) -> Float32Array:
        """The factors, (n, f)."""
        return self.item_factors

    def score(self, entries: KnownEntries) -> EngineScores:
        """One solution of f unknowns, and a product with all factors."""
        system, weighted_factors = self._normal_equations(entries)
        user_vector = solve_least_squares(system, weighted_factors.sum(axis=1), self.regularization)

        def contributions(wanted: Int64Array) -> Float64Array:
            towards = self.item_factors[wanted].T.astype(np.float64)
            return PERCENT * (
                solve_least_squares(system, towards, self.regularization).T @ weighted_factors
            )

        return EngineScores(
            PERCENT * (self.item_factors @ user_vector), self.known_items, contributions
        )

    def user_embedding(self, entries: KnownEntries) -> Float64Array:
        """Return the user's factors, (f,)."""
        system, weighted_factors = self._normal_equations(entries)
        return solve_least_squares(system, weighted_factors.sum(axis=1), self.regularization)

    def _normal_equations(self, entries: KnownEntries) -> tuple[Float64Array, Float64Array]:
        """Return a (f, f), and c_j y_j of each entry as a column, (f, entries)."""
        entry_factors = self.item_factors[entries.position].astype(np.float64)
        confidence = self.alpha * self.strengths.for_entries(
            entries.status, entries.favourite, entries.activity
        )
        system = user_normal_matrix(entry_factors, confidence, self.gram, self.regularization)
        return system, entry_factors.T * confidence


def user_normal_matrix(
    entry_factors: Float64Array, confidence: Float64Array, gram: Float64Array, regularization: float
) -> Float64Array:
    """Return A (f, f) of the user whose list has the factors ``entry_factors`` (entries, f)."""
    system = gram + regularization * np.eye(len(gram))
    system += (entry_factors.T * (confidence - 1.0)) @ entry_factors
    return np.asarray(system)


def solve_least_squares(
    system: Float64Array, rhs: Float64Array, regularization: float
) -> Float64Array:
    """Solve ``system`` (f, f) for ``rhs`` (f,) or (f, k); of least norm where something is open."""
    if regularization > 0:
        return np.asarray(np.linalg.solve(system, rhs))
    return np.asarray(np.linalg.lstsq(system, rhs, rcond=None)[0])
