"""What stands on a card."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CardShape(StrEnum):
    """How a card is cut: for previews of links, or as tall as a phone."""

    WIDE = "card"
    TALL = "tall"

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return (1200, 630) if self is CardShape.WIDE else (1080, 1920)


@dataclass(frozen=True, slots=True)
class Tile:
    """An anime: its titles, the preferred first, and what stands in its corner.

    Drawn is the first title for which there are letters.
    """

    anime_id: int
    titles: tuple[str, ...]
    badge: str


@dataclass(frozen=True, slots=True)
class TileRow:
    """Up to three anime under one heading; ``is_advice``: they are yet to be watched."""

    label: str
    tiles: tuple[Tile, ...]
    is_advice: bool = False


@dataclass(frozen=True, slots=True)
class ShareCard:
    """A card. ``headings`` are possible headings, of which the first is drawn that can be.

    ``number`` stands in the lens, ``verdict`` and ``explanation`` beside it. All but the headings
    may be empty.
    """

    headings: tuple[str, ...]
    chips: tuple[str, ...]
    number: str
    verdict: str
    explanation: str
    rows: tuple[TileRow, ...]
    site: str = ""
