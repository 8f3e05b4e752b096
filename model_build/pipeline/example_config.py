"""A configuration with every option, its default and what it does, written from the commands."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from pydantic.fields import FieldInfo

from model_build.pipeline.command_options import CommandOption, OptionValue
from model_build.pipeline.sections import (
    FIXED_SECTIONS,
    SECTION_SPECS,
    SERVICE_KEY,
    section_model,
    section_options,
    section_subcommands,
)
from model_build.util.errors import InputError

LINE_WIDTH = 100
ACTIVE_SECTIONS = ("data", "train", "evaluate", "compare", "report")
EXAMPLE_VALUES: dict[tuple[str, str], OptionValue] = {
    ("data", "ratings"): ["ratings.parquet"],
    ("data", "catalogue"): "catalogue.parquet",
    ("train", "pretrained"): "bundled",
    ("collect", "users"): 5000,
    ("train", "fresh_since"): 2024,
    ("prepare", "dataset"): "hernan2020",
    ("prepare", "from"): "archive.zip",
    ("publish", "to"): "gs://bucket/models",
    ("mlflow", "uri"): "http://127.0.0.1:5000",
    ("wandb", "mode"): "offline",
}
"""What stands there where an option has no default that one could write."""
HEADER = """\
# What `python -m model_build pipeline --config FILE` builds, with every option there is.
#
# A line that begins with # and a key shows the default of an option, or an example where there is
# none: take the # away to set it. Steps whose section is not there are left out. Paths are relative
# to this file. Options win that are given as --set train.shrinkage=80.
# This file is written by `python -m model_build pipeline --example`.

# Where everything is kept: results, and what later runs need not do again.
#work = "build"

# Of all that is drawn by chance, for sections that have no seed of their own.
#seed = 0
"""


def example_config() -> str:
    """The text of the file."""
    trackers = [name for name in FIXED_SECTIONS if name != "data"]
    names = ("data", *SECTION_SPECS, *trackers)
    return (
        "\n\n".join([HEADER.rstrip("\n"), *(it for name in names for it in _section_blocks(name))])
        + "\n"
    )


def _section_blocks(name: str) -> Iterator[str]:
    if name in FIXED_SECTIONS:
        yield _section_block(name, FIXED_SECTIONS[name].__doc__ or "", _fixed_section_lines(name))
        return
    section = SECTION_SPECS[name]
    try:
        choices = section_subcommands(name)
    except InputError:  # not in this version
        return
    if section.per_subcommand:
        for choice in choices:
            yield _section_block(f"{name}.{choice}", section.help, _option_lines(name, choice))
    elif choices:
        for choice in choices:
            lines = [f'{SERVICE_KEY} = "{choice}"', *_option_lines(name, choice)]
            yield _section_block(name, section.help, lines)
    else:
        yield _section_block(name, section.help, _option_lines(name, None))


def _section_block(name: str, help_text: str, lines: list[str]) -> str:
    force = name in ACTIVE_SECTIONS
    body = [line if force or line.startswith("#") else f"#{line}" for line in lines]
    head = [f"# {line}" for line in _comment_lines(help_text)]
    return "\n".join([*head, f"[{name}]" if force else f"#[{name}]", *body])


def _fixed_section_lines(name: str) -> list[str]:
    return [
        line
        for key, field in FIXED_SECTIONS[name].model_fields.items()
        for line in _field_lines(name, key, field)
    ]


def _option_lines(name: str, choice: str | None) -> list[str]:
    """Keys of the pipeline's own first, then those of the commands."""
    options, lines = section_options(name, choice), list[str]()
    for key, field in section_model(name, choice).model_fields.items():
        if key in SECTION_SPECS[name].extra_fields:
            lines += _field_lines(name, key, field)
    for key, option in options.items():
        value = option.default
        if value is None:
            value = EXAMPLE_VALUES.get((name, key), _example_value(option))
        lines += _key_lines(name, key, option.help, value, known=option.default is not None)
    return lines


def _example_value(option: CommandOption) -> OptionValue:
    if option.value_type is str:
        word = option.choices[0] if option.choices else option.metavar
        return [word] if option.accepts_many else word
    number: OptionValue = option.value_type(2)
    return [number] if option.accepts_many and not isinstance(number, list) else number


def _field_lines(name: str, key: str, field: FieldInfo) -> list[str]:
    known = field.default is not None
    value = field.default if known else EXAMPLE_VALUES.get((name, key), key.upper())
    return _key_lines(name, key, field.description or "", value, known=known)


def _key_lines(name: str, key: str, help_text: str, value: Any, *, known: bool = True) -> list[str]:
    text = [f"# {line}" for line in _comment_lines(help_text)]
    if (name, key) == ("data", "ratings"):
        return [*text, f"{key} = {_toml_literal(value)}"]
    return [*text, f"#{key} = {_toml_literal(value)}{'' if known else '  # for example_config'}"]


def _comment_lines(text: str) -> list[str]:
    text = " ".join(text.split())
    if "://" not in text.partition(" ")[0]:
        text = text[:1].upper() + text[1:]
    return textwrap.wrap(text, LINE_WIDTH - 2, break_on_hyphens=False)


def _toml_literal(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
