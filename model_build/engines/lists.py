"""What a network that reads whole lists learns from: batches of lists, cut short at random."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model_build.engines.pairs import Longs, Pairs, Singles

FEWEST = 2
LONGEST = 256
"""Of a longer list, so many entries are drawn for each pass: the time grows with the cube."""
JITTER = 0.3
"""Lists are put together by length, give or take this share of it."""


@dataclass(frozen=True, slots=True)
class FanList:
    """One fan's scored entries: ``above`` is the score less mean and item bias."""

    item: Longs
    above: Singles
    label: Singles

    def __len__(self) -> int:
        return len(self.item)

    def chosen(self, rows: Longs) -> FanList:
        return FanList(self.item[rows], self.above[rows], self.label[rows])


@dataclass(frozen=True, slots=True)
class ListBatch:
    """Lists of up to m entries, all (b, m): beyond the end of a list ``there`` is False."""

    item: Tensor
    above: Tensor
    label: Tensor
    there: Tensor


def fan_lists(pairs: Pairs) -> list[FanList]:
    """The lists of fans with at least two scores, by fan; ``label`` is NaN where there is none."""
    scored = np.flatnonzero(~np.isnan(pairs.residual))
    rows = scored[np.argsort(pairs.fan[scored], kind="stable")]
    fan = pairs.fan[rows]
    whole = FanList(pairs.item[rows], pairs.residual[rows] + pairs.level[fan], pairs.label[rows])
    parts = np.split(np.arange(len(rows)), np.flatnonzero(np.diff(fan)) + 1)
    return [whole.chosen(part) for part in parts if len(part) >= FEWEST]


def list_batches(
    lists: Sequence[FanList],
    rng: np.random.Generator,
    device: torch.device,
    entries: int,
    dropout: float,
) -> Iterator[ListBatch]:
    """Every list once, in batches of at most ``entries`` with the padding, in random order.

    Of each list a share of at most ``dropout`` is left out.
    """
    cut = [_cut(fan, rng, dropout) for fan in lists]
    length = np.array([len(fan) for fan in cut])
    order = np.argsort(length * (1.0 + JITTER * rng.random(len(cut))), kind="stable")
    groups: list[list[int]] = []
    longest = 0
    for at in order.tolist():
        longest = max(longest, int(length[at]))
        if not groups or (len(groups[-1]) + 1) * longest > entries:
            groups.append([])
            longest = int(length[at])
        groups[-1].append(at)
    for group in rng.permutation(len(groups)).tolist():
        yield _padded([cut[at] for at in groups[group]], device)


def _cut(fan: FanList, rng: np.random.Generator, dropout: float) -> FanList:
    kept = round(len(fan) * (1.0 - dropout * rng.random()))
    kept = min(LONGEST, max(FEWEST, kept))
    return fan.chosen(rng.permutation(len(fan))[:kept])


def _padded(lists: Sequence[FanList], device: torch.device) -> ListBatch:
    shape = (len(lists), max(len(fan) for fan in lists))
    item, there = np.zeros(shape, np.int64), np.zeros(shape, bool)
    above, label = np.zeros(shape, np.float32), np.full(shape, np.nan, np.float32)
    for row, fan in enumerate(lists):
        end = len(fan)
        item[row, :end], above[row, :end], label[row, :end] = fan.item, fan.above, fan.label
        there[row, :end] = True
    return ListBatch(*(torch.from_numpy(part).to(device) for part in (item, above, label, there)))
