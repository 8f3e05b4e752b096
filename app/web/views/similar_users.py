"""``/fans``: the fans most like one, what they prefer, and what they loved; the same as JSON.

Only where the model has the users that one of its engines was fitted to
(`app.recommender.training_users`).
"""

from __future__ import annotations

from flask import Blueprint, Response, abort, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from app.lists.entry import AnimeList
from app.recommender.user_neighbours import UserNeighbours
from app.schemas.similar_users import SimilarUsers
from app.web.presenters.answers import similar_users_answer, similar_users_export
from app.web.presenters.filter_form import PageControls, control_fields, preference_links
from app.web.request_costs import Cost, rate_limited
from app.web.requests.query import (
    QueryOptions,
    SimilarUsersOptions,
    SimilarUsersQuery,
    parse_page_query,
    parse_query,
    to_page_query,
)
from app.web.services.library import Library
from app.web.services.recommendations import FilteredResult
from app.web.services.similar_users import find_similar_users
from app.web.services.user_lists import UserRef, fetch_list, resolve_user
from app.web.state import get_library
from app.web.views.responses import (
    SUBMITTED,
    current_page_url,
    export_response,
    get_source_or_404,
    json_response,
    user_page_url,
)
from app.web.views.visitors import refer_to_user

blueprint = Blueprint("fans", __name__)


@blueprint.get("/fans/<source>/<path:username>")
@rate_limited(Cost.LIST)
def show_similar_users(source: str, username: str) -> str | AnyResponse:
    """Show users like a user of another site."""
    user = refer_to_user(get_source_or_404(source), username)
    if not get_library().model.training_users:
        abort(404)
    options = parse_page_query(request.args, SimilarUsersOptions)
    library = get_library().in_language(options.title)
    if SUBMITTED in request.args:
        return redirect(current_page_url(options), 303)
    anime_list = fetch_list(user)
    filtered = find_similar_users(library, anime_list, options)
    found = similar_users_export(library, filtered.result, options, anime_list.source)
    if "format" in request.args:
        return export_response(request.args["format"], found)
    return _render(library, user, anime_list, filtered, found, options)


@blueprint.get("/api/v1/fans")
@rate_limited(Cost.LIST)
def get_similar_users() -> Response:
    """Answer with the users most like a user, and what they loved."""
    query = parse_query(SimilarUsersQuery, request.args)
    library = get_library().in_language(query.title)
    anime_list = fetch_list(resolve_user(library, query.source, query.username))
    found = find_similar_users(library, anime_list, query)
    return json_response(similar_users_answer(library, found.result, query, anime_list))


def _render(
    library: Library,
    user: UserRef,
    anime_list: AnimeList,
    filtered: FilteredResult[UserNeighbours],
    found: SimilarUsers,
    options: SimilarUsersOptions,
) -> str:
    picks = "pages.show_user_recommendations"
    shown = len(found.recommendations)
    controls = control_fields(library, filtered, options, shown=shown, personal=False)
    return render_template(
        "fans.html",
        found=found,
        crowd=len(library.model.training_users[found.engine]),
        preferences=preference_links(options),
        steered=bool(options.prefer),
        results=PageControls(**controls),
        name=anime_list.username or user.username,
        site=user.source.name,
        private=anime_list.is_private,
        address=current_page_url,
        action=current_page_url(QueryOptions()),
        page_query=to_page_query,
        back=user_page_url(picks, user.source.slug, user.username, options.with_changes(prefer=())),
    )
