"""How single values are read, from text in a query as from JSON, and what they are refused with.

What is not text, and what cannot be read, is left for the field's own rules to judge.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, ValidationInfo

from app.facets import slugify
from app.translation import gettext

_FLAG_VALUES = {"1": True, "true": True, "0": False, "false": False}
MAX_MARKS = 200
"""Titles that can be hidden, and as many marked as seen: more would not fit into an address."""
_MAX_COMMAS = 10 * MAX_MARKS
MARK_PATTERN = r"^[1-9][0-9]{0,8}(:(10|[0-9]))?$"
"""An anime's id and the score given to it, 0 or nothing for none."""


class InvalidQuery(Exception):  # noqa: N818 -- it names what is wrong, as the errors of lists do
    """A query argument that cannot be used; the sentence names it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field

    @classmethod
    def not_one_of(cls, field: str, known: Iterable[str]) -> Self:
        """Build the error of a value that is none of those known."""
        choices = ", ".join(known)
        sentence = gettext("“%(option)s” should be one of: %(known)s.", option=field, known=choices)
        return cls(field, sentence)


def split_values(value: object, info: ValidationInfo) -> Any:
    """Read ``a,,b`` as ``("a", "b")``; in JSON there are arrays for that.

    More than any option takes are refused before anybody looks at them one by one.
    """
    if isinstance(value, str):
        if info.mode == "json":
            raise ValueError("should be an array")
        if value.count(",") > _MAX_COMMAS:
            raise ValueError(f"should have at most {MAX_MARKS} items")
        value = list(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
    if not isinstance(value, list):
        return value
    if len(value) > MAX_MARKS:
        raise ValueError(f"should have at most {MAX_MARKS} items")
    return tuple(value)


def parse_slugs(value: object, info: ValidationInfo) -> object:
    """Read names of genres, tags or studios as slugs; what has no letter for one stays as it is."""
    found = split_values(value, info)
    return _map_values(found, lambda part: slugify(part) or part if isinstance(part, str) else part)


def parse_ids(value: object, info: ValidationInfo) -> object:
    """Read whole numbers."""
    found = split_values(value, info)
    return _map_values(found, lambda part: parse_int(part, info))


def parse_id_list(value: object, info: ValidationInfo) -> object:
    """Read whole numbers, empty and repeated ones included."""
    if not isinstance(value, str):
        return value
    if value.count(",") > _MAX_COMMAS:
        raise ValueError(f"should have at most {MAX_MARKS} items")
    return [parse_int(part, info) for part in value.split(",")]


def parse_seen_marks(value: object, info: ValidationInfo) -> object:
    """Read ``5:8,7`` as ``((5, 8), (7, 0))``: the last mark of an anime counts."""
    found = split_values(value, info)
    if not isinstance(found, tuple):
        return found
    read = [_parse_seen_mark(part, info) for part in found]
    return tuple(dict(read).items())


def keep_last_marks(text: str) -> str:
    """Of marks such as ``5:8,7`` keep the last of each anime, and the last `MAX_MARKS` of all.

    Text that is far too long stays as it is, to be refused.
    """
    if text.count(",") > _MAX_COMMAS:
        return text
    kept: dict[str, str] = {}
    for mark in filter(None, (part.strip() for part in text.split(","))):
        kept[mark.partition(":")[0]] = mark
    return ",".join(list(kept.values())[-MAX_MARKS:])


def _parse_seen_mark(part: object, info: ValidationInfo) -> tuple[int, int]:
    if isinstance(part, str) and re.fullmatch(MARK_PATTERN, part):
        anime_id, _, score = part.partition(":")
        return int(anime_id), int(score or 0)
    if isinstance(part, list | tuple) and len(part) == 2:
        anime, given = (parse_int(each, info) for each in part)
        if type(anime) is int and type(given) is int:
            return anime, given
    raise ValueError("should be pairs of an anime id and a score")


def parse_int(value: object, info: ValidationInfo) -> object:
    """Read a whole number: in a query in digits; in JSON 5.0 is one, too."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and info.mode == "python":
        if not re.fullmatch(r"-?[0-9]{1,10}", value):
            raise ValueError("should be a whole number")
        return int(value)
    return value


def parse_flag(value: object, info: ValidationInfo) -> object:
    """Read 1 or 0; in JSON true or false."""
    if isinstance(value, str) and info.mode == "python":
        if value not in _FLAG_VALUES:
            raise ValueError("should be 1 or 0")
        return _FLAG_VALUES[value]
    return value


def _map_values(values: object, parse: Any) -> object:
    return tuple(parse(part) for part in values) if isinstance(values, tuple) else values


PARSE_INT = BeforeValidator(parse_int)
Flag = Annotated[bool, BeforeValidator(parse_flag), Field(description="1 or 0")]
