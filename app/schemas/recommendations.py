"""Recommendations for one fan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from app.age_rating import AgeRating
from app.catalogue import Catalogue
from app.lists.entry import ListChannel
from app.recommender import (
    Contribution,
    EngineName,
    RecommendationResult,
    RecommendedItem,
    SortOrder,
    UserProfile,
)
from app.schemas.anime import AnimeRelation, AnimeTitle, RankedAnime, ranked_fields
from app.schemas.base import OPTIONAL, SIX_DIGITS, Count, Schema, Score

ContributionWeight = Annotated[
    float, Field(description="this and its likes add up to what is explained"), SIX_DIGITS
]


class ContributionSchema(AnimeTitle):
    """A title of the list that speaks for an anime; `score` is null where none was given."""

    score: float | None
    weight: ContributionWeight

    @classmethod
    def from_contributions(
        cls, contributions: Iterable[Contribution], catalogue: Catalogue
    ) -> list[Self]:
        """Describe the entries of a list that a number was made from."""
        return [
            cls(
                anime_id=each.anime_id,
                title=catalogue.title(each.anime_id),
                score=each.score,
                weight=each.weight,
            )
            for each in contributions
        ]


class MovedFor(StrEnum):
    """What an anime was moved for: what the numbers that spoke most for its new place are about."""

    FRANCHISE = "franchise"
    SCORE = "score"
    FIT = "fit"
    LENGTH = "length"
    AGE = "age"
    POPULARITY = "popularity"


class RecommendationSchema(RankedAnime):
    """One recommendation. The weights of `because` and `rest` add up to what is `explained`.

    Of a match they and `moved_by` add up to what order=match sorts by.
    """

    match: Annotated[
        float, Field(description="percent: how much the fan would want to have it"), SIX_DIGITS
    ]
    moved_by: Annotated[
        float,
        Field(description="percent that the second stage of ranking adds to the match"),
        SIX_DIGITS,
    ]
    moved_for: Annotated[
        MovedFor | None, Field(description="what it was moved for, null where it hardly was")
    ]
    match_percentile: Annotated[
        Annotated[float, SIX_DIGITS] | None,
        Field(
            description="percent of what the fan gave 8 or more that matches less than it, moved"
        ),
    ]
    expected_score: Annotated[
        Score, Field(description="what the fan would give it, the same in every order")
    ]
    predicted_score: Annotated[
        Score,
        Field(description="with order=score what KNN with baseline predicts, else expected_score"),
    ]
    expected_error: Annotated[
        float, Field(ge=0, description="one standard deviation of the score"), SIX_DIGITS
    ]
    because: list[ContributionSchema]
    rest: ContributionWeight
    follows: Annotated[
        AnimeRelation | None,
        Field(
            description="what the fan finished and liked that this comes next after in a series, "
            "and what this is to that, where it is known"
        ),
    ]
    more_of_franchise: Count
    few_fans: Annotated[
        bool, Field(description="so few know it that it is placed by its genres and its series")
    ]

    @property
    def shown_match(self) -> float:
        """As `RecommendedItem.shown_match`."""
        return self.match if self.match_percentile is None else self.match_percentile

    @classmethod
    def build(
        cls, item: RecommendedItem, catalogue: Catalogue, *, source: str | None = None
    ) -> Self:
        """Describe one recommendation for who has a list on ``source``."""
        return cls.of(
            item,
            **ranked_fields(item.rank, item.anime_id, catalogue, source=source),
            moved_for=None if item.moved_reason is None else MovedFor(item.moved_reason),
            because=ContributionSchema.from_contributions(item.contributions, catalogue),
            rest=item.residual,
            follows=None
            if item.follows is None
            else AnimeRelation.between(catalogue.get_anime(item.anime_id), item.follows, catalogue),
            few_fans=item.rarely_listed,
        )


class ListOwner(Schema):
    """Whose list it is."""

    source: str
    username: str


class ListCoverage(Schema):
    """How many titles of the list could be used."""

    known: Count
    rated: Count
    unknown: Count

    @classmethod
    def build(cls, profile: UserProfile, **further: Any) -> Self:
        """Count the titles of a folded-in list; ``further`` are a subclass's own fields."""
        return cls(
            known=len(profile.seen) + len(profile.planned),
            rated=len(profile.rated),
            unknown=len(profile.unknown_ids),
            **further,
        )


class FetchedListCoverage(ListCoverage):
    """The same of a list from a site; `unmapped` are those without MyAnimeList’s number."""

    unmapped: Count
    channel: Annotated[
        ListChannel | None, Field(description="what of the site it was read from")
    ] = None


class FilterRelaxationSchema(Schema):
    """A filter that is to blame when nothing is left, and how many titles there would be."""

    options: Sequence[str]
    label: str
    would_show: Annotated[int, Field(ge=1, description="at most 100, which says 100 or more")]


class RatingCeilingSchema(Schema):
    """The highest age rating that is shown; `reason` says who set it."""

    rating: AgeRating
    reason: Annotated[
        Literal["asked", "childrens_list", "server"],
        Field(description="childrens_list: nobody asked, but the list is a child's"),
    ]


_Recommendations = list[RecommendationSchema]
_Relaxations = list[FilterRelaxationSchema]


class RecommendationsResponse(Schema):
    """Recommendations; popular anime, and not `personal`, where the list says nothing.

    `relax` is there where filters left nothing, `ceiling` where age ratings have one.
    """

    model: str
    engine: EngineName
    order: SortOrder
    explained: Literal["match", "predicted_score"]
    personal: bool
    list: ListCoverage
    recommendations: _Recommendations
    relax: Annotated[_Relaxations | None, OPTIONAL] = None
    ceiling: Annotated[RatingCeilingSchema | None, OPTIONAL] = None

    @classmethod
    def build(
        cls,
        result: RecommendationResult,
        catalogue: Catalogue,
        *,
        site: str | None = None,
        **further: Any,
    ) -> Self:
        """Describe an answer for who has a list on ``site``.

        ``further`` are the fields that are not of the result.
        """
        further.setdefault("list", ListCoverage.build(result.profile))
        return cls(
            model=result.model_version,
            engine=result.engine,
            order=result.sort_order,
            explained=result.explained_target,
            personal=result.is_personalized,
            recommendations=[
                RecommendationSchema.build(item, catalogue, source=site)
                for item in result.recommendations
            ],
            **further,
        )


class UserRecommendationsResponse(RecommendationsResponse, ListOwner):
    """Recommendations for a list from a site."""

    list: FetchedListCoverage


class FileListCoverage(ListCoverage):
    """The same of a file; `unmapped` are rows that could be no anime, or several."""

    unmapped: Count
    unplaced_titles: Annotated[list[str], Field(description="a few of the unmapped")]


class FileRecommendationsResponse(RecommendationsResponse):
    """Recommendations for a list in a file."""

    file_format: Annotated[str, Field(description="what the file was read as, such as Simkl")]
    username: Annotated[str | None, Field(description="whose list it is, where the file says")]
    list: FileListCoverage


class AnimeForFanResponse(ListOwner, AnimeTitle):
    """What the fan would make of an anime, or has made of it.

    `recommendation` is null for what was seen, and for what too few fans know. Its `rank` is the
    place among the picks without options that the anime has, or would have if it was one of them.
    """

    model: str
    personal: Annotated[
        bool, Field(description="false where the list says nothing, so that nothing is told apart")
    ]
    seen: bool
    planned: bool
    own_score: Annotated[float | None, Field(description="the fan's own score of it")]
    recommendation: RecommendationSchema | None
