"""The page of two users, worked out to the last word but not yet HTML."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.lists.entry import AnimeList
from app.recommender import GroupResult
from app.schemas.pair import (
    GroupRecommendationSchema,
    MemberScoreSchema,
    PairRecommendationsResponse,
)
from app.translation import gettext, mark, ngettext
from app.web.presenters.filter_form import PageControls, control_fields
from app.web.presenters.pair_comparison import (
    ComparisonSection,
    SimilarityText,
    build_comparison_sections,
    describe_similarity,
)
from app.web.presenters.results import ceiling_notes
from app.web.requests.query import PlannedMode, QueryOptions
from app.web.services.filters import find_ceiling
from app.web.services.library import Library
from app.web.services.recommendations import FilteredResult
from app.web.services.user_lists import UserRef

PAIR_PLANNED_LABELS = {
    PlannedMode.NO: mark("Show as well"),
    PlannedMode.ONLY: mark("Show only what one of us plans"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PairPage(PageControls):
    """The whole page."""

    names: tuple[str, str]
    similarity: SimilarityText
    personal: tuple[bool, bool]
    cards: list[GroupRecommendationSchema]
    sections: tuple[ComparisonSection, ...]
    notes: list[str]

    def members(
        self, item: GroupRecommendationSchema
    ) -> Iterable[tuple[str, bool, MemberScoreSchema]]:
        """Each name, whether the list could be used, and what that user would make of it."""
        return zip(self.names, self.personal, item.fans, strict=True)


def build_pair_page(
    library: Library,
    filtered: FilteredResult[GroupResult],
    answer: PairRecommendationsResponse,
    lists: tuple[AnimeList, AnimeList],
    names: tuple[str, str],
    options: QueryOptions,
) -> PairPage:
    """Word everything that the page says about two users."""
    result, cards = filtered.result, answer.recommendations
    return PairPage(
        **control_fields(
            library,
            filtered,
            options,
            shown=len(cards),
            personal=any(result.is_personalized),
            planned_labels=PAIR_PLANNED_LABELS,
        ),
        names=names,
        similarity=describe_similarity(result.comparison.similarity, names),
        cards=cards,
        personal=result.is_personalized,
        sections=build_comparison_sections(answer, names),
        notes=[
            *_build_notes(result, lists, names),
            *ceiling_notes(find_ceiling(filtered.filters, options, library.rating_ceiling)),
        ],
    )


def display_names(
    lists: tuple[AnimeList, AnimeList], users: tuple[UserRef, UserRef]
) -> tuple[str, str]:
    """Name the two; by their sites, too, if they have the same name."""
    one, other = (
        anime_list.username or user.username for anime_list, user in zip(lists, users, strict=True)
    )
    if one.casefold() != other.casefold():
        return one, other
    return f"{one} ({users[0].source.name})", f"{other} ({users[1].source.name})"


def _build_notes(
    result: GroupResult, lists: tuple[AnimeList, AnimeList], names: tuple[str, str]
) -> list[str]:
    notes = []
    for name, anime_list, user, personal in zip(
        names, lists, result.profiles, result.is_personalized, strict=True
    ):
        if not personal:
            notes.append(
                gettext(
                    "%(name)s’s list holds nothing that Hakken can use, so it is taken for that of "
                    "a typical fan.",
                    name=name,
                )
            )
        elif not len(user.rated):
            notes.append(
                gettext(
                    "%(name)s’s list holds no scores, so it speaks by what was watched.", name=name
                )
            )
        missing = len(user.unknown_ids) + anime_list.unmapped
        if missing:
            notes.append(
                ngettext(
                    "%(count)s title of %(name)s’s list could not be used.",
                    "%(count)s titles of %(name)s’s list could not be used.",
                    missing,
                    name=name,
                )
            )
        if anime_list.age:
            notes.append(
                ngettext(
                    "%(name)s’s list is %(count)s minute old: the site does not answer right now.",
                    "%(name)s’s list is %(count)s minutes old: the site does not answer right now.",
                    (anime_list.age + 59) // 60,
                    name=name,
                )
            )
    return notes
