"""How a network is trained: batches, Adam with a schedule, early stopping; PyTorch.

The networks stand in `mf`, `mlp`, `hybrid` and `cosine`, a file each. Training is repeatable: the
same pairs, settings and device give the same weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from app.recommender.array_types import Int64Array
from model_build.engines.early_stopping import EarlyStoppingResult, train_with_early_stopping
from model_build.engines.training_pairs import TrainingPairs

LearningRateSchedule = Literal["constant", "linear", "cosine", "warmup"]
Initialiser = Literal["normal", "uniform", "xavier", "he"]
LEARNING_RATE_SCHEDULES: tuple[LearningRateSchedule, ...] = (
    "constant",
    "linear",
    "cosine",
    "warmup",
)
INITIALISERS: tuple[Initialiser, ...] = ("normal", "uniform", "xavier", "he")
WARMUP_SHARE = 0.1
INIT_STD = 0.1


@dataclass(frozen=True, slots=True)
class NetworkSettings:
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
    schedule: LearningRateSchedule = "linear"
    initialiser: Initialiser = "normal"
    epochs: int = 20
    look_every: int = 4
    patience: int = 2
    validation: int = 300
    weights: tuple[float, float] = (1.0, 5.0)
    seed: int = 0
    device: str = "auto"


class EmbeddingNetwork(nn.Module):
    """Embeddings of fans and anime; what is made of them is for the subclasses to say."""

    def __init__(self, n_users: int, items: int, settings: NetworkSettings) -> None:
        super().__init__()
        self.user_embedding = nn.Embedding(n_users, settings.size)
        self.item_embedding = nn.Embedding(items, settings.size)
        for table in (self.user_embedding, self.item_embedding):
            init_embedding(table.weight, settings.initialiser)

    def forward(self, user: Tensor, item: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Residual scores and logits of interactions for pairs; None where it tells none."""
        raise NotImplementedError

    def losses(
        self, scores: Tensor | None, logits: Tensor | None, batch: PairBatch
    ) -> tuple[Tensor, Tensor]:
        """Sums of squared errors and of cross-entropies over the pairs that have a target."""
        none = self.item_embedding.weight.new_zeros(())
        squares = entropy = none
        if scores is not None:
            there, target = split_missing(batch.residual)
            squares = (there * (scores - target) ** 2).sum()
        if logits is not None:
            there, target = split_missing(batch.label)
            entropy = (there * (nn.functional.softplus(logits) - target * logits)).sum()
        return squares, entropy

    def penalty(self) -> Tensor:
        """Squares of everything that is held to 0."""
        return self.user_embedding.weight.square().sum() + self.item_embedding.weight.square().sum()


@dataclass(frozen=True, slots=True)
class PairBatch:
    """Pairs on the device; targets are NaN where there are none."""

    user: Tensor
    item: Tensor
    residual: Tensor
    label: Tensor

    def __len__(self) -> int:
        return len(self.user)

    def select(self, rows: Tensor) -> PairBatch:
        return PairBatch(
            *(part[rows] for part in (self.user, self.item, self.residual, self.label))
        )


def init_embedding(weight: Tensor, initialiser: Initialiser) -> None:
    """Fill the weights of an embedding at random."""
    if initialiser == "normal":
        nn.init.normal_(weight, std=INIT_STD)
    elif initialiser == "uniform":
        nn.init.uniform_(weight, -0.05, 0.05)
    elif initialiser == "xavier":
        nn.init.xavier_normal_(weight)
    else:
        nn.init.kaiming_normal_(weight, nonlinearity="relu")


def learning_rate_share(schedule: LearningRateSchedule, progress: float) -> float:
    """The share of the learning rate at ``progress`` (0 to 1) through training."""
    if schedule == "linear":
        return 1.0 - progress
    if schedule == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * progress))
    if schedule == "warmup":
        return min(1.0, progress / WARMUP_SHARE) * (
            1.0 - max(0.0, progress - WARMUP_SHARE) / (1.0 - WARMUP_SHARE)
        )
    return 1.0


def train_network(
    build: Callable[[], EmbeddingNetwork],
    pairs: TrainingPairs,
    settings: NetworkSettings,
    validate: Callable[[EmbeddingNetwork], float],
    *,
    rows: Int64Array,
    name: str,
    progress: bool = False,
) -> tuple[EmbeddingNetwork, EarlyStoppingResult]:
    """Train on the ``rows`` of the pairs; returns the weights that ``look`` liked best.

    ``look`` gives the loss on the validation fans. Where a loss is not finite, training stops and
    keeps what was best until then.

    Raises:
        InputError: the very first epochs diverged, so there is nothing to keep.
    """

    def epochs(network: EmbeddingNetwork, device: torch.device) -> Iterator[float]:
        return _train_epochs(network, _pairs_to_device(pairs, rows, device), settings)

    return train_with_early_stopping(
        build, epochs, validate, settings, name=name, progress=progress
    )


def _train_epochs(
    network: EmbeddingNetwork, data: PairBatch, settings: NetworkSettings
) -> Iterator[float]:
    """Train an epoch each, giving its mean loss a pair."""
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.rate)
    batches = math.ceil(len(data) / settings.batch)
    weights, decay = settings.weights, settings.decay / len(data)
    for epoch in range(settings.epochs):
        order = torch.randperm(len(data)).to(data.user.device)
        total = 0.0
        for at in range(batches):
            done = (epoch + at / batches) / settings.epochs
            optimizer.param_groups[0]["lr"] = settings.rate * learning_rate_share(
                settings.schedule, done
            )
            batch = data.select(order[at * settings.batch : (at + 1) * settings.batch])
            scores, logits = network(batch.user, batch.item)
            squares, entropy = network.losses(scores, logits, batch)
            loss = (weights[0] * squares + weights[1] * entropy) / len(batch)
            optimizer.zero_grad()
            (loss + decay * network.penalty()).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += float(loss.detach()) * len(batch)
        yield total / len(data)


def split_missing(target: Tensor) -> tuple[Tensor, Tensor]:
    """Where there is a target, and the targets with 0 where there is none (NaN has no slope)."""
    return ~torch.isnan(target), torch.nan_to_num(target)


def _pairs_to_device(pairs: TrainingPairs, rows: Int64Array, device: torch.device) -> PairBatch:
    parts = (pairs.user, pairs.item, pairs.residual, pairs.label)
    return PairBatch(*(torch.from_numpy(part[rows]).to(device) for part in parts))
