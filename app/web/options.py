"""What a visitor may ask for, read from a query string or a JSON body by the same rules.

A page writes ``top`` as ``n``; an option at its default never stands in an address.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.recommender import Order

MAX_TOP = 100
STEP = 20
_PAGE_NAMES = {"n": "top", "order": "order", "adult": "adult"}
_OWN_NAMES = {own: page for page, own in _PAGE_NAMES.items()}

M = TypeVar("M", bound=BaseModel)


class BadQuery(Exception):  # noqa: N818 -- it names what is wrong, as the errors of lists do
    """A query argument that cannot be used; the sentence names it."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


class Options(BaseModel):
    """The choices that every way of asking shares. The descriptions are told to who errs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    top: Annotated[
        int, Field(ge=1, le=MAX_TOP, description=f"a whole number from 1 to {MAX_TOP}")
    ] = STEP
    order: Annotated[
        Order, Field(description="one of " + ", ".join(order.value for order in Order))
    ] = Order.MATCH
    adult: Annotated[bool, Field(description="1 or 0")] = False

    def but(self, **changes: Any) -> Self:
        """These options with some changed."""
        return self.model_copy(update=changes)


class FetchQuery(Options):
    """The query of ``GET /api/v1/recommendations``."""

    source: Annotated[str, Field(description="the site, such as anilist")]
    username: Annotated[str, Field(description="a username on that site")]


def read_query(kind: type[M], arguments: Mapping[str, str]) -> M:
    """Read a query strictly: every name must be known.

    Raises:
        BadQuery: naming the first argument that is missing, unknown or out of bounds.
    """
    try:
        return kind.model_validate(dict(arguments))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        name = str(first["loc"][0])
        raise BadQuery(name, _sentence(kind, name, name, first["type"])) from None


def read_page_query(arguments: Mapping[str, str]) -> Options:
    """Read a page's options; names that a page does not know are left alone.

    Raises:
        BadQuery: naming the first argument that is out of bounds.
    """
    known = {own: arguments[page] for page, own in _PAGE_NAMES.items() if page in arguments}
    try:
        return Options.model_validate(known)
    except ValidationError as error:
        own = str(error.errors()[0]["loc"][0])
        page = _OWN_NAMES[own]
        raise BadQuery(page, _sentence(Options, own, page, "")) from None


def page_query(options: Options) -> dict[str, Any]:
    """The query arguments of a page with these options, defaults left out."""
    changed = options.model_dump(mode="json", exclude_defaults=True, include=set(_OWN_NAMES))
    return {
        _OWN_NAMES[own]: str(int(value) if isinstance(value, bool) else value)
        for own, value in changed.items()
    }


def _sentence(kind: type[BaseModel], name: str, shown: str, fault: str) -> str:
    field = kind.model_fields.get(name)
    if field is None:
        return f"“{name}” is not an option here: leave it out."
    if fault == "missing":
        return f"“{shown}” is missing: it should be {field.description}."
    return f"“{shown}” should be {field.description}."
