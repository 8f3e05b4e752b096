"""The form above the results: every option as a field, and what is on as something to take off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.catalogue import Catalogue
from app.web.requests.query import (
    MAX_POPULARITY,
    MAX_TOP,
    TOP_STEP,
    PlannedMode,
    QueryOptions,
    to_page_query,
)
from app.web.services.filters import ADULT_GENRES, TYPE_LABELS, ItemAttributes, popularity_label
from app.web.services.recommend import FilteredResult
from app.web.state import Library

MAX_OFFERED_GENRES = 28
TOP_CHOICES = (10, TOP_STEP, 50, MAX_TOP)
PLANNED_LABELS = {
    PlannedMode.NO: "Leave out",
    PlannedMode.YES: "Show as well",
    PlannedMode.ONLY: "Show only",
}
# What the form does not ask for, and so carries along.
_HIDDEN_FIELDS = ("order", "engine", "adult", "title", "hide", "seen")


@dataclass(frozen=True, slots=True)
class OptionLink:
    """A choice above the results, as the options that it leads to."""

    label: str
    options: QueryOptions
    is_current: bool = False


@dataclass(frozen=True, slots=True)
class FieldChoice:
    """One of the values of a field."""

    value: str
    label: str
    selected: bool


@dataclass(frozen=True, slots=True)
class FilterForm:
    """The whole form. ``on`` and ``marks`` are what can be taken off again, ``relax`` what to take
    off when nothing is left, ``clear`` the options without any filter."""

    options: QueryOptions
    top_choices: tuple[FieldChoice, ...]
    type_choices: tuple[FieldChoice, ...]
    genre_choices: tuple[FieldChoice, ...]
    excluded_genre_choices: tuple[FieldChoice, ...]
    planned_choices: tuple[FieldChoice, ...]
    popularity_labels: tuple[str, ...]
    hidden_fields: tuple[tuple[str, str], ...]
    active_filters: tuple[OptionLink, ...]
    mark_links: tuple[OptionLink, ...]
    relaxation_links: tuple[OptionLink, ...]
    clear_link: OptionLink

    @property
    def current_popularity_label(self) -> str:
        """What the slider's place means."""
        return self.popularity_labels[self.options.popularity + MAX_POPULARITY]


def build_filter_form(
    library: Library,
    filtered: FilteredResult[Any],
    options: QueryOptions,
    planned_labels: Mapping[PlannedMode, str] = PLANNED_LABELS,
) -> FilterForm:
    """The form for these options; ``planned`` is what to call each way with what is planned."""
    attributes, catalogue = library.attributes, library.catalogue
    count = len(attributes.popularity_rank)
    query = to_page_query(options)
    tops = sorted({*TOP_CHOICES, options.top})
    unfiltered = QueryOptions(
        top=options.top,
        order=options.order,
        engine=options.engine,
        adult=options.adult,
        title=options.title,
        ignore_dropped=options.ignore_dropped,
        hide=options.hide,
        seen=options.seen,
    )
    return FilterForm(
        options=options,
        top_choices=tuple(FieldChoice(str(n), f"{n} titles", n == options.top) for n in tops),
        type_choices=tuple(
            FieldChoice(k, name, k in options.type) for k, name in TYPE_LABELS.items()
        ),
        genre_choices=_genre_choices(attributes, options, options.genre),
        excluded_genre_choices=_genre_choices(attributes, options, options.without),
        planned_choices=tuple(
            FieldChoice(p, name, p is options.planned) for p, name in planned_labels.items()
        ),
        popularity_labels=tuple(
            popularity_label(at, count) for at in range(-MAX_POPULARITY, MAX_POPULARITY + 1)
        ),
        hidden_fields=tuple((name, query[name]) for name in _HIDDEN_FIELDS if name in query),
        active_filters=tuple(
            OptionLink(each.label, each.options_without) for each in filtered.filters
        ),
        mark_links=tuple(_mark_links(catalogue, options)),
        relaxation_links=tuple(
            OptionLink(
                f"{each.filter.label}: {_count_titles(each.result_count)} without it",
                each.filter.options_without,
            )
            for each in filtered.relaxations
        ),
        clear_link=OptionLink("Clear all filters", unfiltered),
    )


def _genre_choices(
    attributes: ItemAttributes, options: QueryOptions, selected: tuple[str, ...]
) -> tuple[FieldChoice, ...]:
    often = [name for name in attributes.genre_names if options.adult or name not in ADULT_GENRES]
    offered = sorted({*often[:MAX_OFFERED_GENRES], *selected})
    return tuple(FieldChoice(g, attributes.genre_names[g], g in selected) for g in offered)


def _mark_links(catalogue: Catalogue, options: QueryOptions) -> Iterable[OptionLink]:
    if options.ignore_dropped:
        yield OptionLink("Dropped is no dislike", options.with_changes(ignore_dropped=False))
    for anime_id in options.hide:
        left = tuple(other for other in options.hide if other != anime_id)
        title = catalogue.title(anime_id, english=options.english)
        yield OptionLink(f"Hidden: {title}", options.with_changes(hide=left))
    for anime_id, score in options.seen:
        others = tuple(mark for mark in options.seen if mark[0] != anime_id)
        title = catalogue.title(anime_id, english=options.english)
        label = f"Seen: {title}{f', {score}' if score else ''}"
        yield OptionLink(label, options.with_changes(seen=others))


def _count_titles(count: int) -> str:
    if count >= MAX_TOP:
        return f"{count} titles or more"
    return "1 title" if count == 1 else f"{count} titles"
