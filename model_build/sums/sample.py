"""The scores of the fans drawn for the Gaussian, kept so that others can join the draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from model_build.grouping import GroupedRatings, falling
from model_build.sums import shard
from model_build.sums.anime import Anime, numbered
from model_build.sums.sampling import first_shuffled
from model_build.taste import (
    MOST_FANS,
    REG,
    Gaussian,
    drawn_fans,
    entries_of,
    gaussian_of,
    size_of_gaussian,
)

ARRAYS = ("fan", "start", "anime_id", "rating")


@dataclass(frozen=True, slots=True)
class Sample:
    """Scores of the ``fan`` (k,) ascending, delimited by ``start`` (k + 1,)."""

    fan: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    anime_id: npt.NDArray[np.int32]
    rating: npt.NDArray[np.uint8]

    @classmethod
    def of(
        cls,
        grouped: GroupedRatings,
        first_fan: int,
        anime_id: npt.NDArray[np.int32],
        kept: Mapping[str, npt.NDArray[Any]],
    ) -> Sample:
        """Draw from new fans, numbered from ``first_fan``, and from those ``kept`` before."""
        new = cls(
            first_fan + np.arange(grouped.n_users),
            grouped.user_start,
            anime_id[grouped.user_item],
            grouped.user_rating.astype(np.uint8),
        )
        drawn = drawn_fans(grouped.user_start, first_fan)
        if not kept:
            return new._only(drawn)
        old = cls(*(kept[name] for name in ARRAYS))
        drawn = first_shuffled(np.concatenate([old.fan, drawn]), MOST_FANS)
        one, other = old._only(drawn), new._only(drawn)
        return cls(
            np.concatenate([one.fan, other.fan]),
            np.concatenate([one.start, one.start[-1] + other.start[1:]]),
            np.concatenate([one.anime_id, other.anime_id]),
            np.concatenate([one.rating, other.rating]),
        )

    def _only(self, fans: npt.NDArray[np.int64]) -> Sample:
        own = np.isin(self.fan, fans)
        length = np.diff(self.start)
        scores = np.repeat(own, length)
        start = np.concatenate([[0], np.cumsum(length[own])])
        return Sample(self.fan[own], start, self.anime_id[scores], self.rating[scores])

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What is to be kept."""
        return {name: getattr(self, name) for name in ARRAYS}

    def gaussian(
        self, anime: Anime, mean: float, spread: float, *, factors: int, threads: int
    ) -> Gaussian:
        """Covariance over the fans drawn of the anime that are the most rated of all fans."""
        count = anime.by_id(anime.ratings)
        order = falling(count)
        user = np.repeat(np.arange(len(self.fan), dtype=np.int32), np.diff(self.start))
        entries = shard.Entries(
            0,
            len(self.fan),
            user,
            self.anime_id,
            self.rating,
            np.zeros(len(user), np.uint8),
        )
        grouped = shard.group_scored(entries, numbered(anime.numbering.anime_ids, order))
        bias = anime.by_id(anime.standard_bias)[order]
        fitted = shard.baselines(grouped, mean, bias, REG)
        standard = shard.standard_scores(grouped, fitted, spread)
        m = size_of_gaussian(count[order])
        fans = entries_of(grouped, standard, m, np.arange(len(self.fan)))
        return gaussian_of(fans, order[:m], factors=factors, threads=threads)
