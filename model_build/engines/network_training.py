"""How networks are trained: Adam with a schedule, early stopping on users left out; PyTorch.

The networks stand in `factor_networks`, `cosine_embeddings` and `gaussian_process`. Training is
repeatable: the same pairs, settings and device give the same weights.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol, TypeVar

import torch
from torch import Tensor, nn

from app.recommender.array_types import Float64Array, Int64Array
from model_build.engines.base import HyperparameterValue
from model_build.engines.config import Initialiser, LearningRateSchedule
from model_build.engines.training_pairs import TrainingPairs
from model_build.util.errors import InputError

OutputActivation = Literal["linear", "relu"]
WARMUP_SHARE = 0.1
INIT_STD = 0.1


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """What can be set about a network and its training.

    ``decay`` is the precision of the prior of every embedding, in units of one pair's loss;
    ``rate`` the largest learning rate; ``weights`` are those of the losses of scores and of
    interactions where one network learns both. With ``output`` relu no predicted score is below 0;
    with ``user_bias`` users have biases of their own beside those of the baseline. Both are for
    networks over embeddings and not for `cosine` and `kernel`. Training stops when ``patience``
    validations, one every ``look_every`` epochs on ``validation`` users left out, found nothing
    better.
    """

    size: int = 64
    dropout: float = 0.5
    decay: float = 10.0
    batch: int = 16384
    rate: float = 1e-2
    schedule: LearningRateSchedule = "linear"
    initialiser: Initialiser = "normal"
    output: OutputActivation = "linear"
    user_bias: bool = False
    epochs: int = 20
    look_every: int = 4
    patience: int = 2
    validation: int = 300
    weights: tuple[float, float] = (1.0, 5.0)
    seed: int = 0
    device: str = "auto"

    def hyperparameters(self) -> dict[str, HyperparameterValue]:
        """Return what goes into the manifest."""
        found: dict[str, Any] = asdict(self)
        rating, interaction = found.pop("weights")
        del found["device"]
        found["user_bias"] = int(self.user_bias)
        return found | {"weight_rating": rating, "weight_interaction": interaction}


@dataclass(frozen=True, slots=True)
class EarlyStoppingResult:
    """The loss on the validation users at the epoch whose weights were kept.

    ``stop_reason`` says why training ended before its last epoch, "" if it did not.
    """

    validation_loss: float
    best_epoch: int
    seconds: float
    stop_reason: str

    def metrics(self, side: str) -> dict[str, float]:
        """Return what goes into a manifest's metrics."""
        return {
            f"{side}_validation_loss": self.validation_loss,
            f"{side}_epoch": float(self.best_epoch),
            f"{side}_seconds": self.seconds,
        }


class Batch(Protocol):
    """What a step learns from; its length is the number of pairs or scores in it."""

    def __len__(self) -> int: ...


class TrainableNetwork(nn.Module):
    """A network with a loss and a penalty."""

    def loss(self, batch: Any, weights: tuple[float, float]) -> Tensor:
        """Mean loss over the batch; ``weights`` are those of scores and of interactions."""
        raise NotImplementedError

    def penalty(self) -> Tensor:
        """Sum of the squares of how far everything is from what it is held to."""
        raise NotImplementedError


NetworkType = TypeVar("NetworkType", bound=TrainableNetwork)
BatchSource = Callable[[torch.device], Callable[[], Iterable[tuple[float, Batch]]]]
"""For a device, a function that gives the batches of an epoch, each with the share done before."""


def train_network(
    build: Callable[[], NetworkType],
    batches: BatchSource,
    n_examples: int,
    validate: Callable[[NetworkType], float],
    settings: NetworkSettings,
    *,
    name: str,
    rate_factors: Mapping[str, float] | None = None,
    default_rate_factor: float = 1.0,
) -> tuple[NetworkType, EarlyStoppingResult]:
    """Train what ``build`` makes, and return it with the weights that validated best.

    ``validate`` gives the loss on the validation users; ``rate_factors`` multiply the learning rate
    of parameters by name. Where a loss is not finite, training stops and keeps what was best.

    Raises
    ------
    InputError
        The very first epochs diverged, so there is nothing to keep.
    """
    device = torch_device(settings.device)
    start = time.perf_counter()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(settings.seed)
        network = build().to(device)
        factors = {
            parameter: (rate_factors or {}).get(parameter, default_rate_factor)
            for parameter, _ in network.named_parameters()
        }
        epochs = _train_epochs(network, batches(device), n_examples, settings, factors)
        best_loss, best_epoch, stop_reason, waited = math.inf, 0, "", 0
        best_weights = _copy_weights(network)
        for epoch, loss in enumerate(epochs, 1):
            if not math.isfinite(loss):
                stop_reason = f"the loss of epoch {epoch} is {loss}"
                break
            if epoch % settings.look_every and epoch < settings.epochs:
                continue
            found = validate(network.eval())
            network.train()
            if sys.stderr.isatty():
                print(f"{name}: epoch {epoch}, loss {loss:.4f}, {found:.4f}", file=sys.stderr)
            waited += 1
            if found < best_loss:
                best_loss, best_epoch, waited = found, epoch, 0
                best_weights = _copy_weights(network)
            if not math.isfinite(found) or waited >= settings.patience:
                stop_reason = f"no better since epoch {best_epoch}"
                break
    if not best_epoch:
        raise InputError(
            f"{name}: {stop_reason or 'nothing was learned'}, so there is nothing to keep; "
            "try a smaller learning rate."
        )
    network.load_state_dict(best_weights)
    seconds = time.perf_counter() - start
    outcome = EarlyStoppingResult(best_loss, best_epoch, seconds, stop_reason)
    return network.eval().cpu(), outcome


def _train_epochs(
    network: TrainableNetwork,
    batches: Callable[[], Iterable[tuple[float, Batch]]],
    n_examples: int,
    settings: NetworkSettings,
    rate_factors: Mapping[str, float],
) -> Iterator[float]:
    """Train an epoch each, giving its mean loss."""
    optimizer = torch.optim.Adam(
        [
            {"params": [value], "rate_factor": rate_factors[name]}
            for name, value in network.named_parameters()
        ],
        lr=settings.rate,
    )
    decay = settings.decay / n_examples
    for epoch in range(settings.epochs):
        total, count = 0.0, 0
        for done, batch in batches():
            share = learning_rate_share(settings.schedule, (epoch + done) / settings.epochs)
            for group in optimizer.param_groups:
                group["lr"] = settings.rate * share * group["rate_factor"]
            loss = network.loss(batch, settings.weights)
            optimizer.zero_grad()
            (loss + decay * network.penalty()).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += float(loss.detach()) * len(batch)
            count += len(batch)
        yield total / count


def learning_rate_share(schedule: LearningRateSchedule, progress: float) -> float:
    """Return the share of the learning rate at ``progress`` (0 to 1) through training."""
    if schedule == "linear":
        return 1.0 - progress
    if schedule == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * progress))
    if schedule == "warmup":
        return min(1.0, progress / WARMUP_SHARE) * (
            1.0 - max(0.0, progress - WARMUP_SHARE) / (1.0 - WARMUP_SHARE)
        )
    return 1.0


def torch_device(name: str) -> torch.device:
    """Return the device to train on: ``auto`` is a GPU if there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError):
        raise InputError(
            f"--device {name}: PyTorch finds no such device; leave it out to use what is there."
        ) from None
    return device


@dataclass(frozen=True, slots=True)
class PairBatch:
    """Pairs of a user and an anime on the device; targets are NaN where there are none."""

    user: Tensor
    item: Tensor
    residual: Tensor
    label: Tensor

    def __len__(self) -> int:
        return len(self.user)

    def select(self, rows: Tensor) -> PairBatch:
        """Return the pairs at ``rows``."""
        parts = (self.user, self.item, self.residual, self.label)
        return PairBatch(*(part[rows] for part in parts))


class EmbeddingNetwork(TrainableNetwork):
    """Embeddings of users and anime; what is made of them is for the subclasses to say."""

    def __init__(self, n_users: int, n_items: int, settings: NetworkSettings) -> None:
        super().__init__()
        self.user_embedding = nn.Embedding(n_users, settings.size)
        self.item_embedding = nn.Embedding(n_items, settings.size)
        for table in (self.user_embedding, self.item_embedding):
            init_embedding(table.weight, settings.initialiser)

    def forward(self, user: Tensor, item: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Residual scores and logits of likes for pairs; None where it predicts none."""
        raise NotImplementedError

    def losses(
        self, scores: Tensor | None, logits: Tensor | None, batch: PairBatch
    ) -> tuple[Tensor, Tensor]:
        """Sum squared errors and cross-entropies over the pairs that have a target."""
        squares = entropy = self.item_embedding.weight.new_zeros(())
        if scores is not None:
            has_target, target = split_missing(batch.residual)
            squares = (has_target * (scores - target) ** 2).sum()
        if logits is not None:
            has_target, target = split_missing(batch.label)
            entropy = (has_target * (nn.functional.softplus(logits) - target * logits)).sum()
        return squares, entropy

    def loss(self, batch: PairBatch, weights: tuple[float, float]) -> Tensor:
        """Return the mean loss over the batch."""
        scores, logits = self(batch.user, batch.item)
        squares, entropy = self.losses(scores, logits, batch)
        return (weights[0] * squares + weights[1] * entropy) / len(batch)

    def penalty(self) -> Tensor:
        """Sum the squares of what is held to its start or to 0."""
        return self.user_embedding.weight.square().sum() + self.item_embedding.weight.square().sum()


def pair_batches(pairs: TrainingPairs, rows: Int64Array, batch_size: int) -> BatchSource:
    """Return the pairs at ``rows`` (r,) in a new random order each epoch."""

    def on_device(device: torch.device) -> Callable[[], Iterator[tuple[float, PairBatch]]]:
        parts = (pairs.user, pairs.item, pairs.residual, pairs.label)
        data = PairBatch(*(torch.from_numpy(part[rows]).to(device) for part in parts))

        def epoch() -> Iterator[tuple[float, PairBatch]]:
            order = torch.randperm(len(data)).to(device)
            n_batches = math.ceil(len(data) / batch_size)
            for at in range(n_batches):
                chosen = order[at * batch_size : (at + 1) * batch_size]
                yield at / n_batches, data.select(chosen)

        return epoch

    return on_device


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


def split_missing(target: Tensor) -> tuple[Tensor, Tensor]:
    """Where there is a target, and the targets with 0 where there is none (NaN has no slope)."""
    return ~torch.isnan(target), torch.nan_to_num(target)


def to_numpy(tensor: Tensor) -> Float64Array:
    """Return the values in double precision and the same shape (...,)."""
    values: Float64Array = tensor.detach().cpu().double().numpy()
    return values


def _copy_weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}
