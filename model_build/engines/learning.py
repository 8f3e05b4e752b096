"""How a network is trained: batches, Adam with a schedule, early stopping; PyTorch.

The networks stand in `mf`, `mlp`, `hybrid` and `cosine`, a file each. Training is repeatable: the
same pairs, settings and device give the same weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from model_build.engines.keeping import Outcome, keep_best
from model_build.engines.pairs import Pairs

Schedule = Literal["constant", "linear", "cosine", "warmup"]
Initialiser = Literal["normal", "uniform", "xavier", "he"]
SCHEDULES: tuple[Schedule, ...] = ("constant", "linear", "cosine", "warmup")
INITIALISERS: tuple[Initialiser, ...] = ("normal", "uniform", "xavier", "he")
WARMUP = 0.1
SPREAD = 0.1


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set about a network and its training.

    ``decay`` is the precision of the prior of every embedding, in units of one pair's loss;
    ``rate`` the largest learning rate; ``weights`` are those of the losses of scores and of
    interactions where one network learns both. Training stops when ``patience`` looks at the
    ``validation`` fans, one every ``look_every`` epochs, saw nothing better.
    """

    size: int = 64
    dropout: float = 0.5
    decay: float = 10.0
    batch: int = 16384
    rate: float = 1e-2
    schedule: Schedule = "linear"
    initialiser: Initialiser = "normal"
    epochs: int = 20
    look_every: int = 4
    patience: int = 2
    validation: int = 300
    weights: tuple[float, float] = (1.0, 5.0)
    seed: int = 0
    device: str = "auto"


class Network(nn.Module):
    """Embeddings of fans and anime; what is made of them is for the subclasses to say."""

    def __init__(self, fans: int, items: int, settings: Settings) -> None:
        super().__init__()
        self.fan = nn.Embedding(fans, settings.size)
        self.item = nn.Embedding(items, settings.size)
        for table in (self.fan, self.item):
            initialise(table.weight, settings.initialiser)

    def forward(self, fan: Tensor, item: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Residual scores and logits of interactions for pairs; None where it tells none."""
        raise NotImplementedError

    def losses(
        self, scores: Tensor | None, logits: Tensor | None, batch: Batch
    ) -> tuple[Tensor, Tensor]:
        """Sums of squared errors and of cross-entropies over the pairs that have a target."""
        none = self.item.weight.new_zeros(())
        squares = entropy = none
        if scores is not None:
            there, target = told(batch.residual)
            squares = (there * (scores - target) ** 2).sum()
        if logits is not None:
            there, target = told(batch.label)
            entropy = (there * (nn.functional.softplus(logits) - target * logits)).sum()
        return squares, entropy

    def penalty(self) -> Tensor:
        """Squares of everything that is held to 0."""
        return self.fan.weight.square().sum() + self.item.weight.square().sum()


@dataclass(frozen=True, slots=True)
class Batch:
    """Pairs on the device; targets are NaN where there are none."""

    fan: Tensor
    item: Tensor
    residual: Tensor
    label: Tensor

    def __len__(self) -> int:
        return len(self.fan)

    def chosen(self, rows: Tensor) -> Batch:
        return Batch(*(part[rows] for part in (self.fan, self.item, self.residual, self.label)))


def initialise(weight: Tensor, how: Initialiser) -> None:
    """Fill the weights of an embedding at random."""
    if how == "normal":
        nn.init.normal_(weight, std=SPREAD)
    elif how == "uniform":
        nn.init.uniform_(weight, -0.05, 0.05)
    elif how == "xavier":
        nn.init.xavier_normal_(weight)
    else:
        nn.init.kaiming_normal_(weight, nonlinearity="relu")


def rate_at(schedule: Schedule, progress: float) -> float:
    """The share of the learning rate at ``progress`` (0 to 1) through training."""
    if schedule == "linear":
        return 1.0 - progress
    if schedule == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * progress))
    if schedule == "warmup":
        return min(1.0, progress / WARMUP) * (1.0 - max(0.0, progress - WARMUP) / (1.0 - WARMUP))
    return 1.0


def learn(
    build: Callable[[], Network],
    pairs: Pairs,
    settings: Settings,
    look: Callable[[Network], float],
    *,
    rows: npt.NDArray[np.int64],
    name: str,
    progress: bool = False,
) -> tuple[Network, Outcome]:
    """Train on the ``rows`` of the pairs; returns the weights that ``look`` liked best.

    ``look`` gives the loss on the validation fans. Where a loss is not finite, training stops and
    keeps what was best until then.

    Raises:
        InputError: the very first epochs diverged, so there is nothing to keep.
    """

    def epochs(network: Network, device: torch.device) -> Iterator[float]:
        return _epochs(network, _on_device(pairs, rows, device), settings)

    return keep_best(build, epochs, look, settings, name=name, progress=progress)


def _epochs(network: Network, data: Batch, settings: Settings) -> Iterator[float]:
    """Train an epoch each, giving its mean loss a pair."""
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.rate)
    batches = math.ceil(len(data) / settings.batch)
    weights, decay = settings.weights, settings.decay / len(data)
    for epoch in range(settings.epochs):
        order = torch.randperm(len(data)).to(data.fan.device)
        total = 0.0
        for at in range(batches):
            done = (epoch + at / batches) / settings.epochs
            optimizer.param_groups[0]["lr"] = settings.rate * rate_at(settings.schedule, done)
            batch = data.chosen(order[at * settings.batch : (at + 1) * settings.batch])
            scores, logits = network(batch.fan, batch.item)
            squares, entropy = network.losses(scores, logits, batch)
            loss = (weights[0] * squares + weights[1] * entropy) / len(batch)
            optimizer.zero_grad()
            (loss + decay * network.penalty()).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += float(loss.detach()) * len(batch)
        yield total / len(data)


def told(target: Tensor) -> tuple[Tensor, Tensor]:
    """Where there is a target, and the targets with 0 where there is none (NaN has no slope)."""
    return ~torch.isnan(target), torch.nan_to_num(target)


def _on_device(pairs: Pairs, rows: npt.NDArray[np.int64], device: torch.device) -> Batch:
    parts = (pairs.fan, pairs.item, pairs.residual, pairs.label)
    return Batch(*(torch.from_numpy(part[rows]).to(device) for part in parts))
