"""What can be set about a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from app.recommender.atomic_writes import write_text_atomically
from model_build.train.affinity import FULL_HISTORY, default_min_entries
from model_build.train.score_model import SIMILARITY_SHRINKAGE
from model_build.util.errors import InputError

MatrixPrecision = Literal["exact", "compact"]


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """What can be set about a model; defaults were chosen by `docs/model.md`'s measurements."""

    reg_user: float = 15.0
    reg_item: float = 10.0
    epochs: int = 10
    shrinkage: float = 100.0
    min_support: int = 1
    neighbours: int = 500
    k: int = 40
    precision: MatrixPrecision = "exact"
    affinity_ridge: float = FULL_HISTORY.ridge
    affinity_dropout: float = FULL_HISTORY.dropout
    affinity_popularity: float = FULL_HISTORY.popularity_power
    affinity_neighbours: int = 800
    affinity_lists: int = 0
    newcomer_neighbours: int = 200
    taste_neighbours: int = 200
    taste_shrinkage: float = SIMILARITY_SHRINKAGE
    taste_factors: int = 256
    fresh_neighbours: int = 200

    def affinity_min_entries(self, n_users: int) -> int:
        """On how many of the fans' lists an anime must be to have affinities."""
        return self.affinity_lists or default_min_entries(n_users)


HYPERPARAMETER_DEFAULTS = {setting.name: setting.default for setting in fields(Hyperparameters)}
MAX_VALUE = 10**9


def read_hyperparameters(path: Path) -> dict[str, Any]:
    """The settings that stand in a file, as keyword arguments of `Hyperparameters`.

    Raises:
        InputError: no such file, no JSON object, an unknown setting or a value that it cannot have.
    """
    try:
        found = json.loads(path.read_text("utf-8"), object_pairs_hook=_reject_duplicate_keys)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as settings ({error}).") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected one JSON object of settings, as tune writes.")
    return {name: _validated_value(path, name, value) for name, value in found.items()}


def _reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(pairs)
    if len(named) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice} stands there more than once")
    return named


def _validated_value(path: Path, name: str, value: object) -> float | int | str:
    if name not in HYPERPARAMETER_DEFAULTS:
        raise InputError(
            f"{path}: {name!r} is no setting; expected some of "
            f"{', '.join(HYPERPARAMETER_DEFAULTS)}."
        )
    default = HYPERPARAMETER_DEFAULTS[name]
    if isinstance(default, str):
        expected = " or ".join(get_args(MatrixPrecision))
        if isinstance(value, str) and value in get_args(MatrixPrecision):
            return value
    elif isinstance(default, int):
        least = min(1, default)  # 0 where it says: as many as fit the ratings
        expected = f"a whole number from {least} to {MAX_VALUE:,}"
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= MAX_VALUE:
            return value
    else:
        expected = f"a number from 0 to {MAX_VALUE:,}"
        boolean = isinstance(value, bool)
        if isinstance(value, int | float) and not boolean and 0 <= value <= MAX_VALUE:
            return float(value)
    raise InputError(f"{path}: {name} is {json.dumps(value)}; expected {expected}.")


def write_hyperparameters(path: Path, hyperparameters: Mapping[str, float | int | str]) -> None:
    """Write the file in one step: at every instant the old one or the new one stands there."""
    write_text_atomically(path, json.dumps(dict(hyperparameters), indent=2) + "\n")
