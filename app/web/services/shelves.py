"""The shelves of a results page: what a fan may want tonight, each a few picks of its own.

A shelf is nothing but options: opened whole it is the page of recommendations with these. The list
is folded in and every anime estimated once for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from app.recommender import (
    ItemEstimates,
    RecommendationResult,
    RecommendedItem,
    SortOrder,
    recommend,
)
from app.translation import mark
from app.web.requests.query import MediaType, PlannedMode, QueryOptions
from app.web.services.library import Library
from app.web.services.recommendations import active_filters_for, build_options
from app.web.services.showcase import first_recent_year

SHELF_SIZE = 12
MIN_SHELF_SIZE = 4
"""A shelf of fewer titles is not shown."""
MIN_PERCENTILE = 10.0
"""What matches less than this ends a shelf that has enough on it already."""
MIN_SHELF_MATCH = 50
"""Percent that the best on a shelf has to match for numbers to be shown."""
LOVED_SHELVES = 2
LOVED_SCORE = 8.0
REASONS_FROM = 20
"""The picks whose reasons decide what a shelf is named after."""
_KEPT = frozenset(
    {"top", "adult", "rating", "title", "view", "ignore_dropped", "ignore", "hide", "seen"}
)
"""Options that change who asks and what may be shown, not what is asked for."""
_WHOLE = {"continues", "year_from", "planned"}
"""Options whose shelves show all they have, though it may stand above them."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """A shelf: its name (a message), the options that open it whole, and its first picks.

    ``loved`` is the id of the anime that it is named after, if it is.
    """

    name: str
    options: QueryOptions
    items: tuple[RecommendedItem, ...]
    loved: int | None = None

    @property
    def has_numbers(self) -> bool:
        """Whether the best on it matches well enough for numbers to speak for it."""
        return max(item.shown_match for item in self.items) >= MIN_SHELF_MATCH


def has_shelves(options: QueryOptions) -> bool:
    """Whether nothing in particular is asked for, so that shelves have their place."""
    default = type(options)()
    return options.top == default.top and options == default.with_changes(
        **{name: getattr(options, name) for name in _KEPT & type(options).model_fields.keys()}
    )


def build_shelves(
    library: Library, estimates: ItemEstimates, options: QueryOptions, best: RecommendationResult
) -> list[Shelf]:
    """Fill the shelves that have enough on them; ``best`` are the picks that stand above them.

    What is next in a series, new or planned is all there; other shelves repeat nothing that stands
    above them.
    """
    shelves = []
    above = [item.anime_id for item in best.recommendations]
    for name, changes, loved in _kinds(library, best):
        changed = options.with_changes(**changes)
        filters = active_filters_for(library, (estimates.profile,), changed)
        wanted = build_options(library, changed.with_changes(top=SHELF_SIZE), filters)
        if not changes.keys() & _WHOLE:
            wanted = replace(
                wanted, stands_above=library.model.find_positions(np.array(above, np.int64))
            )
        found = recommend(library.model, estimates, wanted.without_reasons())
        items = _without_tail(found.recommendations)
        if len(items) >= MIN_SHELF_SIZE:
            shelves.append(Shelf(name, changed, items, loved))
            above += [item.anime_id for item in items]
    return shelves


def _without_tail(items: tuple[RecommendedItem, ...]) -> tuple[RecommendedItem, ...]:
    """Return what of a shelf is before it hardly matches any more."""
    for at, item in enumerate(items):
        percentile = item.match_percentile
        if at >= MIN_SHELF_SIZE and percentile is not None and percentile < MIN_PERCENTILE:
            return items[:at]
    return items


def _kinds(
    library: Library, best: RecommendationResult
) -> Iterator[tuple[str, dict[str, object], int | None]]:
    """Yield each shelf's name, what it changes of the options, and the anime it is named after."""
    loved = _loved_reasons(library, best)
    yield mark("Next in series you like"), {"continues": True}, None
    yield mark("New for you"), {"year_from": first_recent_year(library)}, None
    for anime_id in loved[:1]:
        yield mark("Because you loved"), {"like": anime_id}, anime_id
    yield mark("Hidden gems"), {"order": SortOrder.DISCOVER}, None
    if len(best.profile.planned):
        yield mark("From your plan to watch"), {"planned": PlannedMode.ONLY}, None
    for anime_id in loved[1:]:
        yield mark("Because you loved"), {"like": anime_id}, anime_id
    yield mark("Outside your usual genres"), {"unusual": True}, None
    yield mark("For one evening"), {"type": (MediaType.MOVIE,), "max_episodes": 1}, None


def _loved_reasons(library: Library, best: RecommendationResult) -> list[int]:
    """Return what the fan loved and is most often the reason for a pick, one a series."""
    weight: dict[int, float] = {}
    for item in best.recommendations[:REASONS_FROM]:
        for why in item.contributions:
            if why.score is not None and why.score >= LOVED_SCORE and why.weight > 0:
                weight[why.anime_id] = weight.get(why.anime_id, 0.0) + why.weight
    found: list[int] = []
    for anime_id in sorted(weight, key=lambda each: (-weight[each], each)):
        series = set(library.catalogue.series(anime_id))
        if not series & set(found):
            found.append(anime_id)
        if len(found) == LOVED_SHELVES:
            break
    return found
