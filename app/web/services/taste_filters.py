"""Filters that depend on what a fan likes: what goes on, what is unusual, what is like a title."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from app.recommender import UserProfile
from app.recommender.array_types import BoolArray, Int64Array
from app.recommender.similar_items import similar_items
from app.translation import gettext
from app.vocabulary import catalogue_word
from app.web.requests.query import QueryOptions
from app.web.services.filters import ActiveFilter, ItemAttributes, make_filter
from app.web.services.library import Library

USUAL_GENRES = 3
"""The genres that a list has most of are what its fan usually watches."""
LIKE_DEPTH = 40
"""How many anime are like a title: those for which it speaks most."""


def build_taste_filters(
    library: Library, users: Sequence[UserProfile], options: QueryOptions
) -> Iterator[ActiveFilter]:
    """Build the filters by taste that these options switch on, for one fan or several together."""
    if options.continues:
        mask = np.zeros(len(library.model), bool)
        for user in users:
            mask |= continuation_mask(library, user)
        yield make_filter(options, gettext("Goes on with a series you liked"), mask, "continues")
    if options.unusual:
        seen = np.concatenate([user.seen for user in users])
        names, mask = unusual_mask(library.attributes, seen)
        said = gettext(", ").join(map(catalogue_word, names))
        label = (
            gettext("Outside your usual genres: no %(genres)s", genres=said)
            if names
            else gettext("Unusual")
        )
        yield make_filter(options, label, mask, "unusual")
    if options.like is not None:
        title = library.catalogue.title(options.like)
        mask = like_mask(library, options.like)
        yield make_filter(options, gettext("Like %(title)s", title=title), mask, "like")


def continuation_mask(library: Library, user: UserProfile) -> BoolArray:
    """Where an anime comes next after one that the user finished and liked, (n,) bool."""
    franchises, liked = library.franchises, user.liked()
    of_series = franchises.same_franchise_mask(liked)
    of_series[user.seen] = False
    targets = np.flatnonzero(of_series)
    mask = np.zeros(len(library.model), bool)
    mask[targets[franchises.followed(targets, user.seen, liked) >= 0]] = True
    return mask


def unusual_mask(attributes: ItemAttributes, seen: Int64Array) -> tuple[tuple[str, ...], BoolArray]:
    """Return the genres that most of a list is of, and where an anime has others only, (n,) bool.

    Themes and demographics are no genres here; what has no known genre is not unusual.
    """
    facet = attributes.facets.genre
    has_genre = np.zeros(len(attributes.year), bool)
    counts = {}
    for slug in facet.names:
        if facet.groups[slug] == "genres":
            mask = facet.mask(slug)
            has_genre |= mask
            counts[slug] = int(mask[seen].sum())
    usual = sorted(counts, key=lambda slug: (-counts[slug], slug))[:USUAL_GENRES]
    usual = [slug for slug in usual if counts[slug]]
    mask = has_genre & ~facet.mask(*usual) if usual else has_genre
    return tuple(facet.names[slug] for slug in usual), mask


def like_mask(library: Library, anime_id: int) -> BoolArray:
    """Where (n,) an anime is among those for which this one speaks most; its own series is not.

    Nowhere if the model does not know it.
    """
    model = library.model
    position = int(model.find_positions(np.array([anime_id], np.int64))[0])
    if position < 0:
        return np.zeros(len(model), bool)
    mask = np.zeros(len(model), bool)
    others = ~library.franchises.same_franchise_mask(np.array([position]))
    spoken_for = similar_items(model, "affinity", position, count=LIKE_DEPTH, allowed=others)
    mask[[other for other, _ in spoken_for]] = True
    return mask
