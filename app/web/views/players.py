"""A fan's picks for programs that play or record: Stremio's catalogues, a list for Sonarr.

``/stremio/<source>/<name>`` and ``/sonarr/<source>/<name>.json`` (docs/api.md).
"""

from __future__ import annotations

from flask import Blueprint, Response, abort, request

from app.web.presenters.stremio import (
    KINDS,
    SHELVES,
    build_catalogue,
    build_manifest,
    build_meta,
    shelf_options,
)
from app.web.request_costs import Cost, rate_limited
from app.web.requests.query import MediaType, QueryOptions, parse_query
from app.web.services.recommendations import TvdbIdsUnknown, recommend_on_site
from app.web.services.user_lists import UserRef, fetch_list
from app.web.state import find_picture, get_app_state, get_library
from app.web.views.responses import get_source_or_404, kept_response

blueprint = Blueprint("players", __name__)

STREMIO = "/stremio/<source>/<path:username>"
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


@blueprint.get(f"{STREMIO}/manifest.json")
@rate_limited(Cost.PAGE)
def get_manifest(source: str, username: str) -> Response:
    """Describe the add-on; the list is not read for that."""
    site = get_source_or_404(source).name
    return kept_response(build_manifest(source, site, username, get_app_state().version))


@blueprint.get(f"{STREMIO}/catalog/<kind>/<shelf>.json", defaults={"skip": 0})
@blueprint.get(f"{STREMIO}/catalog/<kind>/<shelf>/skip=<int:skip>.json")
@rate_limited(Cost.LIST)
def get_catalogue(source: str, username: str, kind: str, shelf: str, skip: int) -> Response:
    """Answer with a page of a catalogue."""
    if kind not in KINDS or shelf not in SHELVES:
        abort(404)
    library = get_library()
    anime_list = fetch_list(UserRef(get_source_or_404(source), username))
    options = shelf_options(kind, shelf, skip)
    answer = recommend_on_site(library, anime_list, options, "kitsu_id")
    metas = (build_meta(kind, each, find_picture(each)) for each in answer.recommendations)
    return kept_response(build_catalogue(metas, get_app_state().settings.list_cache))
