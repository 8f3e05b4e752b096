"""The filters above the results: which anime each leaves in, and how to say so.

Popularity: the slider goes from -5 to 5. `POPULAR_SHARES` of the model's anime, those on the most
lists, are the hits: to the left of 0 nothing else is shown, to the right of 0 they are left out.
With 14,000 anime that is, from the middle outwards, the 2,100 / 1,120 / 560 / 280 / 140 best known
to the left, and everything but the 140 / 280 / 560 / 1,120 / 2,100 best known to the right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.catalogue import Catalogue
from app.recommender import Franchises, Model
from app.recommender.array_types import BoolArray, Int32Array, Int64Array
from app.web.requests.query import InvalidQuery, MediaType, PlannedMode, QueryOptions
from app.web.requests.values import slugify

POPULAR_SHARES = (0.01, 0.02, 0.04, 0.08, 0.15)
ADULT_GENRES = frozenset({"hentai", "erotica"})
"""Genres that are not named unless adult anime are asked for."""
TYPE_LABELS = {
    MediaType.TV: "TV",
    MediaType.MOVIE: "Films",
    MediaType.OVA: "OVA",
    MediaType.ONA: "Web (ONA)",
    MediaType.SPECIAL: "Specials",
    MediaType.MUSIC: "Music",
}
_TYPE_BY_NAME = {**{kind.value: kind for kind in MediaType}, "tv special": MediaType.SPECIAL}


@dataclass(frozen=True, slots=True)
class ItemAttributes:
    """What filters look at, (n,) each, parallel to the model's anime; year and length 0: unknown.

    ``genre_positions`` and ``genre_names`` are by the genre's slug, the most frequent first;
    ``popularity_rank`` is 0 for the anime on most lists.
    """

    media_type: npt.NDArray[np.object_]
    year: Int32Array
    episodes: Int32Array
    genre_positions: Mapping[str, Int64Array]
    genre_names: Mapping[str, str]
    popularity_rank: Int64Array

    @classmethod
    def from_catalogue(cls, model: Model, catalogue: Catalogue) -> ItemAttributes:
        """Look the model's anime up in the catalogue."""
        ids = model.anime_id.tolist()
        where: dict[str, list[int]] = {}
        for at, names in enumerate(catalogue.column_values("genres", ids)):
            for name in filter(None, (names or "").split(";")):
                where.setdefault(name, []).append(at)
        names = sorted(where, key=lambda name: -len(where[name]))
        kinds = [
            _TYPE_BY_NAME.get((kind or "").casefold())
            for kind in catalogue.column_values("type", ids)
        ]
        rank = np.empty(len(model), np.int64)
        rank[model.popularity_order] = np.arange(len(model))
        return cls(
            media_type=np.array(kinds, object),
            year=np.array([y or 0 for y in catalogue.column_values("year", ids)], np.int32),
            episodes=np.array([n or 0 for n in catalogue.column_values("episodes", ids)], np.int32),
            genre_positions={slugify(name): np.array(where[name]) for name in names},
            genre_names={slugify(name): name for name in names},
            popularity_rank=rank,
        )

    def has_genre(self, genre: str) -> BoolArray:
        """Where an anime is of this genre."""
        mask = np.zeros(len(self.popularity_rank), bool)
        mask[self.genre_positions[genre]] = True
        return mask


@dataclass(frozen=True, slots=True)
class ActiveFilter:
    """One filter that is on; ``mask`` (n,) bool is where an anime passes it."""

    option_names: tuple[str, ...]
    label: str
    options_without: QueryOptions
    mask: BoolArray


def popular_count(popularity: int, count: int) -> int:
    """How many of ``count`` anime are hits at this position of the slider."""
    if popularity == 0:
        return 0
    # Both ends are the strictest.
    return math.ceil(POPULAR_SHARES[popularity - (popularity > 0)] * count)


def build_active_filters(
    attributes: ItemAttributes,
    franchises: Franchises,
    seen: Int64Array,
    planned: Int64Array,
    options: QueryOptions,
) -> list[ActiveFilter]:
    """Build the filters that these options switch on, for users who have seen and plan these anime.

    Raises
    ------
    InvalidQuery
        No anime has the genre.
    """
    found: list[ActiveFilter] = []

    def add_filter(label: str, mask: BoolArray, *names: str, **off: Any) -> None:
        default = {name: QueryOptions.model_fields[name].default for name in names}
        found.append(ActiveFilter(names, label, options.with_changes(**(default | off)), mask))

    if options.type:
        label = f"Type: {_join_or([TYPE_LABELS[kind] for kind in options.type])}"
        add_filter(label, np.isin(attributes.media_type.astype(str), list(options.type)), "type")
    for name in options.genre:
        rest = tuple(other for other in options.genre if other != name)
        label = _genre_name(attributes, "genre", name)
        add_filter(label, attributes.has_genre(name), "genre", genre=rest)
    for name in options.without:
        rest = tuple(other for other in options.without if other != name)
        label = f"No {_genre_name(attributes, 'without', name)}"
        add_filter(label, ~attributes.has_genre(name), "without", without=rest)
    if options.year_from or options.year_to:
        years = options.year_from, options.year_to
        label = _range_label(*years, "From {}", "Up to {}", "{} to {}")
        add_filter(label, _range_mask(attributes.year, *years), "year_from", "year_to")
    if options.min_episodes or options.max_episodes:
        ends = options.min_episodes, options.max_episodes
        label = _range_label(*ends, "At least {}", "At most {}", "{} to {}")
        label += " episode" if (ends[1] or ends[0]) == 1 else " episodes"
        mask = _range_mask(attributes.episodes, *ends)
        add_filter(label, mask, "min_episodes", "max_episodes")
    count = len(attributes.popularity_rank)
    if options.popularity:
        popular = attributes.popularity_rank < popular_count(options.popularity, count)
        label = popularity_label(options.popularity, count)
        add_filter(label, popular if options.popularity < 0 else ~popular, "popularity")
    if options.new_series:
        add_filter("No sequels and spin-offs", ~franchises.same_franchise_mask(seen), "new_series")
    if options.planned is PlannedMode.ONLY:
        add_filter("Only what you plan to watch", _mask_of(count, planned), "planned")
    return found


def popularity_label(popularity: int, count: int) -> str:
    """Say what a position of the slider means."""
    best = popular_count(popularity, count)
    if popularity == 0:
        return "Everything, known or not"
    return f"Only the {best:,} best known" if popularity < 0 else f"Without the {best:,} best known"


def build_hidden_mask(model: Model, franchises: Franchises, positions: Int64Array) -> BoolArray:
    """Where an anime, or another of its series, is hidden as not for this user."""
    known = positions[positions >= 0]
    return franchises.same_franchise_mask(known) | _mask_of(len(model), known)


def _mask_of(count: int, positions: Int64Array) -> BoolArray:
    mask = np.zeros(count, bool)
    mask[positions] = True
    return mask


def _range_mask(value: Int32Array, minimum: int | None, maximum: int | None) -> BoolArray:
    known = value > 0
    return known & (value >= (minimum or 0)) & (value <= (maximum or np.iinfo(np.int32).max))


def _genre_name(attributes: ItemAttributes, option: str, name: str) -> str:
    if name not in attributes.genre_names:
        some = ", ".join(list(attributes.genre_names)[:12])
        raise InvalidQuery(
            option, f"“{option}” should be genres that Hakken knows, such as {some}."
        )
    return attributes.genre_names[name]


def _range_label(
    minimum: int | None, maximum: int | None, minimum_text: str, maximum_text: str, range_text: str
) -> str:
    if minimum and maximum:
        return str(minimum) if minimum == maximum else range_text.format(minimum, maximum)
    return minimum_text.format(minimum) if minimum else maximum_text.format(maximum)


def _join_or(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
