"""What two fans would both enjoy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from app.recommender import EngineName, Order
from app.web.schemas.general import (
    AnimeId,
    Fetched,
    Ranked,
    Reason,
    Relax,
    Shape,
)


class Fan(Fetched):
    """One of two fans, and how much of the list could be used."""

    source: str
    username: str
    personal: bool


class Likeness(Shape):
    """How alike two fans score. Null where too few titles were scored by both to tell."""

    both_seen: Annotated[int, Field(ge=0)]
    both_scored: Annotated[int, Field(ge=0)]
    value: Annotated[float, Field(ge=-1, le=1)] | None
    chance: Annotated[float, Field(ge=0, le=1)] | None
    mean_difference: float | None


class ForOne(Shape):
    """What one of two fans would make of an anime."""

    match: float
    predicted_score: Annotated[float, Field(ge=1, le=10)]
    planned: bool
    because: list[Reason]


class ForBoth(Ranked):
    """An anime for two fans, the first fan first."""

    match: float
    fans: Annotated[list[ForOne], Field(min_length=2, max_length=2)]


class Verdict(Shape):
    """An anime that both scored; `apart` is by how much, the fans' ways of scoring left out."""

    anime_id: AnimeId
    title: str
    scores: Annotated[list[float], Field(min_length=2, max_length=2)]
    apart: float


class Tip(Shape):
    """An anime that one fan loved and the other does not know, as it would be for the other."""

    anime_id: AnimeId
    title: str
    score: float
    match: float
    predicted_score: Annotated[float, Field(ge=1, le=10)]


class PairAnswer(Shape):
    """What two fans would both enjoy, and how alike they are."""

    model: str
    engine: EngineName
    order: Order
    fans: Annotated[list[Fan], Field(min_length=2, max_length=2)]
    likeness: Likeness
    recommendations: list[ForBoth]
    favourites: list[Verdict]
    disagreements: list[Verdict]
    first_loved: list[Tip]
    second_loved: list[Tip]
    relax: list[Relax] | None = None
