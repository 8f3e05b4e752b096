"""Rows of posters, worded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.catalogue import Anime, Catalogue
from app.recommender import RecommendedItem
from app.translation import gettext
from app.web.presenters.filter_form import OptionLink
from app.web.services.shelves import Shelf

MIN_SHELF_MATCH = 50
"""Percent that the best on a shelf has to match for numbers to speak for it."""


@dataclass(frozen=True, slots=True)
class ShelfSection:
    """A shelf on the page: its heading, the title it is named after, and a way to all of it.

    ``tiles`` are anime with their match in percent, None where it is not shown.
    """

    name: str
    loved_title: str | None
    all_link: OptionLink
    tiles: tuple[tuple[Anime, float | None], ...]


def build_shelf_sections(shelves: Iterable[Shelf], catalogue: Catalogue) -> list[ShelfSection]:
    """Word shelves for the page."""
    return [_build_section(shelf, catalogue) for shelf in shelves]


def _build_section(shelf: Shelf, catalogue: Catalogue) -> ShelfSection:
    matches = [_match_of(item) for item in shelf.items]
    has_numbers = max(matches) >= MIN_SHELF_MATCH
    return ShelfSection(
        name=gettext(shelf.name),
        loved_title=None if shelf.loved is None else catalogue.title(shelf.loved),
        all_link=OptionLink(gettext("See all"), shelf.options),
        tiles=tuple(
            (catalogue.get_anime(item.anime_id), match if has_numbers else None)
            for item, match in zip(shelf.items, matches, strict=True)
        ),
    )


def _match_of(item: RecommendedItem) -> float:
    return item.match if item.match_percentile is None else item.match_percentile
