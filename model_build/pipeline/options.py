"""What a command can be told, read from its own argument parser.

So the configuration has every option of every command, with its limits, and cannot fall behind.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from model_build.arguments import non_negative_float, positive_int, whole_number
from model_build.errors import InputError

Scalar = str | int | float | bool
Value = Scalar | list[Scalar]

WHOLE: tuple[object, ...] = (int, positive_int, whole_number)
FLOATING: tuple[object, ...] = (float, non_negative_float)
DEFAULT = re.compile(r"\(default:? ([^;)]+)")


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a command; ``key`` is its name in the configuration.

    ``kind`` is the type of a value in TOML, ``default`` what holds where it is left out, if that
    is known, ``flag`` how it is written on a command line.
    """

    key: str
    flag: str
    kind: type[Scalar]
    many: bool
    help: str
    metavar: str
    default: Value | None
    choices: tuple[str, ...]
    is_path: bool
    parse: Callable[[str], object]

    def words(self, value: Value) -> list[str]:
        """The option on a command line; flags that are off are not there."""
        if self.kind is bool:
            return [self.flag] if value else []
        values = value if isinstance(value, list) else [value]
        if self.many:
            return [self.flag, *map(str, values)]
        return [f"{self.flag}={values[0]}"]  # so that it may begin with a dash


class _Refusing(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(message)


@dataclass(frozen=True, slots=True)
class Command:
    """A command, or one of those beneath it: ``("collect", "kitsu")``."""

    words: tuple[str, ...]
    parser: argparse.ArgumentParser
    options: dict[str, Option]
    run: Callable[[argparse.Namespace], None]

    @classmethod
    def of(cls, *words: str) -> Command:
        """The command of this name, or one beneath it.

        Raises:
            InputError: there is no such command.
        """
        from model_build.cli import COMMANDS

        name, *below = words
        if name not in COMMANDS:
            raise InputError(f"this version of Hakken has no command {name}.")
        module = import_module(f"model_build.commands.{name}")
        parser: argparse.ArgumentParser = _Refusing(prog=f"python -m model_build {name}")
        module.add_arguments(parser)
        for word in below:
            parser = _below(parser)[word]
        options = {
            option.key: option
            for action in parser._actions
            if (option := _option(action)) is not None
        }
        return cls(words, parser, options, module.run)

    @property
    def below(self) -> tuple[str, ...]:
        """The commands beneath this one: one of them must be chosen."""
        return tuple(_below(self.parser))

    def line(self, options: dict[str, Value]) -> list[str]:
        """The words of a command line with these options."""
        words = [word for key in options for word in self.options[key].words(options[key])]
        return [*self.words, *words]

    def parse(self, line: Sequence[str]) -> argparse.Namespace:
        """The arguments for ``run``.

        Raises:
            InputError: options are missing or contradict each other.
        """
        # Of the command's own parser, as the parsers beneath it set what the command goes by.
        parser: argparse.ArgumentParser = _Refusing(prog=f"python -m model_build {self.words[0]}")
        import_module(f"model_build.commands.{self.words[0]}").add_arguments(parser)
        return parser.parse_args(list(line[1:]))


def _below(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _option(action: argparse.Action) -> Option | None:
    if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
        return None
    if not isinstance(action, argparse._StoreAction | argparse._StoreTrueAction):
        raise TypeError(f"{action}: the configuration has no form for such an option yet")
    flag = max(action.option_strings, key=len)
    kind = _kind(action)
    told = argparse.HelpFormatter("")._expand_help(action) if action.help else ""
    help_text = " ".join(told.split())
    return Option(
        key=flag.lstrip("-").replace("-", "_"),
        flag=flag,
        kind=kind,
        many=action.nargs in ("+", "*"),
        help=help_text,
        metavar=action.metavar if isinstance(action.metavar, str) else action.dest.upper(),
        default=_default(action, kind, help_text),
        choices=tuple(map(str, action.choices or ())),
        is_path=action.type is Path,
        parse=action.type if callable(action.type) else str,
    )


def _kind(action: argparse.Action) -> type[Scalar]:
    if isinstance(action, argparse._StoreTrueAction):
        return bool
    if action.type in WHOLE:
        return int
    return float if action.type in FLOATING else str


def _default(action: argparse.Action, kind: type[Scalar], help_text: str) -> Value | None:
    """As argparse has it, or as the help tells."""
    found = action.default
    if isinstance(found, tuple | list):
        each: list[Scalar] = [str(value) for value in found]
        return each if action.nargs in ("+", "*") else ",".join(map(str, each))
    if found is not None:
        return found if isinstance(found, bool | int | float) else str(found)
    told = DEFAULT.search(help_text)
    if told is None or action.nargs in ("+", "*") or action.type is Path:
        return None
    word = told[1].replace(",", "")
    for as_read in (int, float, str) if kind is str and action.type else (kind,):
        try:
            value = as_read(word)
        except ValueError:
            continue
        return None if isinstance(value, str) and " " in value else value
    return None
