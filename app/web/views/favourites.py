"""``/favourites``: what a fan calls favourites beside the picks, and which picks they speak for."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from app.lists.entry import AnimeList
from app.schemas.recommendations import RecommendationsResponse
from app.web.presenters.cards import build_favourite_cards
from app.web.presenters.results import build_results_page
from app.web.request_costs import Cost, rate_limited
from app.web.requests.query import ResultsOptions, parse_page_query
from app.web.services.recommendations import recommend_and_record
from app.web.services.user_lists import to_user_list
from app.web.state import get_library
from app.web.views.responses import current_page_url, get_source_or_404, user_page_url
from app.web.views.streaming import ListPage
from app.web.views.visitors import refer_to_user

blueprint = Blueprint("favourites", __name__)


class FavouritesPage(ListPage):
    """A user's favourites and picks side by side."""

    options: ResultsOptions

    def render(self, anime_list: AnimeList, part: str | None = None) -> str:
        """Render the page, or only what comes after its frame."""
        source, options = self.user.source, self.options
        library = get_library().in_language(options.title)
        user_list = to_user_list(anime_list)
        filtered = recommend_and_record(library, user_list, options, anime_list.unmapped)
        answer = RecommendationsResponse.build(filtered.result, library.catalogue)
        favourites = build_favourite_cards(anime_list, answer.recommendations, library.catalogue)
        name = anime_list.username or self.user.username
        picks = "pages.show_user_recommendations"
        return render_template(
            "favourites.html",
            part=part,
            results=build_results_page(library, filtered, answer, anime_list, options),
            favourites=list(favourites),
            address=current_page_url,
            name=name,
            site=source.name,
            link=source.list_url(name),
            source=source.slug,
            private=anime_list.is_private,
            picks=user_page_url(picks, source.slug, self.user.username, options),
        )


@blueprint.get("/favourites/<source>/<path:username>")
@rate_limited(Cost.LIST)
def show_favourites(source: str, username: str) -> str | AnyResponse:
    """Show a user's favourites and picks side by side."""
    user = refer_to_user(get_source_or_404(source), username)
    return FavouritesPage(user, parse_page_query(request.args, ResultsOptions)).respond()
