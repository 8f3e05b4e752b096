"""What a network that reads whole lists learns from: batches of lists, cut short at random."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from app.recommender.array_types import Float32Array, Int64Array
from model_build.engines.training_pairs import TrainingPairs

MIN_ENTRIES = 2
MAX_ENTRIES = 256
"""Of a longer list, so many entries are drawn for each pass: the time grows with the cube."""
LENGTH_JITTER = 0.3
"""Lists are put together by length, give or take this share of it."""


@dataclass(frozen=True, slots=True)
class RatedList:
    """One fan's scored entries: ``above`` is the score less mean and item bias."""

    item: Int64Array
    centered_score: Float32Array
    label: Float32Array

    def __len__(self) -> int:
        return len(self.item)

    def select(self, rows: Int64Array) -> RatedList:
        return RatedList(self.item[rows], self.centered_score[rows], self.label[rows])


@dataclass(frozen=True, slots=True)
class PaddedListBatch:
    """Lists of up to m entries, all (b, m): beyond the end of a list ``there`` is False."""

    item: Tensor
    centered_score: Tensor
    label: Tensor
    mask: Tensor


def rated_lists(pairs: TrainingPairs) -> list[RatedList]:
    """The lists of fans with at least two scores, by fan; ``label`` is NaN where there is none."""
    scored = np.flatnonzero(~np.isnan(pairs.residual))
    rows = scored[np.argsort(pairs.user[scored], kind="stable")]
    fan = pairs.user[rows]
    whole = RatedList(
        pairs.item[rows], pairs.residual[rows] + pairs.user_bias[fan], pairs.label[rows]
    )
    parts = np.split(np.arange(len(rows)), np.flatnonzero(np.diff(fan)) + 1)
    return [whole.select(part) for part in parts if len(part) >= MIN_ENTRIES]


def padded_batches(
    lists: Sequence[RatedList],
    rng: np.random.Generator,
    device: torch.device,
    max_entries: int,
    dropout: float,
) -> Iterator[PaddedListBatch]:
    """Every list once, in batches of at most ``entries`` with the padding, in random order.

    Of each list a share of at most ``dropout`` is left out.
    """
    cut = [_subsample(fan, rng, dropout) for fan in lists]
    length = np.array([len(fan) for fan in cut])
    order = np.argsort(length * (1.0 + LENGTH_JITTER * rng.random(len(cut))), kind="stable")
    groups: list[list[int]] = []
    longest = 0
    for at in order.tolist():
        longest = max(longest, int(length[at]))
        if not groups or (len(groups[-1]) + 1) * longest > max_entries:
            groups.append([])
            longest = int(length[at])
        groups[-1].append(at)
    for group in rng.permutation(len(groups)).tolist():
        yield _pad([cut[at] for at in groups[group]], device)


def _subsample(user: RatedList, rng: np.random.Generator, dropout: float) -> RatedList:
    kept = round(len(user) * (1.0 - dropout * rng.random()))
    kept = min(MAX_ENTRIES, max(MIN_ENTRIES, kept))
    return user.select(rng.permutation(len(user))[:kept])


def _pad(lists: Sequence[RatedList], device: torch.device) -> PaddedListBatch:
    shape = (len(lists), max(len(fan) for fan in lists))
    item, there = np.zeros(shape, np.int64), np.zeros(shape, bool)
    above, label = np.zeros(shape, np.float32), np.full(shape, np.nan, np.float32)
    for row, fan in enumerate(lists):
        end = len(fan)
        item[row, :end], above[row, :end], label[row, :end] = (
            fan.item,
            fan.centered_score,
            fan.label,
        )
        there[row, :end] = True
    return PaddedListBatch(
        *(torch.from_numpy(part).to(device) for part in (item, above, label, there))
    )
