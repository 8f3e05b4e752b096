"""From a source and a name, or a list, to an answer: the one path of pages and API."""

from __future__ import annotations

from app.lists import Source
from app.lists.entry import FanList
from app.lists.errors import BadUsername, EmptyList
from app.recommender import Answer, Listed, Wish, recommend
from app.web.options import BadQuery, Options
from app.web.state import Library

MAX_USERNAME = 100


def source_called(library: Library, slug: str) -> Source:
    """The source with this slug.

    Raises:
        BadQuery: there is none.
    """
    try:
        return library.sources[slug]
    except KeyError:
        known = ", ".join(library.sources)
        raise BadQuery("source", f"“source” should be one of: {known}.") from None


def fetch_list(source: Source, username: str) -> FanList:
    """The list of a user; one without anime is an empty list, not an error.

    Raises:
        ListError: any other kind.
    """
    try:
        return source.fetch(username)
    except EmptyList as error:
        return FanList(source.slug, error.username or username, ())


def to_listed(fan_list: FanList) -> Listed:
    """The list in the recommender's form."""
    return Listed.of([(entry.anime_id, entry.score, entry.status) for entry in fan_list.entries])


def answer(library: Library, listed: Listed, options: Options) -> Answer:
    """Recommend; adult anime only if asked for."""
    allowed = None if options.adult else library.suitable
    wish = Wish(
        top=options.top,
        order=options.order,
        franchises=library.franchises,
        allowed=allowed,
    )
    return recommend(library.model, listed, wish)


def where_to_look(library: Library, slug: str, typed: str) -> tuple[Source, str]:
    """The source and the username that a visitor means by what was typed.

    A pasted profile address decides by itself, whichever site was chosen beside it. Without a site,
    the first one is meant.

    Raises:
        BadQuery: there is no such source.
        BadUsername: what was typed cannot stand in an address.
    """
    typed = typed.strip()
    for source in library.sources.values():
        if name := source.names.in_address(typed):
            return source, name
    source = source_called(library, slug or next(iter(library.sources), ""))
    if not typed:
        raise BadUsername(source=source.name, username="", rule="")
    if len(typed) > MAX_USERNAME:
        raise BadUsername(
            source=source.name, username=typed[:MAX_USERNAME], rule="it is far too long"
        )
    if set(typed) <= set("./"):
        raise BadUsername(source=source.name, username=typed, rule="names hold letters or digits")
    return source, typed
