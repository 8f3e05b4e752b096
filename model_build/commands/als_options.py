"""ALS's settings as arguments of commands."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, fields
from pathlib import Path

from app.recommender.atomic_writes import write_text_atomically
from app.recommender.engines.als import InteractionStrengths
from model_build.commands.arguments import non_negative_float, positive_int
from model_build.data.interactions import Interactions, read_interactions
from model_build.engines.als import AlsSettings
from model_build.util.errors import InputError

STRENGTH_NAMES = tuple(field.name for field in fields(InteractionStrengths))


def add_interaction_options(parser: argparse.ArgumentParser) -> None:
    """``--ratings`` and ``--interactions``, of which one is needed."""
    parser.add_argument("--ratings", nargs="+", type=Path, default=[], metavar="FILE")
    parser.add_argument(
        "--interactions",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="what `collect` wrote: favourites count, scores are not needed",
    )


def read_interactions_from(arguments: argparse.Namespace) -> Interactions:
    """What `add_data` names.

    Raises:
        InputError: nothing is named, or it cannot be read.
    """
    if not (arguments.ratings or arguments.interactions):
        raise InputError("nothing to learn from; name --ratings, --interactions or both.")
    return read_interactions(arguments.ratings, arguments.interactions)


def add_als_options(parser: argparse.ArgumentParser, *, only: tuple[str, ...] = ()) -> None:
    """An option for every setting, or for some, and for every strength."""
    default = AlsSettings()
    for name, kind in (
        ("factors", positive_int),
        ("regularization", non_negative_float),
        ("iterations", positive_int),
        ("alpha", non_negative_float),
    ):
        if only and name not in only:
            continue
        value = getattr(default, name)
        parser.add_argument(f"--{name}", type=kind, default=value, help=f"default {value:g}")
    for name in STRENGTH_NAMES:
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=non_negative_float,
            metavar="STRENGTH",
            help=f"strength of such an entry (default {getattr(default.strengths, name):g})",
        )
    parser.add_argument(
        "--strengths",
        type=Path,
        metavar="FILE",
        help="strengths as `implicit strengths` wrote them; an option of its own goes before",
    )


def als_settings_from(arguments: argparse.Namespace) -> AlsSettings:
    """What was chosen; for what has no option the default.

    Raises:
        InputError: the file of strengths cannot be used.
    """
    default = AlsSettings()
    read = read_strengths(arguments.strengths) if arguments.strengths else default.strengths
    given = {name: getattr(arguments, name) for name in STRENGTH_NAMES}
    chosen = asdict(read) | {name: value for name, value in given.items() if value is not None}
    others = {
        field.name: getattr(arguments, field.name)
        for field in fields(AlsSettings)
        if field.name != "strengths" and hasattr(arguments, field.name)
    }
    return AlsSettings(**others, strengths=InteractionStrengths(**chosen))


def read_strengths(path: Path) -> InteractionStrengths:
    """Strengths from a file.

    Raises:
        InputError: it cannot be used.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
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
