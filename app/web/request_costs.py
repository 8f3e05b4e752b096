"""What a request costs: each view says which rate limit its requests count against."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

View = TypeVar("View", bound=Callable[..., Any])

_NAME = "cost"


class Cost(StrEnum):
    """The limit that a request counts against."""

    LIST = "lists"
    """It reads a whole list, from its site or from the request."""
    PAGE = "pages"
    """It does not."""
    NOTHING = "nothing"
    """None."""


def rate_limited(cost: Cost) -> Callable[[View], View]:
    """Mark a view: its requests count as this."""

    def mark(view: View) -> View:
        view.__dict__[_NAME] = cost
        return view

    return mark


def unlimited(view: View) -> View:
    """Mark a view: it may be asked for as often as anybody likes."""
    return rate_limited(Cost.NOTHING)(view)


def cost_of(view: Callable[..., Any]) -> Cost | None:
    """Return what a view is marked with; None if somebody forgot to."""
    cost: Cost | None = getattr(view, _NAME, None)
    return cost
