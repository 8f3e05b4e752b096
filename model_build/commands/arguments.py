"""What commands' arguments share, so that a wrong one is refused with its name and the rule."""

from __future__ import annotations

import argparse
import re

from app.recommender import EngineName, Model
from model_build.util.errors import InputError


def add_storage_option(parser: argparse.ArgumentParser, option: str) -> None:
    """A required option that says where published models are."""
    parser.add_argument(
        option, required=True, metavar="URL", help="gs://bucket/prefix, or a directory"
    )


def add_engine_option(parser: argparse.ArgumentParser) -> None:
    """``--engine``: which of a model's engines to ask."""
    parser.add_argument(
        "--engine",
        type=EngineName,
        choices=list(EngineName),
        default=EngineName.HAKKEN,
        help="one that the model has (default hakken)",
    )


def require_engine(model: Model, engine: EngineName) -> None:
    """Raise InputError if the model does not have the engine."""
    if engine not in (EngineName.HAKKEN, *model.engines):
        raise InputError(
            f"model {model.version}: it has no engine {engine}; "
            f"`python -m model_build engine {engine}` makes a model that has."
        )


def positive_int(text: str) -> int:
    """A whole number of at least 1."""
    number = _parse_number(text, int)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 1")
    return int(number)


def non_negative_int(text: str) -> int:
    """A whole number of at least 0."""
    number = _parse_number(text, int)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 0")
    return int(number)


def non_negative_float(text: str) -> float:
    """A finite number of at least 0."""
    number = _parse_number(text, float)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number of at least 0")
    return number


def byte_size(text: str) -> int:
    """Bytes, as a number with a unit: 500MB, 4GiB."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([KMGT])(i?)B", text.strip())
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount of memory such as 4GB")
    number, unit, binary = found.groups()
    return int(float(number) * (1024 if binary else 1000) ** ("KMGT".index(unit) + 1))


def _parse_number(text: str, kind: type[int] | type[float]) -> float:
    try:
        return kind(text)
    except ValueError:
        wanted = "a whole number" if kind is int else "a number"
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}") from None
