"""The sections of a configuration: which options of which commands each of them has."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from model_build.pipeline.options import Command, Option, Scalar, Value

SERVICE = "service"
"""The key that chooses where to collect from."""
BUNDLED = "bundled"


class Strict(BaseModel):
    """No key that is not known, and no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Data(Strict):
    """Ratings that lie in files, and facts about anime."""

    ratings: str | list[str] | None = Field(
        None, description="CSV or Parquet files, or one folder that prepare wrote"
    )
    catalogue: str | None = Field(
        None, description="facts about anime, CSV or Parquet (default: what came with the ratings)"
    )


class MLflow(Strict):
    """Track every run with MLflow."""

    uri: str | None = Field(
        None, description="a tracking server (default: a SQLite file in the work folder)"
    )
    experiment: str = Field("hakken", description="what runs are filed under")
    register_as: str = Field("hakken", description="name of the model in the registry; empty: none")
    model_files: bool = Field(True, description="whether the model itself is kept with the run")


class Wandb(Strict):
    """Track every run with Weights & Biases."""

    project: str = Field("hakken", description="what runs are filed under")
    entity: str | None = Field(None, description="the user or team that it belongs to")
    mode: Literal["online", "offline"] | None = Field(
        None, description="online or offline (default: online where WANDB_API_KEY is set)"
    )
    model_files: bool = Field(False, description="whether the model itself is kept with the run")


PRETRAINED: dict[str, Any] = {
    "pretrained": (
        str | None,
        Field(
            None,
            description="a model to fetch instead of training one: bundled, a directory or "
            "gs://bucket/prefix where models are published",
        ),
    ),
    "version": (
        str | None,
        Field(None, description="which of those there (default: the live one)"),
    ),
}


@dataclass(frozen=True, slots=True)
class Section:
    """What a section sets: options of ``commands``, but for those that the pipeline gives itself.

    A section that is ``keyed`` has a table for each command beneath: ``[engines.als]``.
    """

    help: str
    commands: tuple[str, ...]
    given: frozenset[str]
    more: Mapping[str, Any]
    keyed: bool = False


def _section(
    help_text: str, *commands: str, given: str, keyed: bool = False, more: Any = None
) -> Section:
    return Section(help_text, commands, frozenset(given.split()), more or {}, keyed)


SECTIONS = {
    "collect": _section(
        "Collect lists from a service. Left out, ratings come from files.",
        "collect",
        given="out quiet",
    ),
    "prepare": _section(
        "Clean a public dump. Left out, ratings are taken as they are.",
        "prepare",
        given="out add quiet",
    ),
    "train": _section(
        "Train the model, or fetch one.",
        "train",
        given="ratings catalogue out metrics quiet",
        more=PRETRAINED,
    ),
    "engines": _section(
        "Further engines beside Hakken's own, a table each: [engines.als]",
        "engine",
        given="model ratings interactions strengths out",
        keyed=True,
    ),
    "evaluate": _section(
        "Measure on fans left out: the same is trained again without them.",
        "split",
        "evaluate",
        given="ratings out model lists holdout json engine",
    ),
    "compare": _section(
        "Measure Hakken and other recommenders side by side.",
        "compare",
        given="ratings catalogue json",
    ),
    "report": _section(
        "Write a page about the model.", "report", given="ratings model out catalogue compare"
    ),
    "publish": _section(
        "Make the model the live one. Left out, nothing is published.", "publish", given="model"
    ),
}
FIXED: dict[str, type[Strict]] = {"data": Data, "mlflow": MLflow, "wandb": Wandb}


def below(name: str) -> tuple[str, ...]:
    """What can be chosen in a section: services to collect from, engines. Mostly nothing.

    Raises:
        InputError: this version has no such command.
    """
    return Command.of(SECTIONS[name].commands[0]).below


@cache
def options_of(name: str, chosen: str | None = None) -> dict[str, Option]:
    """The options of a section by key; of two commands that share a key, the first one's.

    Raises:
        InputError: this version has no such command.
    """
    section, found = SECTIONS[name], dict[str, Option]()
    for word in section.commands:
        command = Command.of(word)
        if command.below and chosen is not None:
            command = Command.of(word, chosen)
        for key, option in command.options.items():
            if key not in section.given:
                found.setdefault(key, option)
    return found


@cache
def model_of(name: str, chosen: str | None = None) -> type[BaseModel]:
    """What validates a section.

    Raises:
        InputError: this version has no such command.
    """
    if name in FIXED:
        return FIXED[name]
    fields: dict[str, Any] = {
        key: (_type(option), Field(None, description=option.help))
        for key, option in options_of(name, chosen).items()
    }
    if below(name) and not SECTIONS[name].keyed:
        fields[SERVICE] = (str | None, Field(None, description=f"one of {', '.join(below(name))}"))
    return create_model(name, __base__=Strict, **{**SECTIONS[name].more, **fields})


def _type(option: Option) -> Any:
    def checked(value: Value | None) -> Value | None:
        for each in value if isinstance(value, list) else [value]:
            if each is not None and option.kind is not bool:
                _check(option, each)
        return value

    kind: Any = option.kind
    if kind is str and option.parse not in (str, Path):
        kind = str | int | float
    if option.many:
        kind = list[kind] | kind
    return Annotated[kind | None, AfterValidator(checked)]


def _check(option: Option, value: Scalar) -> None:
    """Raises ValueError with what was expected, in the words of the command."""
    if option.choices:
        if str(value) not in option.choices:
            raise ValueError(f"{value} is none of {', '.join(option.choices)}")
        return
    try:
        option.parse(str(value))
    except (ArgumentTypeError, ValueError, TypeError) as error:
        raise ValueError(str(error)) from None
