"""``/favourites``: what a fan calls favourites beside the picks, and which picks they speak for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flask import Blueprint, abort, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.catalogue import Catalogue
from app.lists.entry import AnimeList
from app.recommender import RecommendationResult
from app.web.presenters.results import (
    POSTER_TINTS,
    ResultsPage,
    build_results_page,
    format_score,
    poster_initial,
)
from app.web.request_costs import Cost, rate_limited
from app.web.requests.query import QueryOptions, parse_page_query, to_page_query
from app.web.services.recommend import fetch_list_or_empty, recommend_and_record, to_user_list
from app.web.state import Library, get_app_state, get_library
from app.web.views.streaming import ListFetch, stream_page

blueprint = Blueprint("favourites", __name__)


@dataclass(frozen=True, slots=True)
class FavouriteCard:
    """One favourite, ``known`` if there is a page about it.

    ``speaks_for`` are the ranks and titles of the picks that it is a reason for.
    """

    anime_id: int
    title: str
    has_page: bool
    picture: str | None
    score: str | None
    supported_picks: tuple[tuple[int, str], ...]
    initial: str
    tint: int


@blueprint.get("/favourites/<source>/<path:username>")
@rate_limited(Cost.LIST)
def show_favourites(source: str, username: str) -> str | AnyResponse:
    """A user's favourites and picks side by side."""
    library = get_library()
    if source not in library.sources:
        abort(404)
    site = library.sources[source]
    options = parse_page_query(request.args)

    def url_for_options(wanted: QueryOptions) -> str:
        return url_for(
            ".show_favourites", source=source, username=username, **to_page_query(wanted)
        )

    def render_page(anime_list: AnimeList, part: str | None = None) -> str:
        name = anime_list.username or username
        shown, favourites = _results_and_favourites(library, anime_list, options)
        query = to_page_query(options)
        return render_template(
            "favourites.html",
            part=part,
            results=shown,
            favourites=favourites,
            address=url_for_options,
            name=name,
            site=site.name,
            link=site.list_url(name),
            source=source,
            picks=url_for(
                "pages.show_user_recommendations", source=source, username=username, **query
            ),
        )

    fetching = ListFetch(lambda report: fetch_list_or_empty(site, username, report))
    if request.method == "HEAD" or fetching.wait(get_app_state().settings.list_grace):
        return render_page(fetching.result())
    return stream_page(fetching, render_page, name=username, source=site)


def _results_and_favourites(
    library: Library, anime_list: AnimeList, options: QueryOptions
) -> tuple[ResultsPage, tuple[FavouriteCard, ...]]:
    filtered = recommend_and_record(library, to_user_list(anime_list), options, anime_list.unmapped)
    favourites = build_favourite_cards(
        anime_list, filtered.result, library.catalogue, english=options.english
    )
    return build_results_page(library, filtered, anime_list, options), tuple(favourites)


def build_favourite_cards(
    anime_list: AnimeList,
    recommendations: RecommendationResult,
    catalogue: Catalogue,
    *,
    english: bool,
) -> Iterable[FavouriteCard]:
    """The favourites in their fan's order."""
    entries = {entry.anime_id: entry for entry in anime_list.entries}
    for anime_id in anime_list.favourites:
        entry = entries[anime_id]
        known = anime_id in catalogue
        anime = catalogue.get_anime(anime_id)
        title = (
            anime.display_title(english=english) if known else entry.title or f"Anime {anime_id}"
        )
        yield FavouriteCard(
            anime_id=anime_id,
            title=title,
            has_page=known,
            picture=anime.picture,
            score=format_score(entry.score) if entry.score else None,
            supported_picks=tuple(
                (item.rank, catalogue.title(item.anime_id, english=english))
                for item in recommendations.recommendations
                if any(why.anime_id == anime_id for why in item.contributions)
            ),
            initial=poster_initial(title),
            tint=anime_id % POSTER_TINTS,
        )
