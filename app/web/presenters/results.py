"""The page of recommendations for one user, worked out to the last word but not yet HTML."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.lists.entry import AnimeList
from app.recommender import RecommendationResult, UserProfile
from app.schemas.recommendations import RecommendationSchema, RecommendationsResponse
from app.translation import gettext, mark
from app.web.presenters.cards import SiteLink, moved_text, source_link
from app.web.presenters.filter_form import OptionLink, PageControls, choice_links, control_fields
from app.web.requests.query import MAX_SEED, ResultsOptions, ResultsView
from app.web.services.filters import RatingCeiling, find_ceiling
from app.web.services.library import Library
from app.web.services.recommendations import FilteredResult

_VIEW_LABELS = {ResultsView.GRID: mark("Grid"), ResultsView.LIST: mark("List")}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsPage(PageControls):
    """The whole page. ``list_length`` counts every entry of the list, usable or not.

    ``known_series`` are those of the cards' anime of whose series something was seen. ``back_link``
    leads from a pick by chance to all of them.
    """

    cards: list[RecommendationSchema]
    anime_list: AnimeList
    profile: UserProfile
    personal: bool
    list_length: int
    rated_count: int
    known_series: frozenset[int]
    ceiling: RatingCeiling | None
    view_links: tuple[OptionLink, ...]
    surprise_link: OptionLink
    back_link: OptionLink | None

    def source_link(self, anime_id: int) -> SiteLink:
        """Where an anime stands on the site that the list comes from."""
        return source_link(self.catalogue.get_anime(anime_id), self.anime_list.source)

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
        anime_list=anime_list,
        profile=result.profile,
        personal=personal,
        list_length=len(anime_list.entries) + anime_list.unmapped,
        rated_count=len(result.profile.rated),
        known_series=_known_series(library, result),
        ceiling=find_ceiling(filtered.filters, options, library.rating_ceiling),
        view_links=choice_links(options, "view", _VIEW_LABELS),
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
