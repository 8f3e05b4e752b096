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

from model_build.commands.arguments import non_negative_float, non_negative_int, positive_int
from model_build.util.errors import InputError

OptionScalar = str | int | float | bool
OptionValue = OptionScalar | list[OptionScalar]

INTEGER_PARSERS: tuple[object, ...] = (int, positive_int, non_negative_int)
FLOAT_PARSERS: tuple[object, ...] = (float, non_negative_float)
DEFAULT_IN_HELP = re.compile(r"\(default:? ([^;)]+)")


@dataclass(frozen=True, slots=True)
class CommandOption:
    """One option of a command; ``key`` is its name in the configuration.

    ``kind`` is the type of a value in TOML, ``default`` what holds where it is left out, if that
    is known, ``flag`` how it is written on a command line.
    """

    key: str
    flag: str
    value_type: type[OptionScalar]
    accepts_many: bool
    help: str
    metavar: str
    default: OptionValue | None
    choices: tuple[str, ...]
    is_path: bool
    parse: Callable[[str], object]

    def to_argv(self, value: OptionValue) -> list[str]:
        """The option on a command line; flags that are off are not there."""
        if self.value_type is bool:
            return [self.flag] if value else []
        values = value if isinstance(value, list) else [value]
        if self.accepts_many:
            return [self.flag, *map(str, values)]
        return [f"{self.flag}={values[0]}"]  # so that it may begin with a dash


class _RaisingParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(message)


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A command, or one of those beneath it: ``("collect", "kitsu")``."""

    names: tuple[str, ...]
    parser: argparse.ArgumentParser
    options: dict[str, CommandOption]
    run: Callable[[argparse.Namespace], None]

    @classmethod
    def load(cls, *names: str) -> CommandSpec:
        """The command of this name, or one beneath it.

        Raises:
            InputError: there is no such command.
        """
        from model_build.cli import COMMANDS

        name, *below = names
        if name not in COMMANDS:
            raise InputError(f"this version of Hakken has no command {name}.")
        module = import_module(f"model_build.commands.{name}")
        parser: argparse.ArgumentParser = _RaisingParser(prog=f"python -m model_build {name}")
        module.add_arguments(parser)
        for word in below:
            parser = _subparsers(parser)[word]
        options = {
            option.key: option
            for action in parser._actions
            if (option := _option_from_action(action)) is not None
        }
        return cls(names, parser, options, module.run)

    @property
    def subcommands(self) -> tuple[str, ...]:
        """The commands beneath this one: one of them must be chosen."""
        return tuple(_subparsers(self.parser))

    def to_argv(self, options: dict[str, OptionValue]) -> list[str]:
        """The words of a command line with these options."""
        words = [word for key in options for word in self.options[key].to_argv(options[key])]
        return [*self.names, *words]

    def parse_arguments(self, argv: Sequence[str]) -> argparse.Namespace:
        """The arguments for ``run``.

        Raises:
            InputError: options are missing or contradict each other.
        """
        # Of the command's own parser, as the parsers beneath it set what the command goes by.
        parser: argparse.ArgumentParser = _RaisingParser(
            prog=f"python -m model_build {self.names[0]}"
        )
        import_module(f"model_build.commands.{self.names[0]}").add_arguments(parser)
        return parser.parse_args(list(argv[1:]))


def _subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _option_from_action(action: argparse.Action) -> CommandOption | None:
    if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
        return None
    if not isinstance(action, argparse._StoreAction | argparse._StoreTrueAction):
        raise TypeError(f"{action}: the configuration has no form for such an option yet")
    flag = max(action.option_strings, key=len)
    kind = _value_type(action)
    told = argparse.HelpFormatter("")._expand_help(action) if action.help else ""
    help_text = " ".join(told.split())
    return CommandOption(
        key=flag.lstrip("-").replace("-", "_"),
        flag=flag,
        value_type=kind,
        accepts_many=action.nargs in ("+", "*"),
        help=help_text,
        metavar=action.metavar if isinstance(action.metavar, str) else action.dest.upper(),
        default=_default_value(action, kind, help_text),
        choices=tuple(map(str, action.choices or ())),
        is_path=action.type is Path,
        parse=action.type if callable(action.type) else str,
    )


def _value_type(action: argparse.Action) -> type[OptionScalar]:
    if isinstance(action, argparse._StoreTrueAction):
        return bool
    if action.type in INTEGER_PARSERS:
        return int
    return float if action.type in FLOAT_PARSERS else str


def _default_value(
    action: argparse.Action, value_type: type[OptionScalar], help_text: str
) -> OptionValue | None:
    """As argparse has it, or as the help tells."""
    found = action.default
    if isinstance(found, tuple | list):
        each: list[OptionScalar] = [str(value) for value in found]
        return each if action.nargs in ("+", "*") else ",".join(map(str, each))
    if found is not None:
        return found if isinstance(found, bool | int | float) else str(found)
    told = DEFAULT_IN_HELP.search(help_text)
    if told is None or action.nargs in ("+", "*") or action.type is Path:
        return None
    word = told[1].replace(",", "")
    for as_read in (int, float, str) if value_type is str and action.type else (value_type,):
        try:
            value = as_read(word)
        except ValueError:
            continue
        return None if isinstance(value, str) and " " in value else value
    return None
