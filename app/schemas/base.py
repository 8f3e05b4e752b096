"""What all shapes share, and what every error looks like."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Self, dataclass_transform

from pydantic import ConfigDict, Field, PlainSerializer, TypeAdapter

SIX_DIGITS = PlainSerializer(partial(round, ndigits=6), return_type=float)
Rounded = Annotated[float, SIX_DIGITS]
"""A number that is written with six digits after the point."""
Score = Annotated[float, Field(ge=1, le=10), SIX_DIGITS]
Count = Annotated[int, Field(ge=0)]


OPTIONAL = Field(exclude_if=lambda value: value is None)
"""Left out of the answer where there is nothing to say."""


@dataclass_transform(kw_only_default=True, eq_default=False)
class Schema:
    """An object with these keys and no others: a dataclass that pydantic describes and writes."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    def __init_subclass__(cls) -> None:
        """Make a subclass a dataclass."""
        dataclass(kw_only=True, eq=False)(cls)

    @classmethod
    def of(cls, source: object, **given: Any) -> Self:
        """Take what is not ``given`` from ``source``, which has it under the same names."""
        return cls(**fields_of(cls, source, given), **given)


def fields_of(kind: type[Schema], source: object, but: Collection[str]) -> dict[str, Any]:
    """Return the fields of ``kind`` as ``source`` has them, ``but`` some."""
    names: Iterable[str] = kind.__dataclass_fields__  # type: ignore[attr-defined]
    return {name: getattr(source, name) for name in names if name not in but}


_ADAPTERS: dict[type[Schema], TypeAdapter[Any]] = {}


def adapter_of(kind: type[Schema]) -> TypeAdapter[Any]:
    """Make what describes and writes objects of this kind, once."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def to_json(answer: Schema, indent: int | None = None) -> bytes:
    """Write an answer as JSON, in the order of its fields, titles as themselves."""
    return adapter_of(type(answer)).dump_json(answer, indent=indent)


def to_dict(answer: Schema) -> dict[str, Any]:
    """Write an answer as what JSON is made of."""
    written: dict[str, Any] = adapter_of(type(answer)).dump_python(answer, mode="json")
    return written


class FieldError(Schema):
    """One thing that is wrong with a query or a body, and where."""

    path: str
    message: str


class ProblemDetails(Schema):
    """What went wrong, and what to do (RFC 9457). `type` is a page that says what it means."""

    type: str
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    errors: Annotated[list[FieldError] | None, OPTIONAL] = None
    request_id: str
