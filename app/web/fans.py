"""``/fans``: the fans most like one, what they prefer, and what they loved; the same as JSON.

Only where the model keeps the fans that one of its engines was fitted to (`app.recommender.crowd`).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.fans_alike import like_minded_as_json
from app.lists.entry import FanList
from app.recommender import EngineName
from app.recommender.like_minded import like_minded
from app.web.answering import (
    allowed_by,
    answered_by,
    fetch_list,
    filters_for,
    source_called,
    to_listed,
    visitor_of,
)
from app.web.as_json import as_json
from app.web.export import export
from app.web.filters import Filter
from app.web.options import (
    BadQuery,
    FetchQuery,
    Options,
    page_query,
    read_page_query,
    read_query,
)
from app.web.panel import panel_of
from app.web.state import Library, library
from app.web.view import titles

blueprint = Blueprint("fans", __name__)


@blueprint.get("/fans/<source>/<path:username>")
def page(source: str, username: str) -> str | AnyResponse:
    """Fans like a user of another site."""
    held = library()
    if source not in held.sources or not held.model.crowds:
        abort(404)
    options = read_page_query(request.args)

    def address(wanted: Options) -> str:
        return url_for(".page", source=source, username=username, **page_query(wanted))

    if "apply" in request.args:
        return redirect(address(options), 303)
    site = held.sources[source]
    fan_list = fetch_list(site, username)
    answered = answered_by(
        partial(_found, held, fan_list), options, lambda body: len(body["recommendations"])
    )
    body = answered.found
    if "format" in request.args:
        return export(request.args["format"], body)
    return render_template(
        "fans.html",
        found=body,
        crowd=len(held.model.crowds[body["engine"]]),
        results={"panel": panel_of(held, answered, options), "cards": body["recommendations"]},
        titles=titles(options),
        name=fan_list.username or username,
        site=site.name,
        address=address,
        action=address(Options()),
        carried=None,
        page_query=page_query,
        back=url_for("pages.user", source=source, username=username, **page_query(options)),
        data_date=held.model.manifest.created[:10],
    )


@blueprint.get("/api/v1/fans")
def of_user() -> Response:
    """The fans most like a user, and what they loved."""
    held = library()
    query = read_query(FetchQuery, request.args)
    fan_list = fetch_list(source_called(held, query.source), query.username)
    body, _ = _found(held, fan_list, query)
    return as_json({"source": fan_list.source, "username": fan_list.username, **body})


def _found(
    held: Library, fan_list: FanList, options: Options
) -> tuple[dict[str, Any], list[Filter]]:
    engine = _engine(held, options)
    visitor = visitor_of(held, to_listed(fan_list), options)
    filters = filters_for(held, (visitor,), options)
    allowed = allowed_by(held, options, filters)
    found = like_minded(held.model, engine, visitor, count=options.top, allowed=allowed)
    body = like_minded_as_json(found, held.model, held.catalogue, engine, english=options.english)
    return body, filters


def _engine(held: Library, options: Options) -> str:
    """The engine asked for, or the first that keeps its fans.

    Raises:
        BadQuery: the one asked for keeps none, or none does.
    """
    crowds = list(held.model.crowds)
    if not crowds:
        raise BadQuery("engine", "This Hakken keeps no fans to compare with.")
    if options.engine is EngineName.HAKKEN:
        return crowds[0]
    if options.engine not in crowds:
        raise BadQuery("engine", f"“engine” should be one of: {', '.join(crowds)}.")
    return options.engine.value
