"""The form above the results: every option as a field, and what is on as something to take off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.catalogue import Catalogue
from app.web.answering import Answered
from app.web.filters import FOR_ADULTS, TYPE_NAMES, Facts, popularity_label
from app.web.options import MAX_TOP, SLIDER, STEP, Options, Planned, page_query
from app.web.state import Library

OFFERED_GENRES = 28
TOPS = (10, STEP, 50, MAX_TOP)
PLANNED_NAMES = {Planned.NO: "Leave out", Planned.YES: "Show as well", Planned.ONLY: "Show only"}
# What the form does not ask for, and so carries along.
_CARRIED = ("order", "engine", "adult", "title", "hide", "seen")


@dataclass(frozen=True, slots=True)
class Control:
    """A choice above the results, as the options that it leads to."""

    label: str
    options: Options
    current: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the values of a field."""

    value: str
    label: str
    on: bool


@dataclass(frozen=True, slots=True)
class Panel:
    """The whole form. ``on`` and ``marks`` are what can be taken off again, ``relax`` what to take
    off when nothing is left, ``clear`` the options without any filter."""

    options: Options
    tops: tuple[Choice, ...]
    types: tuple[Choice, ...]
    genres: tuple[Choice, ...]
    without: tuple[Choice, ...]
    planned: tuple[Choice, ...]
    slider: tuple[str, ...]
    carried: tuple[tuple[str, str], ...]
    on: tuple[Control, ...]
    marks: tuple[Control, ...]
    relax: tuple[Control, ...]
    clear: Control

    @property
    def told(self) -> str:
        """What the slider's place means."""
        return self.slider[self.options.popularity + SLIDER]


def panel_of(
    held: Library,
    answered: Answered[Any],
    options: Options,
    planned: Mapping[Planned, str] = PLANNED_NAMES,
) -> Panel:
    """The form for these options; ``planned`` is what to call each way with what is planned."""
    facts, catalogue = held.facts, held.catalogue
    count = len(facts.rank)
    query = page_query(options)
    tops = sorted({*TOPS, options.top})
    bare = Options(
        top=options.top,
        order=options.order,
        engine=options.engine,
        adult=options.adult,
        title=options.title,
        ignore_dropped=options.ignore_dropped,
        hide=options.hide,
        seen=options.seen,
    )
    return Panel(
        options=options,
        tops=tuple(Choice(str(n), f"{n} titles", n == options.top) for n in tops),
        types=tuple(Choice(k, name, k in options.type) for k, name in TYPE_NAMES.items()),
        genres=_genres(facts, options, options.genre),
        without=_genres(facts, options, options.without),
        planned=tuple(Choice(p, name, p is options.planned) for p, name in planned.items()),
        slider=tuple(popularity_label(at, count) for at in range(-SLIDER, SLIDER + 1)),
        carried=tuple((name, query[name]) for name in _CARRIED if name in query),
        on=tuple(Control(each.label, each.off) for each in answered.filters),
        marks=tuple(_marks(catalogue, options)),
        relax=tuple(
            Control(f"{each.filter.label}: {_titles(each.count)} without it", each.filter.off)
            for each in answered.relax
        ),
        clear=Control("Clear all filters", bare),
    )


def _genres(facts: Facts, options: Options, chosen: tuple[str, ...]) -> tuple[Choice, ...]:
    often = [name for name in facts.genre_names if options.adult or name not in FOR_ADULTS]
    offered = sorted({*often[:OFFERED_GENRES], *chosen})
    return tuple(Choice(g, facts.genre_names[g], g in chosen) for g in offered)


def _marks(catalogue: Catalogue, options: Options) -> Iterable[Control]:
    if options.ignore_dropped:
        yield Control("Dropped is no dislike", options.but(ignore_dropped=False))
    for anime_id in options.hide:
        left = tuple(other for other in options.hide if other != anime_id)
        title = catalogue.title(anime_id, english=options.english)
        yield Control(f"Hidden: {title}", options.but(hide=left))
    for anime_id, score in options.seen:
        others = tuple(mark for mark in options.seen if mark[0] != anime_id)
        title = catalogue.title(anime_id, english=options.english)
        told = f"Seen: {title}{f', {score}' if score else ''}"
        yield Control(told, options.but(seen=others))


def _titles(count: int) -> str:
    if count >= MAX_TOP:
        return f"{count} titles or more"
    return "1 title" if count == 1 else f"{count} titles"
