"""Options of a command as one frozen model, so that an option is written once: as a field.

A field has the option's type, default, bounds and description. From it come the option on the
command line, the key of the pipeline's file, and what the pipeline compares with an earlier run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, Self, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, model_validator
from pydantic_core import ErrorDetails, PydanticUndefined

MAX_SHOWN = 40
"""Letters of a wrong value that an error repeats."""


class OptionRole(Enum):
    """What an option is, beside its value.

    PLACE is a path or an address that is neither read nor written whole; SUBCOMMAND chooses the
    command beneath a command, POSITIONAL has no flag.
    """

    INPUT = "input"
    OUTPUT = "output"
    PLACE = "place"
    SUBCOMMAND = "subcommand"
    POSITIONAL = "positional"


class Metavar(str):
    """What stands for the value in a help text."""

    __slots__ = ()


def parse_byte_size(text: str) -> int:
    """Bytes, as a number with a unit: 500MB, 4GiB.

    Raises
    ------
    ValueError
        It is no such amount.
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([KMGT])(i?)B", text.strip())
    if not found:
        raise ValueError(f"{text!r} is not an amount of memory such as 4GB")
    number, unit, binary = found.groups()
    return int(float(number) * (1024 if binary else 1000) ** ("KMGT".index(unit) + 1))


def _check_byte_size(value: object) -> str:
    parse_byte_size(str(value))
    return str(value)


MAX_WHOLE = 2**31 - 1
MAX_REAL = 1e30
"""No option takes a number beyond: arrays are counted and hold single precision."""

PositiveInt = Annotated[int, Ge(1)]
Threads = Annotated[int, Ge(1), Le(1024), Metavar("N")]
Count = Annotated[int, Ge(1), Metavar("N")]
NonNegativeInt = Annotated[int, Ge(0)]
NonNegativeFloat = Annotated[float, Ge(0)]
ByteSize = Annotated[str, BeforeValidator(_check_byte_size), Metavar("SIZE")]
InputFile = Annotated[Path, OptionRole.INPUT, Metavar("FILE")]
InputFiles = tuple[InputFile, ...]
InputFolder = Annotated[Path, OptionRole.INPUT, Metavar("DIR")]
InputPlaces = tuple[Annotated[str, OptionRole.INPUT, Metavar("FILE")], ...]
OutputFile = Annotated[Path, OptionRole.OUTPUT, Metavar("FILE")]
OutputFolder = Annotated[Path, OptionRole.OUTPUT, Metavar("DIR")]
Location = Annotated[str, OptionRole.PLACE, Metavar("URL")]
OrderName = Literal["match", "score", "discover"]
EngineChoice = Literal["hakken", "als", "mf", "mlp", "hybrid", "cosine", "kernel"]


class Config(BaseModel):
    """All that a command is given; of ``exclusive`` pairs only one option may be given."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_by_name=True,
        validate_by_alias=True,
    )
    exclusive: ClassVar[tuple[tuple[str, str], ...]] = ()

    @model_validator(mode="after")
    def _check_exclusive(self) -> Self:
        options = {option.name: option for option in options_of(type(self))}
        flags = {name: option.flag for name, option in options.items()}
        for name in self.model_fields_set & flags.keys():
            given = getattr(self, name)
            if given == () and options[name].default:
                raise ValueError(f"argument {flags[name]}: expected at least one argument")
            for value in given if isinstance(given, tuple) else (given,):
                most = {int: MAX_WHOLE, float: MAX_REAL}.get(type(value))
                if most is not None and abs(value) > most:
                    raise ValueError(
                        f"argument {flags[name]}: {value} is beyond {most:,}, the largest number "
                        "that makes sense"
                    )
        for first, second in self.exclusive:
            if {first, second} <= self.model_fields_set:
                raise ValueError(
                    f"argument {flags[second]}: not allowed with argument {flags[first]}"
                )
        return self


@dataclass(frozen=True, slots=True, eq=False)
class Option:
    """One field of a `Config`; ``type`` is that of one value where ``many`` may be given."""

    name: str
    key: str
    type: type
    many: bool
    choices: tuple[str, ...]
    required: bool
    default: Any
    examples: tuple[Any, ...]
    description: str
    rules: tuple[Any, ...]

    @property
    def flag(self) -> str:
        """The option on a command line."""
        return "--" + self.key.replace("_", "-")

    @property
    def role(self) -> OptionRole | None:
        """What it is, if that is said."""
        return next((rule for rule in self.rules if isinstance(rule, OptionRole)), None)

    @property
    def metavar(self) -> str | None:
        """What stands for its value in a help text, if that is said."""
        return next((str(rule) for rule in self.rules if isinstance(rule, Metavar)), None)

    def parse(self, text: str) -> Any:
        """One value from a word of a command line.

        Raises
        ------
        pydantic.ValidationError
            It cannot have this value; `problem` says why.
        """
        rules = tuple(rule for rule in self.rules if not isinstance(rule, OptionRole | Metavar))
        kind: Any = Annotated[(self.type, *rules)] if rules else self.type
        config = None if self.type is Path else ConfigDict(allow_inf_nan=False)
        return TypeAdapter(kind, config=config).validate_python(text)

    def problem(self, error: ErrorDetails) -> str:
        """Why a value is refused, in words that begin with the value."""
        value, expected = error["input"], "a whole number" if self.type is int else "a number"
        match error["type"]:
            case "value_error":
                return str(error["ctx"]["error"])
            case "literal_error":
                return f"{value} is none of {', '.join(self.choices)}"
            case "greater_than_equal" | "finite_number":
                least = next(rule.ge for rule in self.rules if isinstance(rule, Ge))
                shown = value if isinstance(value, str) else self.type(value)
                return f"{shown} is not {expected} of at least {least}"
            case "greater_than":
                below = next(rule.gt for rule in self.rules if isinstance(rule, Gt))
                return f"{value} is not {expected} above {below}"
            case "less_than_equal":
                most = next(rule.le for rule in self.rules if isinstance(rule, Le))
                return f"{value} is not {expected} of at most {most}"
            case "less_than":
                above = next(rule.lt for rule in self.rules if isinstance(rule, Lt))
                return f"{value} is not {expected} below {above}"
        shown = value if len(str(value)) <= MAX_SHOWN else f"{str(value)[:MAX_SHOWN]}…"
        return f"{shown!r} is not {expected}"


@cache
def options_of(config: type[BaseModel]) -> tuple[Option, ...]:
    """Return the options of a command, in the order of the fields."""
    found = []
    for name, field in config.model_fields.items():
        rules = list(field.metadata)
        kind, many = _unwrap(field.annotation, rules)
        choices = tuple(map(str, get_args(kind))) if get_origin(kind) is Literal else ()
        found.append(
            Option(
                name=name,
                key=field.serialization_alias or name,
                type=str if choices else kind,
                many=many,
                choices=choices,
                required=field.is_required(),
                default=None if field.default is PydanticUndefined else field.default,
                examples=tuple(field.examples or ()),
                description=field.description or "",
                rules=tuple(rules),
            )
        )
    return tuple(found)


def named(key: str, description: str, default: Any = ..., **more: Any) -> Any:
    """Return a field whose option has a name that no field can have, such as ``from``."""
    return Field(
        default, description=description, validation_alias=key, serialization_alias=key, **more
    )


def given_options(config: BaseModel) -> Mapping[Option, Any]:
    """Return what was given, and not left at its default."""
    return {
        option: getattr(config, option.name)
        for option in options_of(type(config))
        if option.name in config.model_fields_set
    }


def _unwrap(annotation: Any, rules: list[Any]) -> tuple[Any, bool]:
    """Return the type of one value, and whether there may be many; extend ``rules``."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        rules += arguments[1:]
        return _unwrap(arguments[0], rules)
    if origin in (Union, UnionType):
        (inner,) = (part for part in arguments if part is not type(None))
        return _unwrap(inner, rules)
    if origin is tuple:
        return _unwrap(arguments[0], rules)[0], True
    return annotation, False
