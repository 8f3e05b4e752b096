"""From a source and a name, or a list, to an answer: the one path of pages and API."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np

from app.lists import Source
from app.lists.entry import FanList
from app.lists.errors import BadUsername, EmptyList
from app.lists.progress import Report, unreported
from app.metrics import ANSWER_SECONDS, LIST_SECONDS, note_list
from app.recommender import Answer, EngineName, Listed, Status, Visitor, Wish, recommend
from app.recommender.fold_in import fold_in
from app.web.filters import Filter, Mask, filters_on, hidden
from app.web.options import MAX_TOP, BadQuery, Options, Planned
from app.web.state import Library

MAX_USERNAME = 100

Found = TypeVar("Found")


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


def fetch_list(source: Source, username: str, report: Report = unreported) -> FanList:
    """The list of a user; one without anime is an empty list, not an error.

    ``report`` is told how far it has come.

    Raises:
        ListError: any other kind.
    """
    try:
        with LIST_SECONDS.labels(source.slug).time():
            return source.fetch(username, report)
    except EmptyList as error:
        return FanList(source.slug, error.username or username, ())


def to_listed(fan_list: FanList) -> Listed:
    """The list in the recommender's form."""
    listed = Listed.of([(entry.anime_id, entry.score, entry.status) for entry in fan_list.entries])
    return listed.with_favourites(fan_list.favourites)


@dataclass(frozen=True, slots=True)
class Relaxed:
    """A filter, and how many titles there would be without it."""

    filter: Filter
    count: int

    def as_json(self) -> dict[str, Any]:
        """The filter by its options, as the API tells of it."""
        return {
            "options": self.filter.names,
            "label": self.filter.label,
            "would_show": self.count,
        }


@dataclass(frozen=True, slots=True)
class Answered(Generic[Found]):
    """What was found, and the filters that it went through.

    ``relax``, when nothing is left: the filters that alone let something in, best first.
    """

    found: Found
    filters: list[Filter]
    relax: list[Relaxed]


def answered_by(
    ask: Callable[[Options], tuple[Found, list[Filter]]],
    options: Options,
    count: Callable[[Found], int],
) -> Answered[Found]:
    """Ask, and again without each filter if nothing is left; ``count`` is how many titles are."""
    found, filters = ask(options)
    if count(found):
        return Answered(found, filters, [])
    alone = [Relaxed(each, count(ask(each.off.but(top=MAX_TOP))[0])) for each in filters]
    relax = sorted((each for each in alone if each.count), key=lambda each: -each.count)
    return Answered(found, filters, relax)


def answer_noting(
    library: Library, listed: Listed, options: Options, unmapped: int = 0
) -> Answered[Answer]:
    """The answer to who asked with this list; ``unmapped`` titles of it have no anime id."""
    ask = partial(_answer, library, listed)
    answered = answered_by(ask, options, lambda found: len(found.recommendations))
    note_list(library.model.find(listed.anime_id) >= 0, unmapped)
    return answered


def answer(library: Library, listed: Listed, options: Options) -> Answer:
    """Recommend what the options let through."""
    return _answer(library, listed, options)[0]


@ANSWER_SECONDS.time()
def _answer(library: Library, listed: Listed, options: Options) -> tuple[Answer, list[Filter]]:
    visitor = visitor_of(library, listed, options)
    filters = filters_for(library, (visitor,), options)
    return recommend(library.model, visitor, wished(library, options, filters)), filters


def wished(library: Library, options: Options, filters: Iterable[Filter]) -> Wish:
    """The options as the recommender takes them.

    Raises:
        BadQuery: the model does not have the engine.
    """
    engines = (EngineName.HAKKEN, *library.model.engines)
    if options.engine not in engines:
        raise BadQuery("engine", f"“engine” should be one of: {', '.join(engines)}.")
    return Wish(
        top=options.top,
        order=options.order,
        engine=options.engine,
        include_planned=options.planned is not Planned.NO,
        extras=options.extras,
        franchises=library.franchises,
        allowed=allowed_by(library, options, filters),
    )


def allowed_by(library: Library, options: Options, filters: Iterable[Filter]) -> Mask:
    """Where an anime may be shown, (n,) bool; adult anime only if asked for."""
    allowed = np.ones(len(library.model), bool) if options.adult else library.suitable.copy()
    for each in filters:
        allowed &= each.mask
    if options.hide:
        positions = library.model.find(np.array(options.hide, np.int64))
        allowed &= ~hidden(library.model, library.franchises, positions)
    return allowed


def filters_for(library: Library, visitors: Sequence[Visitor], options: Options) -> list[Filter]:
    """The filters that are on for these fans together."""
    seen = np.concatenate([visitor.seen for visitor in visitors])
    planned = np.concatenate([visitor.planned for visitor in visitors])
    return filters_on(library.facts, library.franchises, seen, planned, options)


def visitor_of(library: Library, listed: Listed, options: Options) -> Visitor:
    """The fan with this list, and with what was marked as seen on the page."""
    listed = marked(listed, options)
    return fold_in(library.model, listed, ignore_dropped=options.ignore_dropped)


def marked(listed: Listed, options: Options) -> Listed:
    """The list, with what was marked as seen on the page."""
    if not options.seen:
        return listed
    rows = zip(listed.anime_id.tolist(), listed.score.tolist(), listed.status.tolist(), strict=True)
    seen = [(anime_id, float(score), Status.COMPLETED) for anime_id, score in options.seen]
    favourites = () if listed.favourite is None else listed.anime_id[listed.favourite].tolist()
    return Listed.of([*rows, *seen]).with_favourites(favourites)


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
