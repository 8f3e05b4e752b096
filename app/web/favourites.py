"""``/favourites``: what a fan calls favourites beside the picks, and which picks they speak for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flask import Blueprint, abort, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.catalogue import Catalogue
from app.lists.entry import FanList
from app.recommender import Answer
from app.web.answering import answer_noting, fetch_list, to_listed
from app.web.options import Options, page_query, read_page_query
from app.web.state import Library, hakken, library
from app.web.streaming import Fetching, stream_page
from app.web.view import TINTS, Results, initial_of, number, results

blueprint = Blueprint("favourites", __name__)


@dataclass(frozen=True, slots=True)
class Favourite:
    """One favourite, ``known`` if there is a page about it.

    ``speaks_for`` are the ranks and titles of the picks that it is a reason for.
    """

    anime_id: int
    title: str
    known: bool
    picture: str | None
    score: str | None
    speaks_for: tuple[tuple[int, str], ...]
    initial: str
    tint: int


@blueprint.get("/favourites/<source>/<path:username>")
def of_user(source: str, username: str) -> str | AnyResponse:
    """A user's favourites and picks side by side."""
    held = library()
    if source not in held.sources:
        abort(404)
    site = held.sources[source]
    options = read_page_query(request.args)

    def address(wanted: Options) -> str:
        return url_for(".of_user", source=source, username=username, **page_query(wanted))

    def page(fan_list: FanList, part: str | None = None) -> str:
        name = fan_list.username or username
        shown, loved = _both(held, fan_list, options)
        everything = page_query(options)
        return render_template(
            "favourites.html",
            part=part,
            results=shown,
            favourites=loved,
            address=address,
            name=name,
            site=site.name,
            link=site.list_link(name),
            source=source,
            picks=url_for("pages.user", source=source, username=username, **everything),
        )

    fetching = Fetching(lambda report: fetch_list(site, username, report))
    if request.method == "HEAD" or fetching.soon(hakken().settings.list_grace):
        return page(fetching.result())
    return stream_page(fetching, page, name=username, source=site)


def _both(
    held: Library, fan_list: FanList, options: Options
) -> tuple[Results, tuple[Favourite, ...]]:
    answered = answer_noting(held, to_listed(fan_list), options, fan_list.unmapped)
    loved = favourites_told(fan_list, answered.found, held.catalogue, english=options.english)
    return results(held, answered, fan_list, options), tuple(loved)


def favourites_told(
    fan_list: FanList, found: Answer, catalogue: Catalogue, *, english: bool
) -> Iterable[Favourite]:
    """The favourites in their fan's order."""
    entries = {entry.anime_id: entry for entry in fan_list.entries}
    for anime_id in fan_list.favourites:
        entry = entries[anime_id]
        known = anime_id in catalogue
        anime = catalogue.get(anime_id)
        title = anime.called(english=english) if known else entry.title or f"Anime {anime_id}"
        yield Favourite(
            anime_id=anime_id,
            title=title,
            known=known,
            picture=anime.picture,
            score=number(entry.score) if entry.score else None,
            speaks_for=tuple(
                (item.rank, catalogue.title(item.anime_id, english=english))
                for item in found.recommendations
                if any(why.anime_id == anime_id for why in item.because)
            ),
            initial=initial_of(title),
            tint=anime_id % TINTS,
        )
