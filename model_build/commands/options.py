"""From a command's config to options of argparse, and from the command line to the config."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import ValidationError

from model_build.util.options import Config, Option, OptionRole, options_of

Subcommands = dict[str, tuple[type[Config], str]]
"""The config and one line of help of each command beneath a command."""


def parse_config(
    prog: str, description: str | None, config: type[Config] | Subcommands, words: Sequence[str]
) -> Config:
    """The config that a command line gives; exits with status 2 where it is wrong."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=description,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if isinstance(config, dict):
        return _parse_subcommand(parser, config, words)
    _add_options(parser, config)
    return _validated(parser, config, vars(parser.parse_args(words)))


def _parse_subcommand(
    parser: argparse.ArgumentParser, configs: Subcommands, words: Sequence[str]
) -> Config:
    first, *_ = configs.values()
    (chosen,) = (option for option in options_of(first[0]) if option.role is OptionRole.SUBCOMMAND)
    below = parser.add_subparsers(dest=chosen.name, required=True, metavar=chosen.metavar)
    parsers = {}
    for name, (config, help_text) in configs.items():
        parsers[name] = below.add_parser(
            name, help=help_text, description=help_text, allow_abbrev=False
        )
        _add_options(parsers[name], config)
    given = vars(parser.parse_args(words))
    name = given[chosen.name]
    return _validated(parsers[name], configs[name][0], given)


def _validated(
    parser: argparse.ArgumentParser, config: type[Config], given: dict[str, Any]
) -> Config:
    try:
        return config.model_validate(given)
    except ValidationError as error:  # values are right one by one: they contradict each other
        parser.error(str(error.errors()[0]["ctx"]["error"]))


def _add_options(parser: argparse.ArgumentParser, config: type[Config]) -> None:
    for option in sorted(options_of(config), key=lambda option: not option.required):
        described: dict[str, Any] = {"help": _help(option), "default": argparse.SUPPRESS}
        if option.role is OptionRole.SUBCOMMAND:
            continue
        if option.role is OptionRole.POSITIONAL:
            parser.add_argument(option.name, nargs="?", metavar=option.metavar, **described)
        elif option.type is bool:
            parser.add_argument(option.flag, dest=option.name, action="store_true", **described)
        else:
            parser.add_argument(
                option.flag,
                dest=option.name,
                required=option.required,
                nargs="+" if option.many else None,
                action="extend" if option.many else "store",
                type=_parse(option),
                choices=option.choices or None,
                metavar=option.metavar,
                **described,
            )


def _help(option: Option) -> str:
    if option.default is None or option.many or option.type is bool:
        return option.description.replace("%", "%%")
    default = f"{option.default:g}" if option.type is float else option.default
    return f"{option.description} (default {default})".lstrip().replace("%", "%%")


def _parse(option: Option) -> Callable[[str], Any]:
    if option.choices:
        return str  # argparse itself refuses what is none of them

    def parse(text: str) -> Any:
        try:
            return option.parse(text)
        except ValidationError as error:
            raise argparse.ArgumentTypeError(option.problem(error.errors()[0])) from None

    return parse
