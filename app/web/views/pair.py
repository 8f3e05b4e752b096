"""``/together``: two fans, what both would enjoy and how alike they are; and the same as JSON."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.card_images import CardShape
from app.lists.entry import AnimeList
from app.web.presenters.answers import pair_answer
from app.web.presenters.pair_page import build_pair_page, display_names
from app.web.presenters.share_card import build_pair_card
from app.web.request_costs import Cost, rate_limited
from app.web.requests.query import (
    PairQuery,
    QueryOptions,
    parse_page_query,
    parse_query,
    parse_title_language,
    to_page_query,
)
from app.web.services.example_lists import EXAMPLE_LIST, SECOND_EXAMPLE_LIST
from app.web.services.pair_recommendations import (
    PARAMETER_PREFIXES,
    fetch_pair_lists,
    recommend_for_pair,
    resolve_pair,
)
from app.web.services.user_lists import UserRef
from app.web.state import get_library
from app.web.views.responses import (
    SUBMITTED,
    card_response,
    current_page_url,
    export_response,
    get_source_or_404,
    json_response,
)
from app.web.views.visitors import refer_to_user

blueprint = Blueprint("together", __name__)

EXAMPLE_NAMES = ("Yuki", "Ryo")


@blueprint.get("/together")
@rate_limited(Cost.PAGE)
def show_pair_form() -> str | AnyResponse:
    """Show the form; once it is sent, lead on to the address of the answer."""
    typed = request.args
    if any(f"{prefix}username" in typed for prefix in PARAMETER_PREFIXES):
        return _redirect_to_pair(*resolve_pair(get_library(), typed), parse_page_query(typed))
    return render_template(
        "pair_start.html",
        sources=get_library().sources,
        title_language=parse_title_language(typed),
        fans=[
            (typed.get(f"{prefix}source", ""), typed.get(f"{prefix}name", ""))
            for prefix in PARAMETER_PREFIXES
        ],
    )


@blueprint.get("/together/<source>/<username>/<with_source>/<with_username>")
@rate_limited(Cost.LIST)
def show_pair_recommendations(
    source: str, username: str, with_source: str, with_username: str
) -> str | AnyResponse:
    """Show what both would enjoy."""
    one = refer_to_user(get_source_or_404(source), username)
    other = refer_to_user(get_source_or_404(with_source), with_username)
    options = parse_page_query(request.args)
    if SUBMITTED in request.args:
        return redirect(current_page_url(options), 303)
    lists = fetch_pair_lists(one, other)
    return _respond(lists, display_names(lists, (one, other)), options)


@blueprint.get("/together/example")
@rate_limited(Cost.PAGE)
def show_pair_example() -> str | AnyResponse:
    """Show the same for two made-up lists."""
    options = parse_page_query(request.args)
    if SUBMITTED in request.args:
        return redirect(current_page_url(options), 303)
    return _respond((EXAMPLE_LIST, SECOND_EXAMPLE_LIST), EXAMPLE_NAMES, options, is_example=True)


@blueprint.get("/api/v1/together")
@rate_limited(Cost.LIST)
def get_pair_recommendations() -> Response:
    """Answer with what two users would both enjoy, and how alike they are."""
    query = parse_query(PairQuery, request.args)
    library = get_library().in_language(query.title)
    typed = {"source", "username", "with_source", "with_username"}
    lists = fetch_pair_lists(*resolve_pair(library, query.model_dump(include=typed)))
    filtered = recommend_for_pair(library, *lists, query)
    return json_response(pair_answer(library, filtered, lists, query))


def _redirect_to_pair(one: UserRef, other: UserRef, options: QueryOptions) -> AnyResponse:
    address = url_for(
        ".show_pair_recommendations",
        source=one.source.slug,
        username=one.username,
        with_source=other.source.slug,
        with_username=other.username,
        **to_page_query(options),
    )
    return redirect(address, 303)


def _respond(
    lists: tuple[AnimeList, AnimeList],
    names: tuple[str, str],
    options: QueryOptions,
    *,
    is_example: bool = False,
) -> str | AnyResponse:
    library = get_library().in_language(options.title)
    filtered = recommend_for_pair(library, *lists, options)
    answer = pair_answer(library, filtered, lists, options)
    if (shape := request.args.get("format")) in tuple(CardShape):
        card = build_pair_card(library, filtered.result, answer, names)
        return card_response(card, CardShape(shape), *lists)
    if "format" in request.args:
        return export_response(request.args["format"], answer, *CardShape)
    return render_template(
        "pair.html",
        results=build_pair_page(library, filtered, answer, lists, names, options),
        address=current_page_url,
        action=current_page_url(QueryOptions()),
        page_query=to_page_query,
        example=is_example,
        private=any(each.is_private for each in lists),
    )
