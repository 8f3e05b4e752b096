"""Pictures of what a fan loves and should watch next, to show to a friend.

A card is drawn from words and numbers alone: no poster is fetched. It is remembered as long as
lists, and with them: for minutes, and not beyond the server's end.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from app.card_images.card import CardShape, ShareCard, Tile, TileRow
from app.upstream import SharedStorage, TtlStore
from app.upstream.shared_storage import hashed_key
from app.upstream.ttl_store import LIST_STORE

__all__ = ["CardCache", "CardShape", "ShareCard", "Tile", "TileRow"]


@dataclass(frozen=True, slots=True)
class CardCache:
    """Cards by what stands on them, so that whoever cannot read a list finds no card of it."""

    store: TtlStore

    @classmethod
    def open(cls, storage: SharedStorage) -> CardCache:
        """Keep cards where lists are kept."""
        return cls(TtlStore(storage, LIST_STORE))

    def get_or_draw(self, card: ShareCard, shape: CardShape, seconds: float) -> bytes:
        """Return the card as a PNG; one that had to be drawn is kept for ``seconds``."""
        key = hashed_key("card", shape, repr(card))
        if kept := self.store.get(key):
            return base64.b64decode(kept)
        # Pillow is large, and many servers never draw a card.
        from app.card_images.drawing import draw_card

        drawn = draw_card(card, shape)
        self.store.set_many({key: base64.b64encode(drawn).decode()}, seconds)
        return drawn
