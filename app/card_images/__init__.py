"""Pictures of what a fan loves and should watch next, to show to a friend.

A card is drawn from words and numbers alone: no poster is fetched.
"""

from __future__ import annotations

from app.card_images.cache import CardCache
from app.card_images.card import CardShape, ShareCard, Tile, TileRow

__all__ = ["CardCache", "CardShape", "ShareCard", "Tile", "TileRow"]
