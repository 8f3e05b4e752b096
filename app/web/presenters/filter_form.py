"""What stands above the results: every option as a field or a link, and what can be taken off."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.catalogue import Catalogue
from app.recommender import EngineName, SortOrder
from app.web.requests.query import (
    MAX_POPULARITY,
    MAX_TOP,
    TOP_STEP,
    PlannedMode,
    QueryOptions,
    TitleLanguage,
    to_page_query,
)
from app.web.requests.values import MAX_MARKS
from app.web.services.filters import ADULT_GENRES, TYPE_LABELS, ItemAttributes, popularity_label
from app.web.services.library import Library
from app.web.services.recommendations import FilteredResult

MAX_OFFERED_GENRES = 28
TOP_CHOICES = (10, TOP_STEP, 50, MAX_TOP)
PLANNED_LABELS = {
    PlannedMode.NO: "Leave out",
    PlannedMode.YES: "Show as well",
    PlannedMode.ONLY: "Show only",
}
ORDER_LABELS = {
    SortOrder.MATCH: "Best match",
    SortOrder.DISCOVER: "Hidden gems",
    SortOrder.SCORE: "Predicted score",
}
ENGINE_LABELS = {
    EngineName.HAKKEN: "Scores and lists",
    EngineName.ALS: "What you did",
    EngineName.MF: "Scores: hidden traits",
    EngineName.MLP: "Scores: a neural network",
    EngineName.HYBRID: "Scores and likes: a neural network",
    EngineName.COSINE: "Scores: directions of taste",
    EngineName.KERNEL: "Scores: likeness to your titles",
}
"""What an engine's picks rest on, as fans would say it."""
# What the form does not ask for, and so carries along.
_HIDDEN_FIELDS = ("order", "engine", "adult", "title", "hide", "seen")
_NO_FILTERS = ("top", "order", "engine", "adult", "title", "ignore_dropped", "hide", "seen")


@dataclass(frozen=True, slots=True)
class OptionLink:
    """A choice, as the options that it leads to."""

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
    """The form. ``active_filters`` and ``mark_links`` can be taken off.

    ``relaxation_links`` say what to take off when nothing is left; ``clear_link`` has no filter.
    """

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
        """What the slider's position means."""
        return self.popularity_labels[self.options.popularity + MAX_POPULARITY]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageControls:
    """What the pages of recommendations share: ways to other options, and the data's date."""

    catalogue: Catalogue
    order_links: tuple[OptionLink, ...]
    engine_links: tuple[OptionLink, ...]
    adult_link: OptionLink
    title_language_link: OptionLink
    more_link: OptionLink | None
    filter_form: FilterForm
    data_date: str

    def alternate_title(self, anime_id: int) -> str | None:
        """Return the title that is not shown as the first, if there is another."""
        english = self.filter_form.options.english
        return self.catalogue.get_anime(anime_id).alternate_title(english=english)

    def hide_link(self, anime_id: int, label: str) -> OptionLink:
        """Offer to hide an anime; of too many that are hidden the earliest comes back."""
        options = self.filter_form.options
        hidden = (*options.hide, anime_id)[-MAX_MARKS:]
        return OptionLink(label, options.with_changes(hide=hidden))


def control_fields(
    library: Library,
    filtered: FilteredResult[Any],
    options: QueryOptions,
    *,
    shown: int,
    personal: bool,
    planned_labels: Mapping[PlannedMode, str] = PLANNED_LABELS,
) -> dict[str, Any]:
    """Build the fields of `PageControls` for a page that shows ``shown`` recommendations.

    Where nothing is ``personal`` there is no order and no engine to choose.
    """
    adult = "Leave out adult titles" if options.adult else "Add adult titles"
    language = TitleLanguage.ROMAJI if options.english else TitleLanguage.ENGLISH
    return {
        "catalogue": library.catalogue,
        "order_links": _order_links(options) if personal else (),
        "engine_links": _engine_links(options, library.model.engines) if personal else (),
        "adult_link": OptionLink(adult, options.with_changes(adult=not options.adult)),
        "title_language_link": OptionLink(
            f"{language.capitalize()} titles", options.with_changes(title=language)
        ),
        "more_link": _more_link(options, shown),
        "filter_form": build_filter_form(library, filtered, options, planned_labels),
        "data_date": library.model.manifest.created[:10],
    }


def build_filter_form(
    library: Library,
    filtered: FilteredResult[Any],
    options: QueryOptions,
    planned_labels: Mapping[PlannedMode, str] = PLANNED_LABELS,
) -> FilterForm:
    """Build the form for these options; ``planned_labels`` name the ways with what is planned."""
    attributes = library.attributes
    count = len(attributes.popularity_rank)
    query = to_page_query(options)
    tops = sorted({*TOP_CHOICES, options.top})
    return FilterForm(
        options=options,
        top_choices=_choices({str(n): f"{n} titles" for n in tops}, {str(options.top)}),
        type_choices=_choices(TYPE_LABELS, options.type),
        genre_choices=_genre_choices(attributes, options, options.genre),
        excluded_genre_choices=_genre_choices(attributes, options, options.without),
        planned_choices=_choices(planned_labels, {options.planned}),
        popularity_labels=tuple(
            popularity_label(step, count) for step in range(-MAX_POPULARITY, MAX_POPULARITY + 1)
        ),
        hidden_fields=tuple((name, query[name]) for name in _HIDDEN_FIELDS if name in query),
        active_filters=tuple(
            OptionLink(each.label, each.options_without) for each in filtered.filters
        ),
        mark_links=tuple(_mark_links(library.catalogue, options)),
        relaxation_links=tuple(
            OptionLink(
                f"{each.filter.label}: {_count_titles(each.result_count)} without it",
                each.filter.options_without,
            )
            for each in filtered.relaxations
        ),
        clear_link=OptionLink(
            "Clear all filters", QueryOptions(**{n: getattr(options, n) for n in _NO_FILTERS})
        ),
    )


def _choices(labels: Mapping[Any, str], selected: Collection[str]) -> tuple[FieldChoice, ...]:
    return tuple(FieldChoice(value, name, value in selected) for value, name in labels.items())


def _genre_choices(
    attributes: ItemAttributes, options: QueryOptions, selected: tuple[str, ...]
) -> tuple[FieldChoice, ...]:
    often = [name for name in attributes.genre_names if options.adult or name not in ADULT_GENRES]
    offered = sorted({*often[:MAX_OFFERED_GENRES], *selected})
    return _choices({name: attributes.genre_names[name] for name in offered}, selected)


def _order_links(options: QueryOptions) -> tuple[OptionLink, ...]:
    return tuple(
        OptionLink(label, options.with_changes(order=order), options.order is order)
        for order, label in ORDER_LABELS.items()
    )


def _engine_links(options: QueryOptions, further: Collection[str]) -> tuple[OptionLink, ...]:
    """List what the picks can rest on; nothing where there is no choice."""
    offered = (EngineName.HAKKEN, *further) if further else ()
    return tuple(
        OptionLink(
            ENGINE_LABELS[engine], options.with_changes(engine=engine), options.engine is engine
        )
        for engine in EngineName
        if engine in offered
    )


def _more_link(options: QueryOptions, shown: int) -> OptionLink | None:
    """Further titles, unless fewer than asked for are ``shown`` or there may be no more."""
    if not shown == options.top < MAX_TOP:
        return None
    longer = options.with_changes(top=min(options.top + TOP_STEP, MAX_TOP))
    return OptionLink(f"{longer.top - options.top} more titles", longer)


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
