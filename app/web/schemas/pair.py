"""What two fans would both enjoy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from app.recommender import EngineName, SortOrder
from app.web.schemas.common import (
    AnimeId,
    ContributionSchema,
    FetchedListCoverage,
    FilterRelaxationSchema,
    RankedAnime,
    StrictSchema,
)


class PairMemberSchema(FetchedListCoverage):
    """One of two fans, and how much of the list could be used."""

    source: str
    username: str
    personal: bool


class UserSimilaritySchema(StrictSchema):
    """How alike two fans score. Null where too few titles were scored by both to tell."""

    both_seen: Annotated[int, Field(ge=0)]
    both_scored: Annotated[int, Field(ge=0)]
    value: Annotated[float, Field(ge=-1, le=1)] | None
    chance: Annotated[float, Field(ge=0, le=1)] | None
    mean_difference: float | None


class MemberScoreSchema(StrictSchema):
    """What one of two fans would make of an anime."""

    match: float
    predicted_score: Annotated[float, Field(ge=1, le=10)]
    planned: bool
    because: list[ContributionSchema]


class GroupRecommendationSchema(RankedAnime):
    """An anime for two fans, the first fan first."""

    match: float
    fans: Annotated[list[MemberScoreSchema], Field(min_length=2, max_length=2)]


class SharedItemSchema(StrictSchema):
    """An anime that both scored; `apart` is by how much, the fans' ways of scoring left out."""

    anime_id: AnimeId
    title: str
    scores: Annotated[list[float], Field(min_length=2, max_length=2)]
    apart: float


class SuggestionSchema(StrictSchema):
    """An anime that one fan loved and the other does not know, as it would be for the other."""

    anime_id: AnimeId
    title: str
    score: float
    match: float
    predicted_score: Annotated[float, Field(ge=1, le=10)]


class PairRecommendationsResponse(StrictSchema):
    """What two fans would both enjoy, and how alike they are."""

    model: str
    engine: EngineName
    order: SortOrder
    fans: Annotated[list[PairMemberSchema], Field(min_length=2, max_length=2)]
    likeness: UserSimilaritySchema
    recommendations: list[GroupRecommendationSchema]
    favourites: list[SharedItemSchema]
    disagreements: list[SharedItemSchema]
    first_loved: list[SuggestionSchema]
    second_loved: list[SuggestionSchema]
    relax: list[FilterRelaxationSchema] | None = None
