"""The body of ``POST /api/v1/recommendations``."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from app.lists.errors import ListTooLong
from app.recommender import Listed, Status
from app.web.options import Options
from app.web.values import AS_WHOLE

MAX_ID = 2**31 - 1
MAX_FAULTS = 10
_BY_SLUG = {status.slug: status for status in Status}
_CODES = tuple(int(status) for status in Status)
Score = Annotated[float, Field(ge=1, le=10, allow_inf_nan=False)]
_STATUS_RULE = (
    "should be one of " + ", ".join(_BY_SLUG) + ", or MyAnimeList's code 1, 2, 3, 4, 6 (0: unknown)"
)


class Fault(NamedTuple):
    """One thing that is wrong with a body: where, and what was expected."""

    path: str
    message: str


class BadJson(Exception):  # noqa: N818 -- it names what is wrong, as the errors of lists do
    """A body that is not JSON at all."""


class BadBody(Exception):  # noqa: N818
    """A JSON body of the wrong shape."""

    def __init__(self, faults: list[Fault]) -> None:
        first = faults[0]
        super().__init__(f"{first.path or 'the body'}: {first.message}.")
        self.faults = faults


def _status(value: object) -> Status:
    if isinstance(value, str) and value in _BY_SLUG:
        return _BY_SLUG[value]
    if isinstance(value, int) and not isinstance(value, bool) and value in list(Status):
        return Status(value)
    raise ValueError(_STATUS_RULE)


def _score(value: object) -> object:
    is_zero = isinstance(value, int | float) and not isinstance(value, bool) and value == 0
    return None if is_zero else value


class BodyEntry(BaseModel):
    """One title on the list. A score of 0 or null is no score."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    anime_id: Annotated[int, Field(gt=0, le=MAX_ID), AS_WHOLE]
    score: Annotated[
        Score | None, BeforeValidator(_score, json_schema_input_type=Score | Literal[0] | None)
    ] = None
    status: Annotated[
        Status, BeforeValidator(_status, json_schema_input_type=Literal[*_BY_SLUG, *_CODES])
    ] = Status.COMPLETED


class Body(Options):
    """The whole body: the list, and the same options as everywhere."""

    entries: Annotated[tuple[BodyEntry, ...], Field(alias="list")]

    @property
    def options(self) -> Options:
        return Options.model_construct(**{name: getattr(self, name) for name in _OPTION_NAMES})

    @property
    def listed(self) -> Listed:
        return Listed.of([(e.anime_id, e.score, e.status) for e in self.entries])


_OPTION_NAMES = tuple(Options.model_fields)


def read_body(data: bytes, max_entries: int) -> Body:
    """Read and check a body.

    Raises:
        BadJson: it is not JSON.
        BadBody: it has the wrong shape; every fault (up to ten) is named with its path.
        ListTooLong: the list has more than ``max_entries`` entries.
    """
    try:
        body = Body.model_validate_json(data, strict=True)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)[:MAX_FAULTS]
        if faults[0]["type"] == "json_invalid":
            raise BadJson(f"The body is not JSON ({_lower(faults[0]['msg'])}).") from None
        raise BadBody([Fault(_path(f["loc"]), _message(f)) for f in faults]) from None
    if len(body.entries) > max_entries:
        raise ListTooLong(source="list", limit=max_entries)
    return body


def _path(location: tuple[int | str, ...]) -> str:
    """``list[3].score`` for ``("list", 3, "score")``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).removeprefix(".")


def _message(fault: Any) -> str:
    if fault["type"] == "extra_forbidden":
        return "there is no such key"
    return _lower(fault["msg"].removeprefix("Value error, "))


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
