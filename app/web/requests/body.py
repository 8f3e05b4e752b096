"""The body of ``POST /api/v1/recommendations``."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import from_json, to_json

from app.lists.errors import ListTooLong
from app.recommender import UserList, WatchStatus
from app.schemas.base import FieldError
from app.web.requests.query import QueryOptions
from app.web.requests.values import PARSE_INT

MAX_ANIME_ID = 2**31 - 1
MAX_REPORTED_ERRORS = 10
MAX_COUNTED_ERRORS = 1_000
"""Of a body with more than these, only the beginning is looked at: describing each would cost."""
VALUES_PER_ENTRY = 4
MAX_OPTION_VALUES = 4_000
"""Values in a body besides those of its list, generously."""
_STATUS_BY_SLUG = {status.slug: status for status in WatchStatus}
_STATUS_CODES = tuple(int(status) for status in WatchStatus)
Score = Annotated[float, Field(ge=1, le=10, allow_inf_nan=False)]
_STATUS_RULE = (
    "should be one of "
    + ", ".join(_STATUS_BY_SLUG)
    + ", or MyAnimeList's code 1, 2, 3, 4, 6 (0: unknown)"
)


class MalformedJson(Exception):  # noqa: N818 -- it names what is wrong, as the errors of lists do
    """A body that is not JSON at all."""


class InvalidBody(Exception):  # noqa: N818
    """A JSON body of the wrong shape."""

    def __init__(self, field_errors: list[FieldError]) -> None:
        first = field_errors[0]
        super().__init__(f"{first.path or 'the body'}: {first.message}.")
        self.field_errors = field_errors


def _parse_status(value: object) -> WatchStatus:
    if isinstance(value, str) and value in _STATUS_BY_SLUG:
        return _STATUS_BY_SLUG[value]
    if isinstance(value, int | float) and not isinstance(value, bool) and value in _STATUS_CODES:
        return WatchStatus(int(value))
    raise ValueError(_STATUS_RULE)


def _parse_score(value: object) -> object:
    is_zero = isinstance(value, int | float) and not isinstance(value, bool) and value == 0
    return None if is_zero else value


class ListEntryBody(BaseModel):
    """One title on the list. A score of 0 or null is no score."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    anime_id: Annotated[int, Field(gt=0, le=MAX_ANIME_ID), PARSE_INT]
    score: Annotated[
        Score | None,
        BeforeValidator(_parse_score, json_schema_input_type=Score | Literal[0] | None),
    ] = None
    status: Annotated[
        WatchStatus,
        BeforeValidator(
            _parse_status, json_schema_input_type=Literal[*_STATUS_BY_SLUG, *_STATUS_CODES]
        ),
    ] = WatchStatus.COMPLETED


class RecommendationsBody(QueryOptions):
    """The whole body: the list, and the same options as everywhere."""

    entries: Annotated[tuple[ListEntryBody, ...], Field(alias="list")]
    partial: Annotated[
        bool,
        Field(
            description="the list is a few titles of more that were seen, named by hand: what is "
            "scored 4.5 or less, or dropped without a score, counts against its like"
        ),
    ] = False

    @property
    def options(self) -> QueryOptions:
        """The options alone."""
        return QueryOptions.model_construct(**{name: getattr(self, name) for name in _OPTION_NAMES})

    @property
    def user_list(self) -> UserList:
        """The list in the recommender's form."""
        return UserList.from_entries(
            [(e.anime_id, e.score, e.status) for e in self.entries], is_partial=self.partial
        )


_OPTION_NAMES = tuple(QueryOptions.model_fields)
_KNOWN_KEYS = {"list", "partial", *_OPTION_NAMES, *ListEntryBody.model_fields}


def parse_body(data: bytes, max_entries: int) -> RecommendationsBody:
    """Read and check a body.

    Raises MalformedJson: it is not JSON; InvalidBody: it has the wrong shape; up to ten faults are
    named with their paths; ListTooLong: the list has more than ``max_entries`` entries, or the body
    far more values than those and all options can have.
    """
    if _count_values(data) > max_entries * VALUES_PER_ENTRY + MAX_OPTION_VALUES:
        raise ListTooLong(source="list", limit=max_entries)
    try:
        body = RecommendationsBody.model_validate_json(data, strict=True)
    except ValidationError as error:
        raise _describe(data, error) from None
    if len(body.entries) > max_entries:
        raise ListTooLong(source="list", limit=max_entries)
    return body


def _count_values(data: bytes) -> int:
    """At least how many values would be made of a body, told from its bytes alone."""
    return data.count(b",") + data.count(b"{") + data.count(b"[")


def _describe(data: bytes, error: ValidationError) -> Exception:
    """Say what is wrong with a body, with its first faults only."""
    if error.error_count() > MAX_COUNTED_ERRORS:
        try:
            beginning = to_json(_beginning(from_json(data)))
            RecommendationsBody.model_validate_json(beginning, strict=True)
        except ValidationError as begun:
            error = begun
        else:
            message = f"has more than {MAX_COUNTED_ERRORS:,} faults"
            return InvalidBody([FieldError(path="", message=message)])
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    if faults[0]["type"] == "json_invalid":
        return MalformedJson(f"The body is not JSON ({_lower_first(faults[0]['msg'])}).")
    return InvalidBody(
        [
            FieldError(path=_json_path(each["loc"]), message=_error_message(each))
            for each in faults[:MAX_REPORTED_ERRORS]
        ]
    )


def _beginning(value: Any) -> Any:
    """Cut each array, and what no object should have, down to as much as is told of."""
    if isinstance(value, list):
        return [_beginning(each) for each in value[:MAX_REPORTED_ERRORS]]
    if not isinstance(value, dict):
        return value
    unknown = islice((key for key in value if key not in _KNOWN_KEYS), MAX_REPORTED_ERRORS)
    return {key: _beginning(value[key]) for key in [*(_KNOWN_KEYS & value.keys()), *unknown]}


def _json_path(location: tuple[int | str, ...]) -> str:
    """``list[3].score`` for ``("list", 3, "score")``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).removeprefix(".")


def _error_message(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such key"
    return _lower_first(error["msg"].removeprefix("Value error, "))


def _lower_first(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
