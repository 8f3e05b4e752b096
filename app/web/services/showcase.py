"""Anime to show to somebody of whom nothing is known: well known ones to tap, and this season's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice, zip_longest

import numpy as np

from app.catalogue import Anime
from app.recommender.array_types import BoolArray
from app.web.requests.query import Season
from app.web.services.library import Library

RECENT_YEARS = 3
SEASON_SIZE = 18
MIN_SEASON_SIZE = 6
_SEASONS = tuple(Season)


def known_anime(library: Library, count: int, listed: frozenset[int] = frozenset()) -> list[Anime]:
    """Choose well known anime, recent ones and others in turn, one a series.

    What has no picture, is for adults or is ``listed`` already is left out.
    """
    first_recent = first_recent_year(library)
    recent = _best_known(library, first_recent)
    others = (anime for anime in _best_known(library) if (anime.year or 0) < first_recent)
    taken = {_series_key(library, anime_id) for anime_id in listed}
    found: list[Anime] = []
    for anime in chain.from_iterable(zip_longest(recent, others)):
        if len(found) == count:
            break
        if anime is None or (key := _series_key(library, anime.anime_id)) in taken:
            continue
        taken.add(key)
        found.append(anime)
    return found


@dataclass(frozen=True, slots=True)
class SeasonOfYear:
    """A season of a year."""

    year: int
    season: Season

    def shifted(self, by: int) -> SeasonOfYear:
        """Return the season so many after this one, or before it."""
        year, place = divmod(4 * self.year + _SEASONS.index(self.season) + by, 4)
        return SeasonOfYear(year, _SEASONS[place])


def current_season(library: Library) -> SeasonOfYear:
    """Return the season in which the data were made."""
    year, month = (int(part) for part in library.model.manifest.created.split("-")[:2])
    return SeasonOfYear(year, _SEASONS[(month - 1) // 3])


def begins_since(library: Library, when: SeasonOfYear) -> BoolArray:
    """Where an anime begins in a season or later, (n,); not where its season is unknown."""
    year, season = library.attributes.year, library.attributes.facets.season
    rest_of_year = _SEASONS[_SEASONS.index(when.season) :]
    this_year = season.mask(*(each for each in rest_of_year if each in season.names))
    return np.where(year == when.year, this_year, (year > when.year) & season.mask(*season.names))


def anime_of_season(library: Library, when: SeasonOfYear, count: int) -> list[Anime]:
    """Return the best known anime that began in a season."""
    of_season = (
        each
        for each in _best_known(library, when.year, pictured=False)
        if (each.year, each.season) == (when.year, when.season.value)
    )
    return list(islice(of_season, count))


def season_anime(library: Library) -> tuple[SeasonOfYear, list[Anime]]:
    """Return the season in which the data were made, and its anime with pictures.

    An empty list where the data know too few of them.
    """
    when = current_season(library)
    anime = [each for each in anime_of_season(library, when, 2 * SEASON_SIZE) if each.picture]
    return when, anime[:SEASON_SIZE] if len(anime) >= MIN_SEASON_SIZE else []


def first_recent_year(library: Library) -> int:
    """Return the first of the last three years before the model was made."""
    return int(library.model.manifest.created[:4]) - RECENT_YEARS + 1


def _best_known(library: Library, first_year: int = 0, *, pictured: bool = True) -> Iterator[Anime]:
    """Yield anime that may stand before everybody, the best known first."""
    model, year = library.model, library.attributes.year
    shown = library.shown_mask(adult=False)
    for position in model.popularity_order.tolist():
        if shown[position] and year[position] >= first_year:
            anime = library.catalogue.get_anime(int(model.anime_id[position]))
            if anime.picture or not pictured:
                yield anime


def _series_key(library: Library, anime_id: int) -> int:
    """Return a number that all anime of a series have in common."""
    series = library.catalogue.series(anime_id)
    return series[0] if series else anime_id
