"""What workers do: pure functions of the partitions of a shard, so that whatever a lost worker held
is computed again from its files.

Anime are numbered by falling number of ratings, the same in every shard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from app.recommender.fold_in import interest
from model_build import bias_kernels
from model_build.affinity import appeal
from model_build.baselines import Baselines
from model_build.dumps.prepared import Columns, Partition, read_partition
from model_build.grouping import GroupedRatings, Grouping, group
from model_build.sums import pair_kernels
from model_build.sums.pair_sums import Rows, outer_block, pearson_block
from model_build.taste import Standardised, drawn_fans, entries_of, spreads

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries of the fans from number ``first_fan``; ``user`` counts from 0, ascending."""

    first_fan: int
    fans: int
    user: npt.NDArray[np.int32]
    anime_id: npt.NDArray[np.int32]
    rating: npt.NDArray[np.uint8]
    status: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Counts:
    """Of each anime of some fans, (k,) ascending: entries, ratings, and the sum of its appeal.

    ``score_total`` is the sum of all scores.
    """

    anime_id: npt.NDArray[np.int32]
    entries: Longs
    ratings: Longs
    appeal: Floats
    score_total: float


@dataclass(frozen=True, slots=True)
class Numbering:
    """``anime_ids`` ascending; ``order[k]`` is the index of number k and ``rank`` the inverse.

    An index without a number has rank -1.
    """

    anime_ids: npt.NDArray[np.int32]
    order: Longs
    rank: Longs


@dataclass(frozen=True, slots=True)
class Interests:
    """Entries grouped both ways, and how strongly each speaks and how much it is wanted."""

    lists: Grouping
    given: Singles
    wanted: Singles


def read(place: str, partitions: Sequence[Partition], first_fan: int) -> Entries:
    """Read consecutive partitions of a folder or a gs:// address.

    Raises:
        InputError: a partition is missing or is not the one that was prepared.
    """
    none = Columns(np.zeros(0, np.int32), np.zeros(0, np.int32), *[np.zeros(0, np.uint8)] * 2)
    parts = [none, *(read_partition(place, partition) for partition in partitions)]
    user_id = np.concatenate([part.user_id for part in parts])
    new = np.concatenate([np.ones(len(user_id[:1]), bool), user_id[1:] != user_id[:-1]])
    user = (np.cumsum(new) - 1).astype(np.int32)
    return Entries(
        first_fan,
        int(new.sum()),
        user,
        np.concatenate([part.anime_id for part in parts]),
        np.concatenate([part.rating for part in parts]),
        np.concatenate([part.status for part in parts]),
    )


def count(entries: Entries) -> Counts:
    """Count what is in a shard."""
    anime_id, item = np.unique(entries.anime_id, return_inverse=True)
    rating = entries.rating.astype(np.float64)
    size = len(anime_id)
    return Counts(
        anime_id,
        np.bincount(item, minlength=size),
        np.bincount(item[entries.rating > 0], minlength=size),
        np.bincount(item, appeal(rating), size).astype(np.float64),
        float(rating.sum()),
    )


def add_counts(one: Counts, other: Counts) -> Counts:
    """The counts of the fans of both."""
    anime_id = np.union1d(one.anime_id, other.anime_id)

    def both(name: str) -> Floats:
        total = np.zeros(len(anime_id))
        for counts in (one, other):
            total[np.searchsorted(anime_id, counts.anime_id)] += getattr(counts, name)
        return total

    return Counts(
        anime_id,
        both("entries").astype(np.int64),
        both("ratings").astype(np.int64),
        both("appeal"),
        one.score_total + other.score_total,
    )


def group_scored(entries: Entries, numbering: Numbering) -> GroupedRatings:
    """The scored entries, grouped both ways."""
    grouped = _group(entries, numbering, entries.rating > 0)
    return GroupedRatings(
        numbering.order,
        numbering.rank,
        grouped.user_start,
        grouped.user_item,
        entries.rating[grouped.user_entry].astype(np.float64),
        grouped.item_start,
        grouped.item_user,
        grouped.item_position,
    )


def group_interests(entries: Entries, numbering: Numbering) -> Interests:
    """The entries of the numbered anime, scored or not, grouped both ways."""
    item = np.searchsorted(numbering.anime_ids, entries.anime_id)
    lists = _group(entries, numbering, numbering.rank[item] >= 0)
    rating = entries.rating[lists.user_entry].astype(np.float64)
    return Interests(
        lists,
        interest(rating, entries.status[lists.user_entry].astype(np.int8)).astype(np.float32),
        appeal(rating).astype(np.float32),
    )


def _group(entries: Entries, numbering: Numbering, chosen: npt.NDArray[np.bool_]) -> Grouping:
    item = np.searchsorted(numbering.anime_ids, entries.anime_id).astype(np.int32)
    return group(entries.user, item, numbering.rank, entries.fans, len(numbering.order), chosen)


def item_totals(
    grouped: GroupedRatings, mean: float, item_bias: Floats | None, reg_user: float
) -> Floats:
    """What each anime was given beyond the mean and the fans' biases, summed, (n_items,).

    The biases are those that go with ``item_bias``; all 0 if it is None.
    """
    user_bias = np.zeros(grouped.n_users)
    if item_bias is not None:
        user_bias = _user_bias(grouped, grouped.user_rating - mean, item_bias, reg_user)
    total = np.zeros(grouped.n_items)
    pair_kernels.add_item_totals(
        grouped.user_start, grouped.user_item, grouped.user_rating, mean, user_bias, total
    )
    return total


def item_biases(total: Floats, ratings: Longs, reg_item: float) -> Floats:
    """The half step that follows from the totals of all fans."""
    weight = reg_item + ratings
    return np.asarray(np.divide(total, weight, out=np.zeros(len(total)), where=weight > 0))


def baselines(
    grouped: GroupedRatings, mean: float, item_bias: Floats, reg_user: float
) -> Baselines:
    """Each fan's bias and what is left of its ratings; ``item_bias`` is by number here."""
    residual = grouped.user_rating - mean
    user_bias = _user_bias(grouped, residual, item_bias, reg_user)
    bias_kernels.residuals(
        0, grouped.n_users, grouped.user_start, grouped.user_item, user_bias, item_bias, residual
    )
    return Baselines(mean, user_bias, item_bias, residual)


def _user_bias(
    grouped: GroupedRatings, centred: Floats, item_bias: Floats, reg_user: float
) -> Floats:
    user_bias = np.empty(grouped.n_users)
    bias_kernels.biases(
        0,
        grouped.n_users,
        grouped.user_start,
        grouped.user_item,
        centred,
        item_bias,
        reg_user,
        user_bias,
    )
    return user_bias


def moments(fitted: Baselines) -> Floats:
    """Number, sum and sum of squares of the residuals, (3,)."""
    residual = fitted.residual
    return np.array([len(residual), residual.sum(), (residual**2).sum()])


def standard_scores(grouped: GroupedRatings, fitted: Baselines, mean_spread: float) -> Standardised:
    """Levels and spreads of the fans of a shard."""
    spread = spreads(grouped.user_start, fitted.residual, mean_spread)
    return Standardised(fitted.item_bias, fitted.residual, fitted.user_bias, spread, mean_spread)


def draw(grouped: GroupedRatings, first_fan: int) -> Longs:
    """Those who may be among the fans that are drawn for the Gaussian."""
    return drawn_fans(grouped.user_start, first_fan)


def sample(
    grouped: GroupedRatings, standard: Standardised, m: int, fans: Longs, first_fan: int
) -> csr_array:
    """The entries of drawn fans."""
    return entries_of(grouped, standard, m, fans - first_fan)


def residual_values(fitted: Baselines) -> Floats:
    """What the similarity is computed of."""
    return fitted.residual


def standard_values(grouped: GroupedRatings, standard: Standardised) -> Floats:
    """What the similarity of standard scores is computed of."""
    return np.asarray(standard.within / np.repeat(standard.spread, np.diff(grouped.user_start)))


def pearson_sums(grouped: GroupedRatings, values: Floats, rows: Rows) -> Floats:
    """A block of the similarity's sums."""
    return pearson_block(grouped, values, rows, threads=1)


def interest_sums(interests: Interests, rows: Rows) -> Floats:
    """A block of the affinity's sums."""
    return outer_block(interests.lists, interests.given, interests.wanted, rows, threads=1)


def single_precision(block: Floats) -> Singles:
    """The affinity's sums of all fans, three of each pair, as its solution takes them."""
    return block[:, :, :3].astype(np.float32)
