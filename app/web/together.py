"""``/together``: two fans, what both would enjoy and how alike they are; and the same as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from pydantic import Field
from werkzeug.wrappers import Response as AnyResponse

from app.lists.entry import FanList
from app.recommender import Together
from app.web.answering import Answered
from app.web.as_json import as_json
from app.web.export import export
from app.web.options import (
    FetchQuery,
    Language,
    Options,
    page_query,
    read_language,
    read_page_query,
    read_query,
)
from app.web.pair_json import pair_as_json
from app.web.pair_view import pair_page
from app.web.pairing import PREFIXES, Asked, answer_both, both_meant, fetch_both
from app.web.sample import OTHER_SAMPLE, SAMPLE
from app.web.state import library

blueprint = Blueprint("together", __name__)

SAMPLE_NAMES = ("Yuki", "Ryo")


class PairQuery(FetchQuery):
    """The query of ``GET /api/v1/together``."""

    with_source: Annotated[str, Field(description="the site of the second fan")]
    with_username: Annotated[
        str, Field(min_length=1, max_length=100, description="the second fan’s username there")
    ]


@blueprint.get("/together")
def start() -> str | AnyResponse:
    """The form; once it is sent, on to the address of the answer."""
    held = library()
    if not any(f"{prefix}username" in request.args for prefix in PREFIXES):
        return render_template(
            "pair_start.html",
            sources=held.sources,
            english=read_language(request.args) is Language.ENGLISH,
            fans=[
                (request.args.get(f"{prefix}source", ""), request.args.get(f"{prefix}name", ""))
                for prefix in PREFIXES
            ],
        )
    one, other = both_meant(held, request.args)
    return redirect(_address(one, other, read_page_query(request.args)), 303)


@blueprint.get("/together/<source>/<username>/<with_source>/<with_username>")
def pair(source: str, username: str, with_source: str, with_username: str) -> str | AnyResponse:
    """What both would enjoy."""
    held = library()
    if not {source, with_source} <= set(held.sources):
        abort(404)
    options = read_page_query(request.args)
    one, other = (
        Asked(held.sources[source], username),
        Asked(held.sources[with_source], with_username),
    )

    def address(wanted: Options) -> str:
        return _address(one, other, wanted)

    if "apply" in request.args:
        return redirect(address(options), 303)
    lists = fetch_both(one, other)
    names = _names(lists, (one, other))
    return _page(lists, names, options, address)


@blueprint.get("/together/example")
def example() -> str | AnyResponse:
    """The same for two made-up lists."""
    options = read_page_query(request.args)

    def address(wanted: Options) -> str:
        return url_for(".example", **page_query(wanted))

    if "apply" in request.args:
        return redirect(address(options), 303)
    return _page((SAMPLE, OTHER_SAMPLE), SAMPLE_NAMES, options, address, example=True)


@blueprint.get("/api/v1/together")
def of_users() -> Response:
    """What two users would both enjoy, and how alike they are."""
    held = library()
    query = read_query(PairQuery, request.args)
    one, other = both_meant(held, query.model_dump(include=set(_WHO)))
    lists = fetch_both(one, other)
    return as_json(_body(answer_both(held, *lists, query), lists, query))


_WHO = tuple(f"{prefix}{name}" for prefix in PREFIXES for name in ("source", "username"))


def _body(
    answered: Answered[Together], lists: tuple[FanList, FanList], options: Options
) -> dict[str, Any]:
    body = pair_as_json(answered.found, lists, library().catalogue, english=options.english)
    if answered.relax:
        body["relax"] = [each.as_json() for each in answered.relax]
    return body


def _address(one: Asked, other: Asked, options: Options) -> str:
    return url_for(
        "together.pair",
        source=one.source.slug,
        username=one.username,
        with_source=other.source.slug,
        with_username=other.username,
        **page_query(options),
    )


def _names(lists: tuple[FanList, FanList], asked: tuple[Asked, Asked]) -> tuple[str, str]:
    """What to call the two; by their sites, too, if they have the same name."""
    one, other = (
        fan_list.username or each.username for fan_list, each in zip(lists, asked, strict=True)
    )
    if one.casefold() != other.casefold():
        return one, other
    return f"{one} ({asked[0].source.name})", f"{other} ({asked[1].source.name})"


def _page(
    lists: tuple[FanList, FanList],
    names: tuple[str, str],
    options: Options,
    address: Callable[[Options], str],
    example: bool = False,
) -> str | AnyResponse:
    held = library()
    answered = answer_both(held, *lists, options)
    if "format" in request.args:
        return export(request.args["format"], _body(answered, lists, options))
    return render_template(
        "pair.html",
        results=pair_page(held, answered, lists, names, options),
        address=address,
        action=address(Options()),
        carried=None,
        page_query=page_query,
        example=example,
    )
