"""``/together``: two fans, what both would enjoy and how alike they are; and the same as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from pydantic import Field
from werkzeug.wrappers import Response as AnyResponse

from app.lists.entry import AnimeList
from app.recommender import GroupResult
from app.web.presenters.export import export_response
from app.web.presenters.pair_json import pair_to_json
from app.web.presenters.pair_page import build_pair_page
from app.web.request_costs import Cost, rate_limited
from app.web.requests.query import (
    QueryOptions,
    TitleLanguage,
    UserQuery,
    parse_page_query,
    parse_query,
    parse_title_language,
    to_page_query,
)
from app.web.services.example_lists import EXAMPLE_LIST, SECOND_EXAMPLE_LIST
from app.web.services.pair_recommendations import (
    PARAMETER_PREFIXES,
    UserRef,
    fetch_pair_lists,
    recommend_for_pair,
    resolve_pair,
)
from app.web.services.recommend import FilteredResult
from app.web.state import get_library
from app.web.views.responses import json_response

blueprint = Blueprint("together", __name__)

EXAMPLE_NAMES = ("Yuki", "Ryo")


class PairQuery(UserQuery):
    """The query of ``GET /api/v1/together``."""

    with_source: Annotated[str, Field(description="the site of the second fan")]
    with_username: Annotated[
        str, Field(min_length=1, max_length=100, description="the second fan’s username there")
    ]


@blueprint.get("/together")
@rate_limited(Cost.PAGE)
def show_pair_form() -> str | AnyResponse:
    """The form; once it is sent, on to the address of the answer."""
    library = get_library()
    if not any(f"{prefix}username" in request.args for prefix in PARAMETER_PREFIXES):
        return render_template(
            "pair_start.html",
            sources=library.sources,
            english=parse_title_language(request.args) is TitleLanguage.ENGLISH,
            fans=[
                (request.args.get(f"{prefix}source", ""), request.args.get(f"{prefix}name", ""))
                for prefix in PARAMETER_PREFIXES
            ],
        )
    one, other = resolve_pair(library, request.args)
    return redirect(_pair_url(one, other, parse_page_query(request.args)), 303)


@blueprint.get("/together/<source>/<username>/<with_source>/<with_username>")
@rate_limited(Cost.LIST)
def show_pair_recommendations(
    source: str, username: str, with_source: str, with_username: str
) -> str | AnyResponse:
    """What both would enjoy."""
    library = get_library()
    if not {source, with_source} <= set(library.sources):
        abort(404)
    options = parse_page_query(request.args)
    one, other = (
        UserRef(library.sources[source], username),
        UserRef(library.sources[with_source], with_username),
    )

    def url_for_options(wanted: QueryOptions) -> str:
        return _pair_url(one, other, wanted)

    if "apply" in request.args:
        return redirect(url_for_options(options), 303)
    lists = fetch_pair_lists(one, other)
    names = _display_names(lists, (one, other))
    return _render_pair_page(lists, names, options, url_for_options)


@blueprint.get("/together/example")
@rate_limited(Cost.PAGE)
def show_pair_example() -> str | AnyResponse:
    """The same for two made-up lists."""
    options = parse_page_query(request.args)

    def url_for_options(wanted: QueryOptions) -> str:
        return url_for(".show_pair_example", **to_page_query(wanted))

    if "apply" in request.args:
        return redirect(url_for_options(options), 303)
    return _render_pair_page(
        (EXAMPLE_LIST, SECOND_EXAMPLE_LIST),
        EXAMPLE_NAMES,
        options,
        url_for_options,
        is_example=True,
    )


@blueprint.get("/api/v1/together")
@rate_limited(Cost.LIST)
def get_pair_recommendations() -> Response:
    """What two users would both enjoy, and how alike they are."""
    library = get_library()
    query = parse_query(PairQuery, request.args)
    one, other = resolve_pair(library, query.model_dump(include=set(_USER_PARAMETERS)))
    lists = fetch_pair_lists(one, other)
    return json_response(_pair_body(recommend_for_pair(library, *lists, query), lists, query))


_USER_PARAMETERS = tuple(
    f"{prefix}{name}" for prefix in PARAMETER_PREFIXES for name in ("source", "username")
)


def _pair_body(
    filtered: FilteredResult[GroupResult], lists: tuple[AnimeList, AnimeList], options: QueryOptions
) -> dict[str, Any]:
    body = pair_to_json(filtered.result, lists, get_library().catalogue, english=options.english)
    if filtered.relaxations:
        body["relax"] = [each.to_json() for each in filtered.relaxations]
    return body


def _pair_url(one: UserRef, other: UserRef, options: QueryOptions) -> str:
    return url_for(
        "together.show_pair_recommendations",
        source=one.source.slug,
        username=one.username,
        with_source=other.source.slug,
        with_username=other.username,
        **to_page_query(options),
    )


def _display_names(
    lists: tuple[AnimeList, AnimeList], users: tuple[UserRef, UserRef]
) -> tuple[str, str]:
    """What to call the two; by their sites, too, if they have the same name."""
    one, other = (
        anime_list.username or each.username for anime_list, each in zip(lists, users, strict=True)
    )
    if one.casefold() != other.casefold():
        return one, other
    return f"{one} ({users[0].source.name})", f"{other} ({users[1].source.name})"


def _render_pair_page(
    lists: tuple[AnimeList, AnimeList],
    names: tuple[str, str],
    options: QueryOptions,
    url_for_options: Callable[[QueryOptions], str],
    is_example: bool = False,
) -> str | AnyResponse:
    library = get_library()
    filtered = recommend_for_pair(library, *lists, options)
    if "format" in request.args:
        return export_response(request.args["format"], _pair_body(filtered, lists, options))
    return render_template(
        "pair.html",
        results=build_pair_page(library, filtered, lists, names, options),
        address=url_for_options,
        action=url_for_options(QueryOptions()),
        carried=None,
        page_query=to_page_query,
        example=is_example,
    )
