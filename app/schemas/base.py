"""What all shapes share, and what every error looks like."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _round(value: float) -> float:
    return round(value, 6)


Rounded = Annotated[float, AfterValidator(_round)]
"""A number as it stands in an answer: with six digits after the point."""
Score = Annotated[Rounded, Field(ge=1, le=10)]
Count = Annotated[int, Field(ge=0)]


def _is_none(value: Any) -> bool:
    return value is None


OPTIONAL = Field(exclude_if=_is_none)
"""Left out of the answer where there is nothing to say."""


class Schema(BaseModel):
    """An object with these keys and no others."""

    model_config = ConfigDict(extra="forbid")


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
