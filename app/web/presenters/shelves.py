"""The shelves of a results page, worded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.catalogue import Anime, Catalogue
from app.recommender import RecommendedItem
from app.web.presenters.filter_form import OptionLink
from app.web.services.shelves import Shelf


@dataclass(frozen=True, slots=True)
class ShelfTile:
    """One anime on a shelf; ``match`` is in percent."""

    anime: Anime
    title: str
    match: float

    @property
    def anime_id(self) -> int:
        """The id of the anime, by which its picture is found."""
        return self.anime.anime_id

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
    tiles: tuple[ShelfTile, ...]


def build_shelf_sections(
    shelves: Iterable[Shelf], catalogue: Catalogue, *, english: bool
) -> list[ShelfSection]:
    """Word shelves for the page."""
    return [
        ShelfSection(
            name=shelf.name,
            loved_title=None
            if shelf.loved is None
            else catalogue.title(shelf.loved, english=english),
            all_link=OptionLink("See all", shelf.options),
            tiles=tuple(_build_tile(item, catalogue, english=english) for item in shelf.items),
        )
        for shelf in shelves
    ]


def _build_tile(item: RecommendedItem, catalogue: Catalogue, *, english: bool) -> ShelfTile:
    anime = catalogue.get_anime(item.anime_id)
    match = item.match if item.match_percentile is None else item.match_percentile
    return ShelfTile(anime, anime.display_title(english=english), match)
