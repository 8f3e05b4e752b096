"""The page of two users, worked out to the last word but not yet HTML."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.lists.entry import AnimeList
from app.recommender import GroupResult, UserProfile
from app.recommender.user_similarity import MIN_SHARED_ITEMS, UserSimilarity
from app.schemas.pair import (
    GroupRecommendationSchema,
    MemberScoreSchema,
    PairRecommendationsResponse,
)
from app.translation import format_number, gettext, mark, ngettext
from app.web.presenters.filter_form import PageControls, control_fields
from app.web.presenters.text import clamp_percent
from app.web.requests.query import PlannedMode, QueryOptions
from app.web.services.filters import RatingCeiling, find_ceiling
from app.web.services.library import Library
from app.web.services.recommendations import FilteredResult
from app.web.services.user_lists import UserRef

PAIR_PLANNED_LABELS = {
    PlannedMode.NO: mark("Show as well"),
    PlannedMode.ONLY: mark("Show only what one of us plans"),
}
SIMILARITY_LABELS = (
    (0.9, mark("Very much alike")),
    (0.7, mark("Rather alike")),
    (0.3, mark("About as alike as any two fans")),
    (0.1, mark("Rather different")),
    (0.0, mark("Very different")),
)
"""From this chance on it is called so."""


@dataclass(frozen=True, slots=True)
class SimilarityText:
    """How alike they are. ``percent`` is None where too little is shared to tell."""

    label: str
    percent: int | None
    explanation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PairPage(PageControls):
    """The whole page."""

    names: tuple[str, str]
    similarity: SimilarityText
    personal: tuple[bool, bool]
    answer: PairRecommendationsResponse
    lists: tuple[AnimeList, AnimeList]
    profiles: tuple[UserProfile, UserProfile]
    ceiling: RatingCeiling | None

    @property
    def cards(self) -> list[GroupRecommendationSchema]:
        """The recommendations."""
        return self.answer.recommendations

    def owners(self) -> Iterable[tuple[str, AnimeList, UserProfile, bool]]:
        """Each name with its list, what was understood of it, and whether it could be used."""
        return zip(self.names, self.lists, self.profiles, self.personal, strict=True)

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
    result = filtered.result
    return PairPage(
        **control_fields(
            library,
            filtered,
            options,
            shown=len(answer.recommendations),
            personal=any(result.is_personalized),
            planned_labels=PAIR_PLANNED_LABELS,
        ),
        names=names,
        similarity=describe_similarity(result.comparison.similarity, names),
        answer=answer,
        personal=result.is_personalized,
        lists=lists,
        profiles=result.profiles,
        ceiling=find_ceiling(filtered.filters, options, library.rating_ceiling),
    )


def describe_similarity(similarity: UserSimilarity, names: tuple[str, str]) -> SimilarityText:
    """Word the similarity and what it rests on; no percentage where too little is shared."""
    one, other = names
    shared = {"one": one, "other": other}
    too_early, count = gettext("Too early to tell"), similarity.shared_seen
    if not count:
        explanation = gettext(
            "There is no title that both %(one)s and %(other)s have seen.", **shared
        )
        return SimilarityText(too_early, None, explanation)
    seen = ngettext(
        "%(one)s and %(other)s have both seen %(count)s title.",
        "%(one)s and %(other)s have both seen %(count)s titles.",
        count,
        **shared,
    )
    scored = similarity.shared_scored
    if similarity.probability is None:
        if not scored:
            why = gettext(
                "Both scored none of them. From %(least)s on Hakken says how alike their tastes "
                "are.",
                least=MIN_SHARED_ITEMS,
            )
        elif scored < MIN_SHARED_ITEMS:
            why = gettext(
                "Both scored %(scored)s of them. From %(least)s on Hakken says how alike their "
                "tastes are.",
                scored=scored,
                least=MIN_SHARED_ITEMS,
            )
        else:
            why = gettext(
                "One of them scores exactly as was to be expected, so nothing can be compared."
            )
        return SimilarityText(too_early, None, f"{seen} {why}")
    label = next(label for least, label in SIMILARITY_LABELS if similarity.probability >= least)
    why = gettext(
        "Both scored %(scored)s of them. Compared is how far each scored them above or below what "
        "was to be expected. Their scores for the same title lie %(difference)s apart on average.",
        scored=format_number(scored),
        difference=f"{similarity.mean_difference or 0:.1f}",
    )
    percent = clamp_percent(100 * similarity.probability)
    return SimilarityText(gettext(label), percent, f"{seen} {why}")


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
