"""What can be set about a model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self, get_args

from annotated_types import Gt
from pydantic import Field

from model_build.util.errors import InputError, read_file
from model_build.util.options import Config, NonNegativeFloat, NonNegativeInt, PositiveInt

MatrixPrecision = Literal["exact", "compact"]


class Hyperparameters(Config):
    """What can be set about a model; defaults were chosen by `docs/model.md`'s measurements."""

    reg_user: NonNegativeFloat = Field(15.0, description="regularisation of the user biases")
    reg_item: NonNegativeFloat = Field(10.0, description="regularisation of the anime biases")
    epochs: PositiveInt = Field(10, description="rounds of least squares for the biases")
    shrinkage: NonNegativeFloat = Field(
        100.0, description="pulls similarities of few common fans to 0"
    )
    min_support: PositiveInt = Field(1, description="common fans that a similarity needs")
    neighbours: PositiveInt = Field(500, description="similar anime kept for each anime")
    k: PositiveInt = Field(40, description="neighbours that a predicted score rests on")
    precision: MatrixPrecision = Field(
        "exact",
        description="compact stores all similarities of anime with ratings enough in 16 bits, each "
        "pair once, instead of those of neighbours",
    )
    pair_ratings: PositiveInt = Field(
        30, description="ratings that one anime of a pair needs for compact to store it"
    )
    affinity_ridge: NonNegativeFloat = Field(150.0, description="regularisation of the affinity")
    affinity_dropout: NonNegativeFloat = Field(
        0.3, description="further regularisation, by how often seen"
    )
    affinity_popularity: NonNegativeFloat = Field(
        0.14, description="how much popular anime are held back"
    )
    affinity_neighbours: PositiveInt = Field(800, description="affinities kept for each anime")
    affinity_lists: NonNegativeInt = Field(
        0,
        description="on how many lists an anime with affinities must be; 0: ten, and one of 2,000",
    )
    newcomer_neighbours: PositiveInt = Field(
        200, description="affinities kept for very short lists"
    )
    newcomer_tail: NonNegativeInt = Field(
        20, description="affinities to little known anime kept beside those"
    )
    taste_neighbours: PositiveInt = Field(
        200, description="similar anime kept for sharper predicted scores"
    )
    taste_shrinkage: NonNegativeFloat = Field(
        100.0, description="pulls their similarities of few common fans to 0"
    )
    taste_factors: PositiveInt = Field(
        256, description="factors of what fans' scores have in common"
    )
    fresh_neighbours: PositiveInt = Field(
        200, description="affinities kept for an anime too new for scores"
    )
    fresh_weight: NonNegativeFloat = Field(
        0.25, description="how much of what its facts lead to expect an anime too new gets"
    )
    recent_facts_weight: NonNegativeFloat = Field(
        0.5, description="the same for a recent anime, had nobody listed it"
    )
    recent_facts_shrinkage: NonNegativeFloat = Field(
        100.0, gt=0, description="on how many lists a recent anime gets half of that"
    )
    facts_input_weight: NonNegativeFloat = Field(
        3.0, description="on short lists, how many times that such an anime speaks for its like"
    )
    facts_input_neighbours: PositiveInt = Field(30, description="anime that it speaks for so")
    story_weight: NonNegativeFloat = Field(
        1.6, description="how much a recent anime gets of what anime of one story give each other"
    )

    @classmethod
    def of_manifest(cls, known: Mapping[str, Any]) -> Self:
        """Return those among the numbers that a model's manifest calls hyperparameters."""
        return cls(**{name: known[name] for name in cls.model_fields if name in known})

    def affinity_min_entries(self, n_users: int) -> int:
        """On how many of the users' lists an anime must be to have affinities."""
        from model_build.train.affinity import default_min_entries  # numba, which options need not

        return self.affinity_lists or default_min_entries(n_users)


HYPERPARAMETER_DEFAULTS = Hyperparameters().model_dump()
MAX_VALUE = 10**9


def read_hyperparameters(path: Path) -> dict[str, Any]:
    """Read settings from a file, as keyword arguments of `Hyperparameters`.

    With ``search`` in the file, as `tune --folds` writes it, they are those under ``settings``.
    """
    found = _read_settings_file(path)
    # Beside the settings that a search found is how it found them.
    settings = found.get("settings") if "search" in found else found
    if not isinstance(settings, dict):
        raise InputError(f"{path}: expected one JSON object of settings, as tune writes.")
    return {name: _validated_value(path, name, value) for name, value in settings.items()}


def describe_settings(path: Path) -> str:
    """Say what a file of settings is: its name and digest, and the command that found them."""
    search = _read_settings_file(path).get("search")
    command = search.get("command") if isinstance(search, dict) else None
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return f"{path.name}, sha256 {digest}{f', {command}' if command else ''}"


def _read_settings_file(path: Path) -> dict[str, Any]:
    parse = partial(json.loads, object_pairs_hook=_reject_duplicate_keys)
    found = read_file(path, "settings", parse)
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected one JSON object of settings, as tune writes.")
    return found


def _reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(pairs)
    if len(named) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice} stands there more than once")
    return named


def _validated_value(path: Path, name: str, value: object) -> float | int | str:
    if name not in HYPERPARAMETER_DEFAULTS:
        near = get_close_matches(name, HYPERPARAMETER_DEFAULTS, 1)
        expected = f"expected some of {', '.join(HYPERPARAMETER_DEFAULTS)}."
        raise InputError(
            f"{path}: {name!r} is no setting; {f'did you mean {near[0]}?' if near else expected}"
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
        above = any(isinstance(rule, Gt) for rule in Hyperparameters.model_fields[name].metadata)
        expected = f"a number {'above 0, at most' if above else 'from 0 to'} {MAX_VALUE:,}"
        wrong = isinstance(value, bool) or (above and value == 0)
        if isinstance(value, int | float) and not wrong and 0 <= value <= MAX_VALUE:
            return float(value)
    raise InputError(f"{path}: {name} is {json.dumps(value)}; expected {expected}.")


def write_hyperparameters(path: Path, hyperparameters: Mapping[str, float | int | str]) -> None:
    """Write the file in one step: at every instant the old one or the new one stands there."""
    from app.recommender.atomic_writes import write_text_atomically  # numba, as above

    write_text_atomically(path, json.dumps(dict(hyperparameters), indent=2) + "\n")
