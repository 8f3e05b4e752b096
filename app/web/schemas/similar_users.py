"""Fans like a fan."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from app.recommender import EngineName
from app.web.schemas.common import AnimeId, AnimePreview, StrictSchema


class AnimeTitle(StrictSchema):
    """An anime by name."""

    anime_id: AnimeId
    title: str


class NeighbourSchema(StrictSchema):
    """A fan of those trained on, without a name: what both loved, and what else the fan loved."""

    likeness: Annotated[float, Field(gt=0, le=1.001)]
    shared: list[AnimeTitle]
    loved: list[AnimeTitle]


class NeighbourPreferenceSchema(StrictSchema):
    """How much of what the nearest fans loved is of a kind, and of what all loved."""

    name: str
    share: Annotated[float, Field(ge=0, le=1)]
    usual: Annotated[float, Field(ge=0, le=1)]


class NeighbourFavouriteSchema(AnimePreview):
    """An anime that `lovers` of the nearest fans loved."""

    rank: Annotated[int, Field(ge=1)]
    genres: list[str]
    lovers: Annotated[int, Field(ge=1)]
    weight: Annotated[float, Field(gt=0)]


class SimilarUsersResponse(StrictSchema):
    """The fans most like one, what they prefer, and what they loved that is not on the list."""

    source: str
    username: str
    model: str
    engine: EngineName
    nearest: Annotated[int, Field(ge=0)]
    fans: list[NeighbourSchema]
    genres: list[NeighbourPreferenceSchema]
    sources: list[NeighbourPreferenceSchema]
    recommendations: list[NeighbourFavouriteSchema]
