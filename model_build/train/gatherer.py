"""What training asks of the ratings of all users, and the answers of this process.

`StatisticsGatherer` is what the driver knows; ratings in the memory of this process are behind
`LocalGatherer`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from scipy.sparse import csr_array

from app.recommender.array_types import Int64Array
from model_build.data.grouping import GroupedRatings
from model_build.data.ratings import Ratings
from model_build.train.affinity import GramMatrices, compute_gram_matrices
from model_build.train.bias_model import BiasModel, fit_bias_model
from model_build.train.list_sample import ListSample
from model_build.train.score_model import (
    StandardScores,
    gaussian_item_count,
    sample_gaussian_users,
    standard_score_matrix,
    standard_score_values,
    standardise_ratings,
)
from model_build.train.similarity import SimilarityRows, similarity_rows
from model_build.train.sufficient_statistics import (
    EntriesOfUsers,
    ItemCounts,
    ItemOrdering,
    count_items,
    group_ratings_by_number,
)


@dataclass(frozen=True, slots=True)
class SampledScores:
    """Standard scores (k, m) of the users drawn for the Gaussian; columns are ``items`` (m,)."""

    scores: csr_array
    items: Int64Array


class StatisticsGatherer(Protocol):
    """What the driver asks of the ratings of all users.

    Calls come in the order in which they stand here. Those in the middle are left out where
    checkpoints have their results. Item arrays are in the order of ascending anime ids.
    """

    def count_items(self) -> tuple[ItemCounts, int]:
        """Count entries of each item; also the number of users."""

    def sample_lists(self) -> ListSample:
        """Draw users whose lists the second stage of ranking learns from."""

    def group_ratings(self, counts: ItemCounts) -> ItemOrdering:
        """Group ratings, and number the items of ``counts``, which may be more than are listed."""

    def fit_biases(self, reg_user: float, reg_item: float, epochs: int) -> BiasModel:
        """Fit mu, b_u and b_i, and return mu and b_i; `similarity_rows` is of residuals now."""

    def fit_standard_scores(self) -> StandardScores:
        """Fit item biases and deviation; `similarity_rows` is of standard scores now."""

    def similarity_rows(self, shrinkage: float, min_support: int) -> Iterator[SimilarityRows]:
        """Yield blocks of rows of the similarity, in the order of the numbers."""

    def sample_scores(self) -> SampledScores:
        """Draw users for the Gaussian, after `fit_standard_scores`."""

    def release_scores(self) -> None:
        """Free what the calls before share; the memory is needed."""

    def gram_matrices(self, counts: ItemCounts, min_entries: int) -> GramMatrices:
        """Sum up for the affinity of the items on ``min_entries`` lists, at the end."""


class LocalGatherer:
    """Ratings in the memory of this process."""

    def __init__(self, ratings: Ratings, threads: int | None = None) -> None:
        self._ratings, self._threads = ratings, threads
        self._entries = EntriesOfUsers.from_ratings(ratings)

    def count_items(self) -> tuple[ItemCounts, int]:
        """Count in chunks."""
        return count_items(self._entries), self._entries.n_users

    def sample_lists(self) -> ListSample:
        """Draw from all users."""
        return ListSample.of_entries(self._entries, self._ratings.collected)

    def group_ratings(self, counts: ItemCounts) -> ItemOrdering:
        """Group, and number items by falling number of ratings."""
        ordering = counts.ordering()
        self._grouped: GroupedRatings = group_ratings_by_number(self._entries, ordering)
        return ordering

    def fit_biases(self, reg_user: float, reg_item: float, epochs: int) -> BiasModel:
        """Fit by alternating least squares in threads."""
        fitted = fit_bias_model(
            self._grouped,
            reg_user=reg_user,
            reg_item=reg_item,
            epochs=epochs,
            threads=self._threads,
        )
        self._values = fitted.residual
        return BiasModel.of_items(fitted.mean, fitted.item_bias)

    def fit_standard_scores(self) -> StandardScores:
        """Fit in threads."""
        self._values = np.zeros(0)  # frees the residuals
        self._standard = standardise_ratings(self._grouped, threads=self._threads)
        self._values = standard_score_values(self._grouped, self._standard)
        return StandardScores.of_items(self._standard.item_bias, self._standard.overall_std)

    def similarity_rows(self, shrinkage: float, min_support: int) -> Iterator[SimilarityRows]:
        """Compute rows without sums of pairs that are stored."""
        return similarity_rows(
            self._grouped,
            self._values,
            shrinkage=shrinkage,
            min_support=min_support,
            threads=self._threads,
        )

    def sample_scores(self) -> SampledScores:
        """Draw from the grouped ratings."""
        m = gaussian_item_count(np.diff(self._grouped.item_indptr))
        users = sample_gaussian_users(self._grouped)
        scores = standard_score_matrix(self._grouped, self._standard, m, users)
        return SampledScores(scores, self._grouped.order[:m])

    def release_scores(self) -> None:
        """Free the grouped ratings."""
        for name in ("_grouped", "_values", "_standard"):
            self.__dict__.pop(name, None)  # not there if all stages were found

    def gram_matrices(self, counts: ItemCounts, min_entries: int) -> GramMatrices:
        """Sum up over some millions of entries at a time."""
        sums = compute_gram_matrices(self._ratings, min_entries=min_entries, threads=self._threads)
        known = counts.positions(self._ratings.anime_ids)[sums.known]
        return replace(sums, known=known, n_items=len(counts.anime_ids))
