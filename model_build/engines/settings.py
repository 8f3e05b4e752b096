"""From options to the settings that engines are fitted with."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.recommender.atomic_writes import write_text_atomically
from app.recommender.engines.als import ACTIVITY_STRENGTHS, InteractionStrengths
from model_build.data.interactions import Interactions, read_interactions
from model_build.engines.als import AlsSettings
from model_build.engines.config import (
    ENGINE_OPTIONS,
    AlsData,
    AlsFitOptions,
    HybridOptions,
    NetworkOptions,
)
from model_build.util.errors import InputError

if TYPE_CHECKING:
    from model_build.engines.network_training import NetworkSettings

AS_DESCRIBED: dict[str, Any] = {
    "output": "relu",
    "user_bias": True,
    "dropout": 0.5,
    "initialiser": "uniform",
    "schedule": "constant",
    "decay": 0.0,
}
"""How `mf`, `mlp` and `hybrid` were described first: biases of fans, rectified scores, half of
everything dropped, and neither a penalty nor a falling rate."""
STRENGTH_NAMES = tuple(field.name for field in fields(InteractionStrengths))


def read_als_interactions(config: AlsData) -> Interactions:
    """What ALS learns from."""
    if not (config.ratings or config.interactions):
        raise InputError("nothing to learn from; name --ratings, --interactions or both.")
    return read_interactions(config.ratings, config.interactions)


def als_settings(config: AlsData, base: AlsSettings | None = None) -> AlsSettings:
    """Settings of ALS: those of ``base`` (default: the defaults), and what the options say.

    An option for a strength goes before the file of strengths.
    """
    base = base or AlsSettings()
    strengths = read_strengths(config.strengths) if config.strengths else base.strengths

    def given(*names: str) -> dict[str, Any]:
        return {name: getattr(config, name) for name in config.model_fields_set.intersection(names)}

    settings = replace(
        base,
        strengths=replace(strengths, **given(*STRENGTH_NAMES)),
        seed=config.seed,
        **given("alpha"),
    )
    if not isinstance(config, AlsFitOptions):
        return settings
    return replace(settings, **given("factors", "regularization", "iterations"))


def read_strengths(path: Path) -> InteractionStrengths:
    """Strengths from a file."""
    try:
        found = json.loads(path.read_text("utf-8"))
        # A file from before there were strengths of activity does not have them.
        found = dict.fromkeys(ACTIVITY_STRENGTHS, 0.0) | found
        strengths = {name: float(found[name]) for name in STRENGTH_NAMES}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: expected a number for each of {', '.join(STRENGTH_NAMES)} ({error!r})."
        ) from None
    wrong = [name for name, value in strengths.items() if not 0 <= value < float("inf")]
    if wrong:
        raise InputError(f"{path}: {wrong[0]} is {strengths[wrong[0]]}; expected at least 0.")
    return InteractionStrengths(**strengths)


def write_strengths(path: Path, strengths: InteractionStrengths) -> None:
    """Write strengths as `read_strengths` takes them."""
    write_text_atomically(path, json.dumps(asdict(strengths), indent=2) + "\n")


def network_settings(
    config: NetworkOptions, name: str, defaults: NetworkSettings
) -> NetworkSettings:
    """Return the settings of an engine: its defaults or those of a recipe, with what was given.

    Options that only other engines have are left out: `neural` is given those of all.
    """
    foreign = HybridOptions.model_fields.keys() - ENGINE_OPTIONS[name].model_fields.keys()
    given = config.model_fields_set - foreign

    def value(option: str, default: Any) -> Any:
        return getattr(config, option) if option in given else default

    if value("recipe", "today") == "as-described":
        defaults = replace(defaults, **AS_DESCRIBED)
    rating, interaction = defaults.weights
    chosen = {
        field.name: value(field.name, getattr(defaults, field.name)) for field in fields(defaults)
    }
    chosen["weights"] = (value("weight_rating", rating), value("weight_interaction", interaction))
    return replace(defaults, **chosen)
