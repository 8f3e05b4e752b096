"""A configuration with every option, its default and what it does, written from the commands."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from pydantic.fields import FieldInfo

from model_build.errors import InputError
from model_build.pipeline.options import Option, Value
from model_build.pipeline.sections import FIXED, SECTIONS, SERVICE, below, model_of, options_of

WIDTH = 100
IN_FORCE = ("data", "train", "evaluate", "compare", "report")
SHOWN: dict[tuple[str, str], Value] = {
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
HEAD = """\
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


def example() -> str:
    """The text of the file."""
    trackers = [name for name in FIXED if name != "data"]
    names = ("data", *SECTIONS, *trackers)
    return "\n\n".join([HEAD.rstrip("\n"), *(it for name in names for it in _blocks(name))]) + "\n"


def _blocks(name: str) -> Iterator[str]:
    if name in FIXED:
        yield _block(name, FIXED[name].__doc__ or "", _fixed(name))
        return
    section = SECTIONS[name]
    try:
        choices = below(name)
    except InputError:  # not in this version
        return
    if section.keyed:
        for choice in choices:
            yield _block(f"{name}.{choice}", section.help, _options(name, choice))
    elif choices:
        for choice in choices:
            lines = [f'{SERVICE} = "{choice}"', *_options(name, choice)]
            yield _block(name, section.help, lines)
    else:
        yield _block(name, section.help, _options(name, None))


def _block(name: str, told: str, lines: list[str]) -> str:
    force = name in IN_FORCE
    body = [line if force or line.startswith("#") else f"#{line}" for line in lines]
    head = [f"# {line}" for line in _wrapped(told)]
    return "\n".join([*head, f"[{name}]" if force else f"#[{name}]", *body])


def _fixed(name: str) -> list[str]:
    return [
        line for key, field in FIXED[name].model_fields.items() for line in _field(name, key, field)
    ]


def _options(name: str, choice: str | None) -> list[str]:
    """Keys of the pipeline's own first, then those of the commands."""
    options, lines = options_of(name, choice), list[str]()
    for key, field in model_of(name, choice).model_fields.items():
        if key in SECTIONS[name].more:
            lines += _field(name, key, field)
    for key, option in options.items():
        value = option.default
        if value is None:
            value = SHOWN.get((name, key), _for_example(option))
        lines += _line(name, key, option.help, value, known=option.default is not None)
    return lines


def _for_example(option: Option) -> Value:
    if option.kind is str:
        word = option.choices[0] if option.choices else option.metavar
        return [word] if option.many else word
    number: Value = option.kind(2)
    return [number] if option.many and not isinstance(number, list) else number


def _field(name: str, key: str, field: FieldInfo) -> list[str]:
    known = field.default is not None
    value = field.default if known else SHOWN.get((name, key), key.upper())
    return _line(name, key, field.description or "", value, known=known)


def _line(name: str, key: str, told: str, value: Any, *, known: bool = True) -> list[str]:
    text = [f"# {line}" for line in _wrapped(told)]
    if (name, key) == ("data", "ratings"):
        return [*text, f"{key} = {_toml(value)}"]
    return [*text, f"#{key} = {_toml(value)}{'' if known else '  # for example'}"]


def _wrapped(told: str) -> list[str]:
    told = " ".join(told.split())
    if "://" not in told.partition(" ")[0]:
        told = told[:1].upper() + told[1:]
    return textwrap.wrap(told, WIDTH - 2, break_on_hyphens=False)


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
