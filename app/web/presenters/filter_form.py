"""What stands above the results: every option as a field or a link, and what can be taken off."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from app.age_rating import CEILINGS
from app.catalogue import Catalogue
from app.facets import Facet
from app.recommender import EngineName, SortOrder
from app.recommender.array_types import BoolArray
from app.translation import current_language, format_number, gettext, mark, ngettext
from app.vocabulary import catalogue_word
from app.web.presenters.text import count_titles, other_title_languages
from app.web.requests.query import (
    MAX_POPULARITY,
    MAX_TOP,
    TOP_STEP,
    PlannedMode,
    Preference,
    QueryOptions,
    Season,
    SimilarUsersOptions,
    to_page_query,
)
from app.web.requests.values import MAX_MARKS
from app.web.services.filters import TYPE_LABELS, ceiling_label, popularity_label
from app.web.services.library import Library
from app.web.services.recommendations import FilteredResult

KeyT = TypeVar("KeyT")

MIN_OFFERED_ITEMS = 10
"""Anime that a tag or studio must have to be suggested; any that is named is found."""
TOP_CHOICES = (10, TOP_STEP, 50, MAX_TOP)
PLANNED_LABELS = {
    PlannedMode.NO: mark("Leave out"),
    PlannedMode.YES: mark("Show as well"),
    PlannedMode.ONLY: mark("Show only"),
}
ORDER_LABELS = {
    SortOrder.MATCH: mark("Best match"),
    SortOrder.DISCOVER: mark("Hidden gems"),
    SortOrder.SCORE: mark("Predicted score"),
}
ENGINE_LABELS = {
    EngineName.HAKKEN: mark("Scores and lists"),
    EngineName.ALS: mark("What you did"),
    EngineName.MF: mark("Scores: hidden traits"),
    EngineName.MLP: mark("Scores: a neural network"),
    EngineName.HYBRID: mark("Scores and likes: a neural network"),
    EngineName.COSINE: mark("Scores: directions of taste"),
    EngineName.KERNEL: mark("Scores: likeness to your titles"),
}
"""What an engine's picks rest on, as fans would say it."""
PREFERENCE_LABELS = {
    Preference.GENRES: mark("By the genres they prefer"),
    Preference.SOURCES: mark("By what it was made from"),
}
AUTOMATIC_RATING = mark("As fits the list: up to PG-13 for a child’s")
# What the form does not ask for, and so carries along.
_HIDDEN_FIELDS = (
    *("order", "engine", "title", "view", "like", "hide", "seen", "ignore", "prefer", "surprise"),
)
_NOT_IN_FIELDS = (*_HIDDEN_FIELDS, "offset")
_NO_FILTERS = frozenset(
    {
        *("top", "order", "engine", "adult", "title", "view", "prefer"),
        *("ignore_dropped", "ignore", "hide", "seen"),
    }
)


@dataclass(frozen=True, slots=True)
class OptionLink:
    """A choice, as the options that it leads to."""

    label: str
    options: QueryOptions
    is_current: bool = False


@dataclass(frozen=True, slots=True)
class FieldChoice:
    """One of the values of a field; ``count`` anime have it, None where that says nothing.

    ``group`` is the column of the catalogue that a word is of.
    """

    value: str
    label: str
    selected: bool
    count: int | None = None
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageControls:
    """What the pages of recommendations share: ways to other options, and the data's date."""

    catalogue: Catalogue
    order_links: tuple[OptionLink, ...]
    engine_links: tuple[OptionLink, ...]
    title_language_links: tuple[OptionLink, ...]
    more_link: OptionLink | None
    filter_form: Mapping[str, Any]
    options: QueryOptions
    data_date: str

    @property
    def all_link(self) -> OptionLink | None:
        """The way from the shelf of the best matches to all of them."""
        more = self.more_link
        return None if more is None else OptionLink(gettext("See all"), more.options)

    def alternate_title(self, anime_id: int) -> str | None:
        """Return the title that is not shown as the first, if there is another."""
        return self.catalogue.get_anime(anime_id).other_title

    def ignore_link(self, anime_id: int, label: str) -> OptionLink:
        """Offer the picks as they would be if an anime did not stand on the list."""
        ignored = (*self.options.ignore, anime_id)[-MAX_MARKS:]
        return OptionLink(label, self.options.with_changes(ignore=ignored))

    def hide_link(self, anime_id: int, label: str) -> OptionLink:
        """Offer to hide an anime; of too many that are hidden the earliest comes back."""
        hidden = (*self.options.hide, anime_id)[-MAX_MARKS:]
        return OptionLink(label, self.options.with_changes(hide=hidden))


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
    return {
        "catalogue": library.catalogue,
        "order_links": choice_links(options, "order", ORDER_LABELS) if personal else (),
        "engine_links": _engine_links(options, library.model.engines) if personal else (),
        "title_language_links": tuple(
            OptionLink(label, options.with_changes(title=language))
            for language, label in other_title_languages(options.title)
        ),
        "more_link": _more_link(options, shown),
        "filter_form": _build_filter_form(library, filtered, options, planned_labels),
        "options": options,
        "data_date": library.model.manifest.created[:10],
    }


def _build_filter_form(
    library: Library,
    filtered: FilteredResult[Any],
    options: QueryOptions,
    planned_labels: Mapping[PlannedMode, str],
) -> dict[str, Any]:
    """Build what ``_filters.html`` shows; ``planned_labels`` name the ways with what is planned.

    ``fields()`` builds the fields, and ``kept_fields`` keeps them as they are rendered.
    ``active_filters`` and ``mark_links`` can be taken off; ``relaxation_links`` say what to take
    off when nothing is left, ``clear_link`` has no filter. ``first_link`` leads back from behind
    the last page.
    """
    query = to_page_query(options)
    asked = options.with_changes(**_defaults_of(options, _NOT_IN_FIELDS))
    key = "fields", current_language.get(), asked, tuple(planned_labels.values())
    return {
        "options": options,
        "fields": partial(_build_fields, library, options, planned_labels),
        "kept_fields": partial(library.fragments.get_or_render, key),
        "hidden_fields": [(name, query[name]) for name in _HIDDEN_FIELDS if name in query],
        "active_filters": [
            OptionLink(each.label, each.options_without) for each in filtered.filters
        ],
        "mark_links": list(_mark_links(library.catalogue, options)),
        "relaxation_links": [
            OptionLink(
                gettext(
                    "%(filter)s: %(titles)s without it",
                    filter=each.filter.label,
                    titles=_count_results(each.result_count),
                ),
                each.filter.options_without,
            )
            for each in filtered.relaxations
        ],
        "first_link": OptionLink(gettext("To the first page"), options.with_changes(offset=0))
        if filtered.is_past_end
        else None,
        "clear_link": OptionLink(gettext("Clear all filters"), _without_filters(options)),
    }


def _build_fields(
    library: Library, options: QueryOptions, planned_labels: Mapping[PlannedMode, str]
) -> dict[str, Any]:
    """Build what the fields of the form offer, for whatever list.

    ``offered_fields`` are those whose facts are known of enough anime; choices of words are empty
    where they are not.
    """
    facets = library.attributes.facets
    shown = library.shown_mask(adult=options.adult)
    tops = sorted({*TOP_CHOICES, options.top})
    typed = partial(_word_choices, shown=shown, at_least=MIN_OFFERED_ITEMS)
    return {
        "top_choices": _choices({str(n): count_titles(n) for n in tops}, {str(options.top)}),
        "type_choices": _named_choices(
            facets.media_type, shown, _spoken(TYPE_LABELS), options.type
        ),
        "genres": _word_choices(facets.genre, options.genre, shown),
        "excluded_genres": _word_choices(facets.genre, options.without, shown),
        "tags": typed(facets.tag, options.tag),
        "excluded_tags": typed(facets.tag, options.without_tag),
        "studios": typed(facets.studio, options.studio),
        "material_choices": typed(facets.material, options.material),
        "season_choices": _named_choices(
            facets.season,
            shown,
            {season: catalogue_word(season.capitalize()) for season in Season},
            options.season,
        ),
        "rating_choices": _rating_choices(library, options),
        "offered_fields": _offered_fields(library, options),
        "planned_choices": _choices(_spoken(planned_labels), {options.planned}),
        "popularity_labels": [
            popularity_label(step, len(shown))
            for step in range(-MAX_POPULARITY, MAX_POPULARITY + 1)
        ],
    }


def _defaults_of(options: QueryOptions, names: Collection[str]) -> dict[str, Any]:
    fields = type(options).model_fields
    return {
        name: fields[name].get_default(call_default_factory=True)
        for name in names
        if name in fields
    }


def _without_filters(options: QueryOptions) -> QueryOptions:
    kept = _NO_FILTERS & type(options).model_fields.keys()
    return type(options)(**{name: getattr(options, name) for name in kept})


def preference_links(options: SimilarUsersOptions) -> tuple[OptionLink, ...]:
    """Offer to rank by each of what fans prefer, or no longer to."""

    def toggled(kind: Preference) -> tuple[Preference, ...]:
        return tuple(each for each in Preference if (each in options.prefer) is not (each is kind))

    return tuple(
        OptionLink(
            gettext(label), options.with_changes(prefer=toggled(kind)), kind in options.prefer
        )
        for kind, label in PREFERENCE_LABELS.items()
    )


def _spoken(labels: Mapping[KeyT, str]) -> dict[KeyT, str]:
    """Say the labels of a table in the language of the page."""
    return {key: gettext(label) for key, label in labels.items()}


def _choices(labels: Mapping[Any, str], selected: Collection[str]) -> tuple[FieldChoice, ...]:
    return tuple(FieldChoice(value, name, value in selected) for value, name in labels.items())


def _word_choices(
    facet: Facet, selected: tuple[str, ...], shown: BoolArray, at_least: int = 1
) -> tuple[FieldChoice, ...]:
    """List the words of enough anime, and those that are selected, by name."""
    counts = facet.counts(shown) if facet.is_offered else {}
    offered = {slug for slug, count in counts.items() if count >= at_least}
    offered |= facet.names.keys() & set(selected)
    return tuple(
        FieldChoice(
            slug,
            catalogue_word(facet.names[slug]),
            slug in selected,
            counts.get(slug, 0),
            facet.groups[slug],
        )
        for slug in sorted(offered, key=lambda slug: facet.names[slug].casefold())
    )


def _named_choices(
    facet: Facet, shown: BoolArray, labels: Mapping[Any, str], selected: tuple[str, ...]
) -> tuple[FieldChoice, ...]:
    """List the words that have a label, in the order of the labels."""
    found = {each.value: each for each in _word_choices(facet, selected, shown)}
    return tuple(
        replace(found[word], label=label) for word, label in labels.items() if word in found
    )


def _rating_choices(library: Library, options: QueryOptions) -> tuple[FieldChoice, ...]:
    """List the ceilings below that of the server; none where too few anime have a rating."""
    if not library.attributes.facets.has_ratings:
        return ()
    server = library.rating_ceiling or CEILINGS[-1]
    labels = {"": gettext(AUTOMATIC_RATING)} | {
        rating: ceiling_label(rating) for rating in CEILINGS if rating.level <= server.level
    }
    return _choices(labels, {options.rating or ""})


def _offered_fields(library: Library, options: QueryOptions) -> frozenset[str]:
    """List the fields whose facts are known of enough anime, and those that are filled in."""
    attributes = library.attributes
    known = {"year": attributes.year > 0, "episodes": attributes.episodes > 0}
    offered = {name for name, mask in known.items() if attributes.facets.is_offered(mask)}
    if options.year_from or options.year_to:
        offered.add("year")
    if options.min_episodes or options.max_episodes:
        offered.add("episodes")
    if not library.rating_ceiling and not library.non_adult.all():
        offered.add("adult")
    return frozenset(offered)


def choice_links(
    options: QueryOptions, name: str, labels: Mapping[Any, str]
) -> tuple[OptionLink, ...]:
    """Offer each value of an option that has a label."""
    current = getattr(options, name)
    return tuple(
        OptionLink(gettext(label), options.with_changes(**{name: value}), value is current)
        for value, label in labels.items()
    )


def _engine_links(options: QueryOptions, further: Collection[str]) -> tuple[OptionLink, ...]:
    """List what the picks can rest on; nothing where there is no choice."""
    offered = (EngineName.HAKKEN, *further) if further else ()
    labels = {engine: ENGINE_LABELS[engine] for engine in EngineName if engine in offered}
    return choice_links(options, "engine", labels)


def _more_link(options: QueryOptions, shown: int) -> OptionLink | None:
    """Further titles, unless fewer than asked for are ``shown`` or there may be no more."""
    if not shown == options.top < MAX_TOP:
        return None
    longer = options.with_changes(top=min(options.top + TOP_STEP, MAX_TOP))
    label = ngettext("%(count)s more title", "%(count)s more titles", longer.top - options.top)
    return OptionLink(label, longer)


def _mark_links(catalogue: Catalogue, options: QueryOptions) -> Iterable[OptionLink]:
    if options.adult:
        yield OptionLink(gettext("With adult titles"), options.with_changes(adult=False))
    if options.ignore_dropped:
        yield OptionLink(
            gettext("Dropped is no dislike"), options.with_changes(ignore_dropped=False)
        )
    said = {"ignore": mark("Without your %(title)s"), "hide": mark("Hidden: %(title)s")}
    for name, message in said.items():
        marked = getattr(options, name)
        for anime_id in marked:
            left = tuple(other for other in marked if other != anime_id)
            label = gettext(message, title=catalogue.title(anime_id))
            yield OptionLink(label, options.with_changes(**{name: left}))
    for anime_id, score in options.seen:
        others = tuple(each for each in options.seen if each[0] != anime_id)
        title = catalogue.title(anime_id)
        label = (
            gettext("Seen: %(title)s, %(score)s", title=title, score=score)
            if score
            else gettext("Seen: %(title)s", title=title)
        )
        yield OptionLink(label, options.with_changes(seen=others))


def _count_results(count: int) -> str:
    if count >= MAX_TOP:
        return gettext("%(count)s titles or more", count=format_number(count))
    return count_titles(count)
