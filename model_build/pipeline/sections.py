"""The sections of a configuration: which options of which commands each of them has."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from model_build.pipeline.command_options import (
    CommandOption,
    CommandSpec,
    OptionScalar,
    OptionValue,
)

SERVICE_KEY = "service"
"""The key that chooses where to collect from."""
BUNDLED = "bundled"


class StrictModel(BaseModel):
    """No key that is not known, and no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class DataSection(StrictModel):
    """Ratings that lie in files, and facts about anime."""

    ratings: str | list[str] | None = Field(
        None, description="CSV or Parquet files, or one folder that prepare wrote"
    )
    catalogue: str | None = Field(
        None, description="facts about anime, CSV or Parquet (default: what came with the ratings)"
    )


class MLflowSection(StrictModel):
    """Track every run with MLflow."""

    uri: str | None = Field(
        None, description="a tracking server (default: a SQLite file in the work folder)"
    )
    experiment: str = Field("hakken", description="what runs are filed under")
    register_as: str = Field("hakken", description="name of the model in the registry; empty: none")
    model_files: bool = Field(True, description="whether the model itself is kept with the run")


class WandbSection(StrictModel):
    """Track every run with Weights & Biases."""

    project: str = Field("hakken", description="what runs are filed under")
    entity: str | None = Field(None, description="the user or team that it belongs to")
    mode: Literal["online", "offline"] | None = Field(
        None, description="online or offline (default: online where WANDB_API_KEY is set)"
    )
    model_files: bool = Field(False, description="whether the model itself is kept with the run")


PRETRAINED_FIELDS: dict[str, Any] = {
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
class SectionSpec:
    """What a section sets: options of ``commands``, but for those that the pipeline gives itself.

    A section that is ``keyed`` has a table for each command beneath: ``[engines.als]``.
    """

    help: str
    commands: tuple[str, ...]
    excluded_options: frozenset[str]
    extra_fields: Mapping[str, Any]
    per_subcommand: bool = False


def _section_spec(
    help_text: str,
    *commands: str,
    excluded_options: str,
    per_subcommand: bool = False,
    extra_fields: Any = None,
) -> SectionSpec:
    return SectionSpec(
        help_text, commands, frozenset(excluded_options.split()), extra_fields or {}, per_subcommand
    )


SECTION_SPECS = {
    "collect": _section_spec(
        "Collect lists from a service. Left out, ratings come from files.",
        "collect",
        excluded_options="out quiet",
    ),
    "prepare": _section_spec(
        "Clean a public dump. Left out, ratings are taken as they are.",
        "prepare",
        excluded_options="out add quiet",
    ),
    "train": _section_spec(
        "Train the model, or fetch one.",
        "train",
        excluded_options="ratings catalogue out metrics quiet",
        extra_fields=PRETRAINED_FIELDS,
    ),
    "engines": _section_spec(
        "Further engines beside Hakken's own, a table each: [engines.als]",
        "engine",
        excluded_options="model ratings interactions strengths out",
        per_subcommand=True,
    ),
    "evaluate": _section_spec(
        "Measure on fans left out: the same is trained again without them.",
        "split",
        "evaluate",
        excluded_options="ratings out model lists holdout json engine",
    ),
    "compare": _section_spec(
        "Measure Hakken and other recommenders side by side.",
        "compare",
        excluded_options="ratings catalogue json",
    ),
    "report": _section_spec(
        "Write a page about the model.",
        "report",
        excluded_options="ratings model out catalogue compare",
    ),
    "publish": _section_spec(
        "Make the model the live one. Left out, nothing is published.",
        "publish",
        excluded_options="model",
    ),
}
FIXED_SECTIONS: dict[str, type[StrictModel]] = {
    "data": DataSection,
    "mlflow": MLflowSection,
    "wandb": WandbSection,
}


def section_subcommands(name: str) -> tuple[str, ...]:
    """What can be chosen in a section: services to collect from, engines. Mostly nothing.

    Raises:
        InputError: this version has no such command.
    """
    return CommandSpec.load(SECTION_SPECS[name].commands[0]).subcommands


@cache
def section_options(name: str, chosen: str | None = None) -> dict[str, CommandOption]:
    """The options of a section by key; of two commands that share a key, the first one's.

    Raises:
        InputError: this version has no such command.
    """
    section, found = SECTION_SPECS[name], dict[str, CommandOption]()
    for word in section.commands:
        command = CommandSpec.load(word)
        if command.subcommands and chosen is not None:
            command = CommandSpec.load(word, chosen)
        for key, option in command.options.items():
            if key not in section.excluded_options:
                found.setdefault(key, option)
    return found


@cache
def section_model(name: str, chosen: str | None = None) -> type[BaseModel]:
    """What validates a section.

    Raises:
        InputError: this version has no such command.
    """
    if name in FIXED_SECTIONS:
        return FIXED_SECTIONS[name]
    fields: dict[str, Any] = {
        key: (_field_type(option), Field(None, description=option.help))
        for key, option in section_options(name, chosen).items()
    }
    if section_subcommands(name) and not SECTION_SPECS[name].per_subcommand:
        fields[SERVICE_KEY] = (
            str | None,
            Field(None, description=f"one of {', '.join(section_subcommands(name))}"),
        )
    return create_model(
        name, __base__=StrictModel, **{**SECTION_SPECS[name].extra_fields, **fields}
    )


def _field_type(option: CommandOption) -> Any:
    def checked(value: OptionValue | None) -> OptionValue | None:
        for each in value if isinstance(value, list) else [value]:
            if each is not None and option.value_type is not bool:
                _check_value(option, each)
        return value

    kind: Any = option.value_type
    if kind is str and option.parse not in (str, Path):
        kind = str | int | float
    if option.accepts_many:
        kind = list[kind] | kind
    return Annotated[kind | None, AfterValidator(checked)]


def _check_value(option: CommandOption, value: OptionScalar) -> None:
    """Raises ValueError with what was expected, in the words of the command."""
    if option.choices:
        if str(value) not in option.choices:
            raise ValueError(f"{value} is none of {', '.join(option.choices)}")
        return
    try:
        option.parse(str(value))
    except (ArgumentTypeError, ValueError, TypeError) as error:
        raise ValueError(str(error)) from None
