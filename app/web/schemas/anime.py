"""One anime, what is like it, and what it looks like."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from app.web.schemas.common import AnimeId, AnimeSummary, StrictSchema


class AnimeStatsSchema(StrictSchema):
    """Where an anime stands in the model."""

    popularity_rank: Annotated[int, Field(ge=1)]
    lists: Annotated[int, Field(ge=0)]
    scores: Annotated[int, Field(ge=0)]
    bias: Annotated[float | None, Field(description="null until somebody has scored it")]
    typical_score: Annotated[float, Field(ge=1, le=10)] | None


class AnimeResponse(AnimeSummary):
    """Everything that is known of an anime; `in_model` is null where too few fans list it."""

    model: str
    season: str | None
    genres: list[str]
    adult: bool
    picture: str | None
    links: dict[str, str]
    in_model: AnimeStatsSchema | None
    series: list[AnimeSummary]


class SimilarAnimeSchema(AnimeSummary):
    """An anime like another, and how strongly."""

    weight: Annotated[float, Field(gt=0)]


class AlsoLovedSchema(AnimeSummary):
    """An anime for who loved another and nothing else."""

    match: float
    predicted_score: Annotated[float, Field(ge=1, le=10)]


class SimilarAnimeResponse(StrictSchema):
    """What is like an anime: those scored alike, those that its fans pick, and those for whom it
    is all that they love."""

    model: str
    anime_id: AnimeId
    similarity: list[SimilarAnimeSchema]
    affinity: list[SimilarAnimeSchema]
    engines: Annotated[
        dict[str, list[SimilarAnimeSchema]],
        Field(description="by vectors, for each further engine that the model has"),
    ]
    also_loved: list[AlsoLovedSchema]


class AnimeDetailsSchema(StrictSchema):
    """A picture and a synopsis, null where nobody has one."""

    anime_id: AnimeId
    picture: str | None
    synopsis: str | None


class AnimeDetailsResponse(StrictSchema):
    """What is known now; unless `complete`, asking again in a few seconds may bring more."""

    details: list[AnimeDetailsSchema]
    complete: bool
