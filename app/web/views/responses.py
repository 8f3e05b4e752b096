"""Responses and addresses that several views share."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

from flask import Response, abort, g, jsonify, render_template, request, url_for
from werkzeug.urls import iri_to_uri

from app.card_images import CardShape, ShareCard
from app.lists import ListSource
from app.lists.entry import AnimeList
from app.schemas.base import Schema, to_json
from app.schemas.recommendations import RecommendationsResponse
from app.translation import in_english
from app.web.addresses import own_origin
from app.web.presenters.export import ExportedAnswer, to_csv
from app.web.presenters.takeaway import FeedPlace, summarize_pick, to_calendar
from app.web.requests.query import QueryOptions, to_page_query
from app.web.requests.values import InvalidQuery
from app.web.state import get_app_state, get_library

SUBMITTED = "apply"
"""The argument that the form above the results adds: what it sends has a shorter address."""
ATOM, CALENDAR = "atom", "ics"
"""What ``format`` calls a feed and a calendar."""
NO_DATE = datetime(1970, 1, 1, tzinfo=UTC)
"""What feeds say where nobody knows when a model was made."""
PUBLIC_HOUR = "public, max-age=3600"
"""Cache-Control of what is about anime, not about fans: anybody may keep it for an hour."""

_SAFE_IN_QUERY = "!$'()*,/:;?@"
"""What `url_for` does not escape in a query either."""


def page_response(page: str, cache_control: str) -> Response:
    """Answer with a page that may be kept."""
    response = Response(page, mimetype="text/html")
    response.headers["Cache-Control"] = cache_control
    return response


def json_response(answer: Schema, cache_control: str | None = None) -> Response:
    """Answer with JSON; without ``cache_control`` nobody may keep it."""
    response = Response(to_json(answer), mimetype="application/json")
    if cache_control:
        response.headers["Cache-Control"] = cache_control
    return response


def export_response(file_format: str, answer: ExportedAnswer, *others: str) -> Response:
    """Answer with a file. Raises InvalidQuery: it is none, nor one of the page's ``others``."""
    if file_format == "csv":
        # The mark at the start tells spreadsheets that it is UTF-8.
        response = Response(b"\xef\xbb\xbf" + to_csv(answer).encode(), mimetype="text/csv")
    elif file_format == "json":
        response = Response(to_json(answer, indent=1), mimetype="application/json")
    elif file_format == "xml":
        text = render_template("animelist.xml", picks=answer.recommendations)
        response = Response(text, mimetype="application/xml")
    else:
        raise InvalidQuery.not_one_of("format", ("csv", "json", "xml", *others))
    response.headers["Content-Disposition"] = f'attachment; filename="hakken.{file_format}"'
    return response


def feed_response(
    file_format: str, answer: RecommendationsResponse, anime_list: AnimeList, page: str
) -> Response:
    """Answer with a feed or a calendar of the picks on ``page``, to be kept as long as lists are.

    Who has it already is answered with 304 (`app.web.middleware.headers`).
    """
    state, library = get_app_state(), get_library()
    place = FeedPlace(
        owner=anime_list.username or "your list",
        page_url=own_origin() + iri_to_uri(page),
        path=request.path.casefold(),
        created=library.model.manifest.created_at or NO_DATE,
    )
    if file_format == ATOM:
        picks = answer.recommendations
        with in_english():
            summary = partial(summarize_pick, personal=answer.personal)
            text = render_template("feed.xml", picks=picks, place=place, summary=summary)
        response = Response(text, mimetype="application/atom+xml")
    else:
        anime = (library.catalogue.get_anime(each.anime_id) for each in answer.recommendations)
        pairs = zip(answer.recommendations, anime, strict=True)
        text = to_calendar(pairs, place, personal=answer.personal)
        response = Response(text, mimetype="text/calendar")
    response.headers["Content-Disposition"] = f'inline; filename="hakken.{file_format}"'
    if not anime_list.is_private:
        response.headers["Cache-Control"] = f"private, max-age={state.settings.list_cache:.0f}"
    return response


def kept_response(body: Any) -> Response:
    """Answer with JSON that the program which asks may keep for as long as lists are remembered."""
    response = jsonify(body)
    seconds = get_app_state().settings.list_cache
    response.headers["Cache-Control"] = f"private, max-age={seconds:.0f}"
    return response


def card_response(card: ShareCard, shape: CardShape, *lists: AnimeList) -> Response:
    """Answer with a picture of what was found for ``lists``, to be kept as long as these are."""
    state = get_app_state()
    is_kept = not any(each.age or each.is_private for each in lists)
    seconds = state.settings.list_cache if is_kept else 0.0
    public = state.settings.public_url
    card = replace(card, site=(public and public.host) or "")
    drawn = state.providers.card_cache.get_or_draw(card, shape, seconds)
    response = Response(drawn, mimetype="image/png")
    response.headers["Content-Disposition"] = f'inline; filename="hakken-{shape}.png"'
    # Browsers show a picture on a page of their own, which they style.
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    response.headers["X-Robots-Tag"] = "noindex"
    if seconds >= 1:
        response.headers["Cache-Control"] = f"private, max-age={seconds:.0f}"
    return response


def current_page_url(options: QueryOptions) -> str:
    """Build the address of the current page with other options."""
    if "page_address" not in g:  # a page has a hundred of these, which differ in what follows
        g.page_address = url_for(request.endpoint or "", **(request.view_args or {}))
    query = urlencode(to_page_query(options), safe=_SAFE_IN_QUERY)
    return f"{g.page_address}?{query}" if query else str(g.page_address)


def user_page_url(endpoint: str, source: str, username: str, options: QueryOptions) -> str:
    """Build the address of a page about a user of a site."""
    return url_for(endpoint, source=source, username=username, **to_page_query(options))


def get_source_or_404(slug: str) -> ListSource:
    """Look a site up by its slug."""
    return get_library().sources.get(slug) or abort(404)
