"""What two fans would both enjoy. The first fan always comes first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import Field

from app.catalogue import Catalogue
from app.recommender import EngineName, GroupResult, SortOrder
from app.recommender.group import GroupRecommendation
from app.recommender.user_similarity import UserSimilarity
from app.schemas.anime import AnimeTitle, RankedAnime, ranked_fields
from app.schemas.base import OPTIONAL, SIX_DIGITS, Count, Rounded, Schema, Score
from app.schemas.recommendations import (
    ContributionSchema,
    FetchedListCoverage,
    FilterRelaxationSchema,
    ListOwner,
    RatingCeilingSchema,
)


class PairMemberSchema(FetchedListCoverage, ListOwner):
    """One of two fans, and how much of the list could be used."""

    personal: bool


class UserSimilaritySchema(Schema):
    """How alike two fans score. Null where too few titles were scored by both to tell."""

    both_seen: Count
    both_scored: Count
    value: Annotated[float, Field(ge=-1, le=1), SIX_DIGITS] | None
    chance: Annotated[float, Field(ge=0, le=1), SIX_DIGITS] | None
    mean_difference: Rounded | None

    @classmethod
    def build(cls, similarity: UserSimilarity) -> Self:
        """Describe how alike two fans score."""
        return cls.of(
            similarity,
            both_seen=similarity.shared_seen,
            both_scored=similarity.shared_scored,
            chance=similarity.probability,
        )


class MemberScoreSchema(Schema):
    """What one of two fans would make of an anime."""

    match: Rounded
    predicted_score: Score
    planned: bool
    because: list[ContributionSchema]


class GroupRecommendationSchema(RankedAnime):
    """An anime for two fans, the first fan first."""

    match: Rounded
    fans: Annotated[list[MemberScoreSchema], Field(min_length=2, max_length=2)]
    more_of_franchise: Count

    @classmethod
    def build(cls, item: GroupRecommendation, catalogue: Catalogue) -> Self:
        """Describe one recommendation for both."""
        fans = [
            MemberScoreSchema.of(
                each, because=ContributionSchema.from_contributions(each.contributions, catalogue)
            )
            for each in item.members
        ]
        return cls.of(item, **ranked_fields(item.rank, item.anime_id, catalogue), fans=fans)


class SharedItemSchema(AnimeTitle):
    """An anime that both scored; `apart` is by how much, the fans' ways of scoring left out."""

    scores: Annotated[Sequence[float], Field(min_length=2, max_length=2)]
    apart: Rounded


class SuggestionSchema(AnimeTitle):
    """An anime that one fan loved and the other does not know, as it would be for the other."""

    score: float
    match: Rounded
    predicted_score: Score


class PairRecommendationsResponse(Schema):
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
    relax: Annotated[list[FilterRelaxationSchema] | None, OPTIONAL] = None
    ceiling: Annotated[RatingCeilingSchema | None, OPTIONAL] = None

    @classmethod
    def build(
        cls,
        result: GroupResult,
        members: list[PairMemberSchema],
        catalogue: Catalogue,
        **further: Any,
    ) -> Self:
        """Describe an answer for two; ``further`` are ``relax`` and ``ceiling``."""
        comparison = result.comparison
        favourites, disagreements = (
            [
                SharedItemSchema.of(
                    each, title=catalogue.title(each.anime_id), apart=each.difference
                )
                for each in items
            ]
            for items in (comparison.favourites, comparison.disagreements)
        )
        first, second = (
            [SuggestionSchema.of(each, title=catalogue.title(each.anime_id)) for each in items]
            for items in result.suggestions
        )
        return cls(
            model=result.model_version,
            engine=result.engine,
            order=result.sort_order,
            fans=members,
            likeness=UserSimilaritySchema.build(comparison.similarity),
            recommendations=[
                GroupRecommendationSchema.build(item, catalogue) for item in result.recommendations
            ],
            favourites=favourites,
            disagreements=disagreements,
            first_loved=first,
            second_loved=second,
            **further,
        )
