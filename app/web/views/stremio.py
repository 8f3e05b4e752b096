"""``/stremio/<source>/<name>``: a fan's picks as catalogues for Stremio (docs/api.md)."""

from __future__ import annotations

from flask import Blueprint, Response, abort

from app.web.presenters.stremio import (
    KINDS,
    SHELVES,
    build_catalogue,
    build_manifest,
    build_meta,
    shelf_options,
)
from app.web.request_costs import Cost, rate_limited
from app.web.services.recommendations import recommend_on_site
from app.web.services.user_lists import UserRef, fetch_list
from app.web.state import find_picture, get_app_state, get_library
from app.web.views.responses import get_source_or_404, kept_response

blueprint = Blueprint("stremio", __name__, url_prefix="/stremio/<source>/<path:username>")


@blueprint.get("/manifest.json")
@rate_limited(Cost.PAGE)
def get_manifest(source: str, username: str) -> Response:
    """Describe the add-on; the list is not read for that."""
    site = get_source_or_404(source).name
    return kept_response(build_manifest(source, site, username, get_app_state().version))


@blueprint.get("/catalog/<kind>/<shelf>.json", defaults={"skip": 0})
@blueprint.get("/catalog/<kind>/<shelf>/skip=<int:skip>.json")
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
