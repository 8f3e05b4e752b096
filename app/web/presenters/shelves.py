"""Rows and walls of posters, worded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.catalogue import Anime, Catalogue, TitleLanguage
from app.recommender import RecommendedItem
from app.translation import gettext
from app.web.presenters.filter_form import OptionLink
from app.web.services.shelves import Shelf


@dataclass(frozen=True, slots=True)
class PosterTile:
    """One anime as a poster; ``match`` is in percent, None where nobody is asked for."""

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
    return [
        ShelfSection(
            name=gettext(shelf.name),
            loved_title=None
            if shelf.loved is None
            else catalogue.title(shelf.loved, title_language),
            all_link=OptionLink(gettext("See all"), shelf.options),
            tiles=tuple(
                _build_tile(item, catalogue, title_language=title_language) for item in shelf.items
            ),
        )
        for shelf in shelves
    ]


def build_tiles(anime: Iterable[Anime], *, title_language: TitleLanguage) -> list[PosterTile]:
    """Make posters of anime."""
    return [PosterTile.of(each, title_language=title_language) for each in anime]


def _build_tile(
    item: RecommendedItem, catalogue: Catalogue, *, title_language: TitleLanguage
) -> PosterTile:
    anime = catalogue.get_anime(item.anime_id)
    match = item.match if item.match_percentile is None else item.match_percentile
    return PosterTile(anime, anime.display_title(title_language), match)
