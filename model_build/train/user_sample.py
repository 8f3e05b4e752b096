"""The scores of the fans drawn for the Gaussian, kept so that others can join the draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.recommender.array_types import Int32Array, Int64Array, UInt8Array
from model_build.data.grouping import GroupedRatings, argsort_descending
from model_build.train import sufficient_statistics as shard
from model_build.train.item_statistics import ItemStatistics, make_item_ordering
from model_build.train.sampling import sample_by_hash
from model_build.train.score_model import (
    BIAS_REGULARISATION,
    MAX_SAMPLED_USERS,
    GaussianFactorModel,
    fit_gaussian_em,
    gaussian_item_count,
    sample_gaussian_users,
    standard_score_matrix,
)

SAMPLE_ARRAYS = ("fan", "start", "anime_id", "rating")


@dataclass(frozen=True, slots=True)
class UserSample:
    """Scores of the ``fan`` (k,) ascending, delimited by ``start`` (k + 1,)."""

    fan: Int64Array
    start: Int64Array
    anime_id: Int32Array
    rating: UInt8Array

    @classmethod
    def draw(
        cls,
        grouped: GroupedRatings,
        first_user: int,
        anime_id: Int32Array,
        kept: Mapping[str, npt.NDArray[Any]],
    ) -> UserSample:
        """Draw from new fans, numbered from ``first_fan``, and from those ``kept`` before."""
        new = cls(
            first_user + np.arange(grouped.n_users),
            grouped.user_start,
            anime_id[grouped.user_item],
            grouped.user_rating.astype(np.uint8),
        )
        drawn = sample_gaussian_users(grouped.user_start, first_user)
        if not kept:
            return new._restrict_to_users(drawn)
        old = cls(*(kept[name] for name in SAMPLE_ARRAYS))
        drawn = sample_by_hash(np.concatenate([old.fan, drawn]), MAX_SAMPLED_USERS)
        one, other = old._restrict_to_users(drawn), new._restrict_to_users(drawn)
        return cls(
            np.concatenate([one.fan, other.fan]),
            np.concatenate([one.start, one.start[-1] + other.start[1:]]),
            np.concatenate([one.anime_id, other.anime_id]),
            np.concatenate([one.rating, other.rating]),
        )

    def _restrict_to_users(self, users: Int64Array) -> UserSample:
        own = np.isin(self.fan, users)
        length = np.diff(self.start)
        scores = np.repeat(own, length)
        start = np.concatenate([[0], np.cumsum(length[own])])
        return UserSample(self.fan[own], start, self.anime_id[scores], self.rating[scores])

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What is to be kept."""
        return {name: getattr(self, name) for name in SAMPLE_ARRAYS}

    def fit_gaussian(
        self, items: ItemStatistics, mean: float, overall_std: float, *, factors: int, threads: int
    ) -> GaussianFactorModel:
        """Covariance over the fans drawn of the anime that are the most rated of all fans."""
        count = items.in_id_order(items.ratings)
        order = argsort_descending(count)
        user = np.repeat(np.arange(len(self.fan), dtype=np.int32), np.diff(self.start))
        entries = shard.ShardEntries(
            0, len(self.fan), user, self.anime_id, self.rating, np.zeros(len(user), np.uint8)
        )
        grouped = shard.group_shard_ratings(
            entries, make_item_ordering(items.ordering.anime_ids, order)
        )
        bias = items.in_id_order(items.standard_bias)[order]
        fitted = shard.shard_bias_model(grouped, mean, bias, BIAS_REGULARISATION)
        standard = shard.shard_standard_scores(grouped, fitted, overall_std)
        m = gaussian_item_count(count[order])
        fans = standard_score_matrix(grouped, standard, m, np.arange(len(self.fan)))
        return fit_gaussian_em(fans, order[:m], factors=factors, threads=threads)
