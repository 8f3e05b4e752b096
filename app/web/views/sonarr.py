"""``/sonarr/<source>/<name>.json``: a fan's picks as a custom list of Sonarr (docs/api.md)."""

from __future__ import annotations

from flask import Blueprint, Response, request

from app.web.request_costs import Cost, rate_limited
from app.web.requests.query import MediaType, QueryOptions, parse_query
from app.web.services.recommendations import TvdbIdsUnknown, recommend_on_site
from app.web.services.user_lists import UserRef, fetch_list
from app.web.state import get_library
from app.web.views.responses import get_source_or_404, kept_response

blueprint = Blueprint("sonarr", __name__)

SERIES_TYPES = (MediaType.TV, MediaType.OVA, MediaType.ONA)
"""What is listed unless somebody asks otherwise: a film or a special is no reason for a series."""


@blueprint.get("/sonarr/<source>/<path:username>.json")
@rate_limited(Cost.LIST)
def get_series(source: str, username: str) -> Response:
    """Answer with the series; the options are those of the API."""
    library, user = get_library(), UserRef(get_source_or_404(source), username)
    options = parse_query(QueryOptions, request.args)
    library = library.in_language(options.title)
    if not options.type:
        options = options.with_changes(type=SERIES_TYPES)
    if not library.catalogue.has_tvdb_ids:
        raise TvdbIdsUnknown
    answer = recommend_on_site(library, fetch_list(user), options, "tvdb_id")
    # Each series once, in the place of its best season: TVDB has one number for all.
    best: dict[int, str] = {}
    for pick in answer.recommendations:
        if pick.tvdb_id is not None:
            best.setdefault(pick.tvdb_id, pick.title)
    return kept_response([{"title": title, "tvdbId": number} for number, title in best.items()])
