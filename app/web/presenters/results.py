"""The page of recommendations for one user, worked out to the last word but not yet HTML."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.lists.entry import AnimeList
from app.recommender import RecommendationResult
from app.schemas.recommendations import RecommendationSchema, RecommendationsResponse
from app.translation import format_number, gettext, mark, ngettext
from app.vocabulary import describe_rating
from app.web.presenters.cards import SiteLink, moved_text, source_link
from app.web.presenters.filter_form import OptionLink, PageControls, control_fields
from app.web.presenters.text import count_titles
from app.web.requests.query import MAX_SEED, PlannedMode, QueryOptions, ResultsOptions, ResultsView
from app.web.services.filters import RatingCeiling, find_ceiling
from app.web.services.library import Library
from app.web.services.recommendations import FilteredResult

FEW_RATINGS = 10
_VIEW_LABELS = {ResultsView.GRID: mark("Grid"), ResultsView.LIST: mark("List")}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsPage(PageControls):
    """The whole page. ``list_length`` counts every entry of the list, usable or not.

    ``known_series`` are those of the cards' anime of whose series something was seen. ``notes``
    change what the fan makes of the picks; ``list_notes`` say what was left out of the list.
    ``back_link`` leads from a pick by chance to all of them.
    """

    cards: list[RecommendationSchema]
    source: str
    personal: bool
    list_length: int
    rated_count: int
    known_series: frozenset[int]
    notes: list[str]
    list_notes: list[str]
    view_links: tuple[OptionLink, ...]
    surprise_link: OptionLink
    back_link: OptionLink | None

    def source_link(self, anime_id: int) -> SiteLink:
        """Where an anime stands on the site that the list comes from."""
        return source_link(self.catalogue.get_anime(anime_id), self.source)

    def moved_text(self, item: RecommendationSchema) -> str | None:
        """Say what an anime was moved up or down for, where that is worth a line."""
        return moved_text(item, knows_series=item.anime_id in self.known_series)


def build_results_page(
    library: Library,
    filtered: FilteredResult[RecommendationResult],
    answer: RecommendationsResponse,
    anime_list: AnimeList,
    options: ResultsOptions,
) -> ResultsPage:
    """Word everything that the page says about an answer."""
    result, cards, personal = filtered.result, answer.recommendations, answer.personal
    return ResultsPage(
        **control_fields(library, filtered, options, shown=len(cards), personal=personal),
        cards=cards,
        source=anime_list.source,
        personal=personal,
        list_length=len(anime_list.entries) + anime_list.unmapped,
        rated_count=len(result.profile.rated),
        known_series=_known_series(library, result),
        notes=[
            *_build_notes(result, anime_list),
            *ceiling_notes(find_ceiling(filtered.filters, options, library.rating_ceiling)),
        ],
        list_notes=_build_list_notes(result, anime_list, options),
        view_links=tuple(
            OptionLink(
                gettext(_VIEW_LABELS[view]), options.with_changes(view=view), options.view is view
            )
            for view in ResultsView
        ),
        surprise_link=OptionLink(
            gettext("Surprise me") if options.surprise is None else gettext("Another surprise"),
            options.with_changes(surprise=(options.surprise or 0) % MAX_SEED + 1),
        ),
        back_link=None
        if options.surprise is None
        else OptionLink(gettext("All picks"), options.with_changes(surprise=None)),
    )


def _known_series(library: Library, result: RecommendationResult) -> frozenset[int]:
    ids = np.array([item.anime_id for item in result.recommendations], np.int64)
    known = library.franchises.same_franchise_mask(result.profile.seen)
    return frozenset(ids[known[library.model.find_positions(ids)]].tolist())


def ceiling_notes(ceiling: RatingCeiling | None) -> list[str]:
    """Say that nothing above an age rating is shown, where the visitor did not ask for that."""
    if ceiling is None or ceiling.reason == "asked":
        return []
    told = describe_rating(ceiling.rating)
    if ceiling.reason == "server":
        return [gettext("Nothing above %(rating)s is recommended here.", rating=told)]
    return [
        gettext(
            "This looks like a child’s list, so nothing above %(rating)s is shown. Choose another "
            "age rating under “Filters” if you want more.",
            rating=told,
        )
    ]


def _build_notes(answer: RecommendationResult, anime_list: AnimeList) -> list[str]:
    rated = len(answer.profile.rated)
    total = len(anime_list.entries) + anime_list.unmapped
    notes = []
    if total and not answer.is_personalized:
        notes.append(
            gettext(
                "These are general picks, popular and well rated, because the list holds nothing "
                "that Hakken can use."
            )
        )
    elif answer.is_personalized and not rated:
        notes.append(
            gettext(
                "The list holds no scores, so the picks rest on what you watched. Score what you "
                "have seen, and they get closer to your taste."
            )
        )
    return notes


def _unmapped_note(anime_list: AnimeList) -> str:
    """Say how many titles have no number of MyAnimeList's, and which few, where they have names."""
    count, named = anime_list.unmapped, gettext("; ").join(anime_list.unplaced_titles)
    further = count - len(anime_list.unplaced_titles)
    if not named:
        return ngettext(
            "%(count)s title could not be matched with MyAnimeList, by whose numbers Hakken knows "
            "anime.",
            "%(count)s titles could not be matched with MyAnimeList, by whose numbers Hakken knows "
            "anime.",
            count,
        )
    if further > 0:
        return gettext(
            "%(count)s titles could not be matched with MyAnimeList, by whose numbers Hakken knows "
            "anime: %(titles)s and %(further)s more.",
            count=format_number(count),
            titles=named,
            further=format_number(further),
        )
    return ngettext(
        "%(count)s title could not be matched with MyAnimeList, by whose numbers Hakken knows "
        "anime: %(titles)s.",
        "%(count)s titles could not be matched with MyAnimeList, by whose numbers Hakken knows "
        "anime: %(titles)s.",
        count,
        titles=named,
    )


def _build_list_notes(
    answer: RecommendationResult, anime_list: AnimeList, options: QueryOptions
) -> list[str]:
    user = answer.profile
    rated, unknown, planned = len(user.rated), len(user.unknown_ids), len(user.planned)
    total = len(anime_list.entries) + anime_list.unmapped
    notes = []
    if answer.is_personalized and 0 < rated < FEW_RATINGS:
        notes.append(
            ngettext(
                "Only %(count)s scored title could be used. Score more of what you have seen, and "
                "the picks get closer to your taste.",
                "Only %(count)s scored titles could be used. Score more of what you have seen, and "
                "the picks get closer to your taste.",
                rated,
            )
        )
    if unknown:
        notes.append(
            gettext(
                "%(count)s of the %(titles)s could not be used: too new for Hakken’s data, or "
                "rated by too few fans.",
                count=format_number(unknown),
                titles=count_titles(total),
            )
        )
    if anime_list.file_format:
        notes.append(gettext("Read as a list of %(site)s.", site=anime_list.file_format))
    if anime_list.unmapped:
        notes.append(_unmapped_note(anime_list))
    if options.ignore_dropped:
        notes.append(gettext("What you dropped without a score is not taken for a dislike."))
    if planned and options.planned is PlannedMode.NO:
        notes.append(
            ngettext(
                "Left out: %(count)s title you already plan to watch.",
                "Left out: %(count)s titles you already plan to watch.",
                planned,
            )
        )
    return notes
