"""The loop around training: look at fans left out, keep the best weights, stop in time."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, nn

from model_build.util.errors import InputError

if TYPE_CHECKING:
    from model_build.engines.network_training import NetworkSettings

ModuleType = TypeVar("ModuleType", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class EarlyStoppingResult:
    """How training went: ``loss`` on the validation fans at the ``epoch`` whose weights were kept.

    ``stopped`` says why it ended before its last epoch, "" if it did not.
    """

    validation_loss: float
    best_epoch: int
    seconds: float
    stop_reason: str

    def metrics(self, side: str) -> dict[str, float]:
        """What goes into a manifest's metrics."""
        return {
            f"{side}_validation_loss": self.validation_loss,
            f"{side}_epoch": float(self.best_epoch),
            f"{side}_seconds": self.seconds,
        }


def torch_device(name: str) -> torch.device:
    """The device to train on: ``auto`` is a GPU if there is one.

    Raises:
        InputError: the device is not there.
    """
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


def train_with_early_stopping(
    build: Callable[[], ModuleType],
    train_epochs: Callable[[ModuleType, torch.device], Iterable[float]],
    validate: Callable[[ModuleType], float],
    settings: NetworkSettings,
    *,
    name: str,
    progress: bool = False,
) -> tuple[ModuleType, EarlyStoppingResult]:
    """Train what is built, and return it with the weights that ``look`` liked best.

    ``epochs`` trains an epoch each time it is asked for the next loss; ``look`` gives the loss on
    the validation fans. Where a loss is not finite, training stops and keeps what was best until
    then.

    Raises:
        InputError: the very first epochs diverged, so there is nothing to keep.
    """
    device = torch_device(settings.device)
    start = time.perf_counter()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(settings.seed)
        network = build().to(device)
        best, kept, stopped = EarlyStoppingResult(math.inf, 0, 0.0, ""), _copy_weights(network), ""
        waited = 0
        for epoch, loss in enumerate(train_epochs(network, device), 1):
            if not math.isfinite(loss):
                stopped = f"the loss of epoch {epoch} is {loss}"
                break
            if epoch % settings.look_every and epoch < settings.epochs:
                continue
            found = validate(network.eval())
            network.train()
            if progress:
                print(f"{name}: epoch {epoch}, loss {loss:.4f}, {found:.4f}", file=sys.stderr)
            waited += 1
            if found < best.validation_loss:
                best, kept, waited = (
                    EarlyStoppingResult(found, epoch, 0.0, ""),
                    _copy_weights(network),
                    0,
                )
            if not math.isfinite(found) or waited >= settings.patience:
                stopped = f"no better since epoch {best.best_epoch}"
                break
    if not best.best_epoch:
        raise InputError(
            f"{name}: {stopped or 'nothing was learned'}, so there is nothing to keep; "
            "try a smaller learning rate."
        )
    network.load_state_dict(kept)
    seconds = time.perf_counter() - start
    return network.eval().cpu(), EarlyStoppingResult(
        best.validation_loss, best.best_epoch, seconds, stopped
    )


def _copy_weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}
