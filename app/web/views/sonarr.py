"""``/sonarr/<source>/<name>.json``: a fan's picks as a custom list of Sonarr (docs/api.md)."""

from __future__ import annotations

from flask import Blueprint, Response, request

from app.web.presenters.sonarr import build_series, series_options
from app.web.request_costs import Cost, rate_limited
from app.web.requests.query import QueryOptions, parse_query
from app.web.services.recommendations import TvdbIdsUnknown, recommend_on_site
from app.web.services.user_lists import UserRef, fetch_list
from app.web.state import get_library
from app.web.views.responses import get_source_or_404, kept_response

blueprint = Blueprint("sonarr", __name__)


@blueprint.get("/sonarr/<source>/<path:username>.json")
@rate_limited(Cost.LIST)
def get_series(source: str, username: str) -> Response:
    """Answer with the series; the options are those of the API."""
    library, user = get_library(), UserRef(get_source_or_404(source), username)
    options = series_options(parse_query(QueryOptions, request.args))
    if not library.catalogue.has_tvdb_ids:
        raise TvdbIdsUnknown
    answer = recommend_on_site(library, fetch_list(user), options, "tvdb_id")
    return kept_response(build_series(answer.recommendations))
