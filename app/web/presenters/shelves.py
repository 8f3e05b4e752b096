"""Rows and walls of posters, worded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from app.catalogue import Anime, Catalogue, TitleLanguage
from app.recommender import RecommendedItem
from app.translation import gettext
from app.web.presenters.filter_form import OptionLink
from app.web.services.shelves import Shelf

MIN_SHELF_MATCH = 50
"""Percent that the best on a shelf has to match for numbers to speak for it."""


@dataclass(frozen=True, slots=True)
class PosterTile:
    """One anime as a poster; ``match`` is in percent, None where it is not shown."""

    anime: Anime
    title: str
    match: float | None = None

    @classmethod
    def of(cls, anime: Anime, *, title_language: TitleLanguage) -> PosterTile:
        """Make the poster of an anime."""
        return cls(anime, anime.display_title(title_language))

    @property
    def anime_id(self) -> int:
        """The id of the anime, by which its picture is found."""
        return self.anime.anime_id

    @property
    def year(self) -> int | None:
        """The year in which it began."""
        return self.anime.year

    @property
    def picture(self) -> str | None:
        """The address of its poster."""
        return self.anime.picture


@dataclass(frozen=True, slots=True)
class ShelfSection:
    """A shelf on the page: its heading, the title it is named after, and a way to all of it."""

    name: str
    loved_title: str | None
    all_link: OptionLink
    tiles: tuple[PosterTile, ...]


def build_shelf_sections(
    shelves: Iterable[Shelf], catalogue: Catalogue, *, title_language: TitleLanguage
) -> list[ShelfSection]:
    """Word shelves for the page."""
    return [_build_section(shelf, catalogue, title_language) for shelf in shelves]


def build_tiles(anime: Iterable[Anime], *, title_language: TitleLanguage) -> list[PosterTile]:
    """Make posters of anime."""
    return [PosterTile.of(each, title_language=title_language) for each in anime]


def _build_section(
    shelf: Shelf, catalogue: Catalogue, title_language: TitleLanguage
) -> ShelfSection:
    matches = [_match_of(item) for item in shelf.items]
    has_numbers = max(matches) >= MIN_SHELF_MATCH
    tiles = []
    for item, match in zip(shelf.items, matches, strict=True):
        tile = PosterTile.of(catalogue.get_anime(item.anime_id), title_language=title_language)
        tiles.append(replace(tile, match=match) if has_numbers else tile)
    return ShelfSection(
        name=gettext(shelf.name),
        loved_title=None if shelf.loved is None else catalogue.title(shelf.loved, title_language),
        all_link=OptionLink(gettext("See all"), shelf.options),
        tiles=tuple(tiles),
    )


def _match_of(item: RecommendedItem) -> float:
    return item.match if item.match_percentile is None else item.match_percentile
