"""Problems, searches and recommendations for one fan."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.recommender import EngineName, SortOrder

AnimeId = Annotated[int, Field(ge=1, description="MyAnimeList’s number of the anime")]
ContributionWeight = Annotated[
    float, Field(description="this and its likes add up to what is explained")
]


class StrictSchema(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ProblemDetails(StrictSchema):
    """What went wrong, and what to do (RFC 9457). `type` is a page that says what it means."""

    type: str
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    errors: list[FieldErrorSchema] | None = None
    request_id: str | None = None


class FieldErrorSchema(StrictSchema):
    """One thing that is wrong with a query or a body, and where."""

    path: str
    message: str


class AnimeSummary(StrictSchema):
    """An anime in short."""

    anime_id: AnimeId
    title: str
    title_english: str | None
    type: str | None
    year: int | None
    episodes: int | None


class AnimePreview(AnimeSummary):
    """An anime that a search found."""

    picture: str | None
    url: str


class SearchResponse(StrictSchema):
    """What a search found, the likeliest first."""

    anime: list[AnimePreview]


class ContributionSchema(StrictSchema):
    """A title of the list that speaks for an anime; `score` is null where none was given."""

    anime_id: AnimeId
    title: str
    score: float | None
    weight: ContributionWeight


class RankedAnime(AnimePreview):
    """An anime in its place."""

    rank: Annotated[int, Field(ge=1)]
    genres: list[str]
    more_of_franchise: Annotated[int, Field(ge=0)]


class RecommendationSchema(RankedAnime):
    """One recommendation. The weights of `because` and `rest` add up to what is `explained`."""

    match: Annotated[float, Field(description="percent: how much the fan would want to have it")]
    predicted_score: Annotated[float, Field(ge=1, le=10)]
    expected_error: Annotated[float, Field(ge=0, description="one standard deviation of the score")]
    because: list[ContributionSchema]
    rest: ContributionWeight
    few_fans: Annotated[
        bool, Field(description="so few know it that it is placed by its genres and its series")
    ]


class ListCoverage(StrictSchema):
    """How many titles of the list could be used."""

    known: Annotated[int, Field(ge=0)]
    rated: Annotated[int, Field(ge=0)]
    unknown: Annotated[int, Field(ge=0)]


class FetchedListCoverage(ListCoverage):
    """The same of a list from a site; `unmapped` are those without MyAnimeList’s number."""

    unmapped: Annotated[int, Field(ge=0)]


class FilterRelaxationSchema(StrictSchema):
    """A filter that is to blame when nothing is left, and how many titles there would be."""

    options: list[str]
    label: str
    would_show: Annotated[int, Field(ge=1)]


class RecommendationsResponse(StrictSchema):
    """Recommendations. `personal` is false where the list says nothing, and popular anime are
    shown; `relax` is there where filters left nothing."""

    model: str
    engine: EngineName
    order: SortOrder
    explained: Literal["match", "predicted_score"]
    personal: bool
    recommendations: list[RecommendationSchema]
    relax: list[FilterRelaxationSchema] | None = None
    list: ListCoverage


class UserRecommendationsResponse(RecommendationsResponse):
    """Recommendations for a list from a site."""

    source: str
    username: str
    list: FetchedListCoverage
