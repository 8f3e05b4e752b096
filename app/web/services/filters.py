"""The filters above the results: which anime each leaves in, and how to say so.

Popularity: the slider goes from -5 to 5. `POPULAR_SHARES` of the model's anime, the best known
(`Model.popularity`), are the hits: to the left of 0 nothing else is shown, to the right they are
left out. With 14,000 anime that is, from the middle outwards, the 2,100 / 1,120 / 560 / 280 / 140
best known to the left, and everything but the 140 / 280 / 560 / 1,120 / 2,100 best known to the
right.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from app.age_rating import CHILDREN_CEILING, AgeRating
from app.catalogue import Catalogue
from app.facets import Facet, ItemFacets
from app.recommender import Franchises, Model
from app.recommender.array_types import BoolArray, Int32Array, Int64Array
from app.translation import format_number, gettext, mark, ngettext
from app.vocabulary import catalogue_word, describe_rating
from app.web.requests.query import MediaType, PlannedMode, QueryOptions
from app.web.requests.values import InvalidQuery
from app.web.services.families import find_families

POPULAR_SHARES = (0.01, 0.02, 0.04, 0.08, 0.15)
CeilingReason = Literal["asked", "childrens_list", "server"]
TYPE_LABELS = {
    MediaType.TV: mark("TV"),
    MediaType.MOVIE: mark("Films"),
    MediaType.OVA: mark("OVA"),
    MediaType.ONA: mark("Web (ONA)"),
    MediaType.SPECIAL: mark("Specials"),
    MediaType.MUSIC: mark("Music"),
}
_FACETS = {
    "genre": ("genre", mark("genres")),
    "without": ("genre", mark("genres")),
    "tag": ("tag", mark("tags")),
    "without_tag": ("tag", mark("tags")),
    "studio": ("studio", mark("studios")),
    "material": ("material", mark("source materials")),
    "season": ("season", mark("seasons")),
}
"""Option -> the facet whose words it names, and what the words are called."""
_WORD_LABELS = {
    "studio": mark("Studio: %(names)s"),
    "material": mark("Made from: %(names)s"),
    "season": mark("Season: %(names)s"),
}
"""Option -> what stands before its words, any of which an anime may have."""


@dataclass(frozen=True, slots=True)
class ItemAttributes:
    """What filters look at, (n,) each, parallel to the model's anime; year and length 0: unknown.

    ``popularity_rank`` is 0 for the best known anime; ``family`` is one number for a series and its
    spin-offs.
    """

    year: Int32Array
    episodes: Int32Array
    popularity_rank: Int64Array
    family: Int64Array
    facets: ItemFacets

    @classmethod
    def from_catalogue(cls, model: Model, catalogue: Catalogue) -> ItemAttributes:
        """Look the model's anime up in the catalogue."""
        ids = model.anime_id.tolist()
        rank = np.empty(len(model), np.int64)
        rank[model.popularity_order] = np.arange(len(model))
        return cls(
            year=np.array([y or 0 for y in catalogue.column_values("year", ids)], np.int32),
            episodes=np.array([n or 0 for n in catalogue.column_values("episodes", ids)], np.int32),
            popularity_rank=rank,
            family=find_families(catalogue, ids, model.entry_count),
            facets=ItemFacets(model, catalogue),
        )


@dataclass(frozen=True, slots=True)
class ActiveFilter:
    """One filter that is on.

    ``mask`` (n,) bool is where an anime passes it; None where the recommender decides, who alone
    knows the predicted scores.
    """

    option_names: tuple[str, ...]
    label: str
    options_without: QueryOptions
    mask: BoolArray | None


def popular_count(popularity: int, count: int) -> int:
    """How many of ``count`` anime are hits at this position of the slider."""
    if popularity == 0:
        return 0
    # Both ends are the strictest.
    return math.ceil(POPULAR_SHARES[popularity - (popularity > 0)] * count)


def build_active_filters(
    attributes: ItemAttributes,
    seen: Int64Array,
    planned: Int64Array,
    options: QueryOptions,
    *,
    for_children: bool = False,
) -> list[ActiveFilter]:
    """Build the filters that these options switch on, for users who have seen and plan these anime.

    ``seen`` is (s,), ``planned`` (p,). ``for_children``: unless they ask for more, nothing above
    PG-13 is for them. Raises InvalidQuery: there is no such genre, tag, studio or source material,
    or too little is known of them.
    """
    return [
        *_fact_filters(attributes, options),
        *_rating_filters(attributes.facets, options, for_children=for_children),
        *_list_filters(attributes, seen, planned, options),
    ]


def make_filter(
    options: QueryOptions, label: str, mask: BoolArray | None, *names: str, **off: Any
) -> ActiveFilter:
    """Make a filter that is off when the options ``names`` are at their defaults, or as ``off``.

    ``mask`` (n,) is True where an anime passes; None where the ranking itself sees to it.
    """
    default = {name: QueryOptions.model_fields[name].default for name in names}
    return ActiveFilter(names, label, options.with_changes(**(default | off)), mask)


def _fact_filters(attributes: ItemAttributes, options: QueryOptions) -> Iterator[ActiveFilter]:
    """Filter by type, words, year and length."""
    make = partial(make_filter, options)
    if options.type:
        label = gettext(
            "Type: %(names)s", names=_join_or([gettext(TYPE_LABELS[kind]) for kind in options.type])
        )
        facet = attributes.facets.media_type
        mask = facet.mask(*(kind for kind in options.type if kind in facet.names))
        yield make(label, mask, "type")
    for option in ("genre", "without", "tag", "without_tag"):
        slugs: tuple[str, ...] = getattr(options, option)
        for slug in slugs:
            facet = find_facet(attributes.facets, option)
            label, mask = _require_name(facet, option, slug), facet.mask(slug)
            if option.startswith("without"):
                label, mask = gettext("No %(word)s", word=label), ~mask
            rest = {option: tuple(other for other in slugs if other != slug)}
            yield make(label, mask, option, **rest)
    for option, message in _WORD_LABELS.items():
        slugs = getattr(options, option)
        if slugs:
            facet = find_facet(attributes.facets, option)
            names = [_require_name(facet, option, slug) for slug in slugs]
            yield make(gettext(message, names=_join_or(names)), facet.mask(*slugs), option)
    if options.year_from or options.year_to:
        years = options.year_from, options.year_to
        label = _year_label(*years)
        yield make(label, _range_mask(attributes.year, *years), "year_from", "year_to")
    if options.min_episodes or options.max_episodes:
        ends = options.min_episodes, options.max_episodes
        label = _episodes_label(*ends)
        mask = _range_mask(attributes.episodes, *ends)
        yield make(label, mask, "min_episodes", "max_episodes")


def _rating_filters(
    facets: ItemFacets, options: QueryOptions, *, for_children: bool
) -> Iterator[ActiveFilter]:
    """Filter by age rating: as asked, else as fits a child's list; and by predicted score."""
    if options.rating:
        mask = facets.rated_up_to(options.rating)
        yield make_filter(options, ceiling_label(options.rating), mask, "rating")
    elif for_children and not options.adult:
        label = gettext("%(limit)s, for a child’s list", limit=ceiling_label(CHILDREN_CEILING))
        mask = facets.rated_up_to(CHILDREN_CEILING)
        yield make_filter(options, label, mask, "rating", rating=AgeRating.RPLUS)
    if options.min_score:
        label = gettext("You would give it %(score)s or more", score=f"{options.min_score:g}")
        yield make_filter(options, label, None, "min_score")


def _list_filters(
    attributes: ItemAttributes, seen: Int64Array, planned: Int64Array, options: QueryOptions
) -> Iterator[ActiveFilter]:
    """Filter by how well known an anime is, and by what stands on the list."""
    make = partial(make_filter, options)
    count = len(attributes.popularity_rank)
    if options.popularity:
        popular = attributes.popularity_rank < popular_count(options.popularity, count)
        label = popularity_label(options.popularity, count)
        yield make(label, popular if options.popularity < 0 else ~popular, "popularity")
    if options.new_series:
        mask = ~np.isin(attributes.family, attributes.family[seen])
        yield make(gettext("No sequels and spin-offs"), mask, "new_series")
    if options.planned is PlannedMode.ONLY:
        yield make(gettext("Only what you plan to watch"), _mask_of(count, planned), "planned")


def find_facet(facets: ItemFacets, option: str) -> Facet:
    """Return the facet that an option asks for; raises InvalidQuery: it is known of too few."""
    name, words = _FACETS[option]
    facet: Facet = getattr(facets, name)
    if not facet.is_offered:
        raise InvalidQuery(
            option,
            gettext(
                "“%(option)s” cannot be asked for here: too few anime have known %(words)s.",
                option=option,
                words=gettext(words),
            ),
        )
    return facet


@dataclass(frozen=True, slots=True)
class RatingCeiling:
    """The highest age rating that is shown, and why: who asked for it, if anybody."""

    rating: AgeRating
    reason: CeilingReason


def find_ceiling(
    filters: Iterable[ActiveFilter], options: QueryOptions, server_ceiling: AgeRating | None
) -> RatingCeiling | None:
    """Return the ceiling of an answer that went through these filters; None without any."""
    found = []
    if any("rating" in each.option_names for each in filters):
        asked = options.rating is not None
        rating = options.rating or CHILDREN_CEILING
        found.append(RatingCeiling(rating, "asked" if asked else "childrens_list"))
    if server_ceiling:
        found.append(RatingCeiling(server_ceiling, "server"))
    return min(found, key=lambda each: each.rating.level, default=None)


def ceiling_label(rating: AgeRating) -> str:
    """Say up to which rating anime are shown."""
    return gettext("Up to %(rating)s", rating=describe_rating(rating))


def popularity_label(popularity: int, count: int) -> str:
    """Say what a position of the slider means."""
    best = popular_count(popularity, count)
    if popularity == 0:
        return gettext("Everything, known or not")
    if popularity < 0:
        return gettext("Only the %(count)s best known", count=format_number(best))
    return gettext("Without the %(count)s best known", count=format_number(best))


def build_hidden_mask(model: Model, franchises: Franchises, positions: Int64Array) -> BoolArray:
    """Where an anime, or another of its series, is hidden as not for this user, (n,)."""
    known = positions[positions >= 0]
    return franchises.same_franchise_mask(known) | _mask_of(len(model), known)


def _mask_of(count: int, positions: Int64Array) -> BoolArray:
    mask = np.zeros(count, bool)
    mask[positions] = True
    return mask


def _range_mask(value: Int32Array, minimum: int | None, maximum: int | None) -> BoolArray:
    known = value > 0
    return known & (value >= (minimum or 0)) & (value <= (maximum or np.iinfo(np.int32).max))


def _require_name(facet: Facet, option: str, slug: str) -> str:
    """Return the name of a word. Raises InvalidQuery: no anime has it."""
    if slug not in facet.names:
        near = facet.suggest(slug)
        some = ", ".join(list(facet.names.values())[:12])
        words = gettext(_FACETS[option][1])
        sentence = (
            gettext(
                "“%(option)s” should be %(words)s that Hakken knows: did you mean %(near)s?",
                option=option,
                words=words,
                near=near,
            )
            if near
            else gettext(
                "“%(option)s” should be %(words)s that Hakken knows, such as %(some)s.",
                option=option,
                words=words,
                some=some,
            )
        )
        raise InvalidQuery(option, sentence)
    return catalogue_word(facet.names[slug])


def _year_label(minimum: int | None, maximum: int | None) -> str:
    if minimum and maximum:
        if minimum == maximum:
            return str(minimum)
        return gettext("%(first)s to %(last)s", first=minimum, last=maximum)
    if minimum:
        return gettext("From %(year)s", year=minimum)
    return gettext("Up to %(year)s", year=maximum)


def _episodes_label(minimum: int | None, maximum: int | None) -> str:
    if minimum and maximum and minimum != maximum:
        return ngettext(
            "%(least)s to %(count)s episode",
            "%(least)s to %(count)s episodes",
            maximum,
            least=minimum,
        )
    if minimum and maximum:
        return ngettext("%(count)s episode", "%(count)s episodes", maximum)
    if minimum:
        return ngettext("At least %(count)s episode", "At least %(count)s episodes", minimum)
    return ngettext("At most %(count)s episode", "At most %(count)s episodes", maximum or 0)


def _join_or(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    return gettext("%(names)s or %(last)s", names=gettext(", ").join(names[:-1]), last=names[-1])
