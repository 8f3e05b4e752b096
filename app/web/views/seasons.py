"""The anime of a season, for everybody."""

from __future__ import annotations

from flask import Blueprint, Response, abort, render_template, request

from app.web.request_costs import Cost, rate_limited
from app.web.requests.query import MAX_YEAR, MIN_YEAR, Season, parse_title_language
from app.web.services.showcase import SeasonOfYear, anime_of_season, current_season
from app.web.state import get_library
from app.web.views.responses import PUBLIC_HOUR, page_response

blueprint = Blueprint("seasons", __name__)

MAX_SHOWN = 100


@blueprint.get("/season")
@rate_limited(Cost.PAGE)
def show_current_season() -> Response:
    """Show the season in which the data were made."""
    return _respond(current_season(get_library()))


@blueprint.get("/season/<int:year>/<name>")
@rate_limited(Cost.PAGE)
def show_season(year: int, name: str) -> Response:
    """Show a season of a year."""
    if name not in set(Season) or not MIN_YEAR <= year <= MAX_YEAR:
        abort(404)
    return _respond(SeasonOfYear(year, Season(name)))


def _respond(when: SeasonOfYear) -> Response:
    title_language = parse_title_language(request.args)
    library = get_library().in_language(title_language)
    neighbours = [when.shifted(-1), when.shifted(1)]
    page = render_template(
        "season.html",
        when=when,
        tiles=anime_of_season(library, when, MAX_SHOWN),
        neighbours=[each for each in neighbours if anime_of_season(library, each, 1)],
        sources=library.sources,
        title_language=title_language,
    )
    return page_response(page, PUBLIC_HOUR)
