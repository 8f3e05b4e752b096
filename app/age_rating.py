"""From which age on an anime is for somebody: MyAnimeList's ratings, the mildest first."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, get_args

from app.translation import mark


class AgeRating(StrEnum):
    """What a rating is called in catalogues, addresses and settings."""

    G = "g"
    PG = "pg"
    PG13 = "pg13"
    R17 = "r17"
    RPLUS = "rplus"
    RX = "rx"

    @property
    def level(self) -> int:
        """The place among all ratings: the higher, the older one should be."""
        return list(AgeRating).index(self)

    @property
    def label(self) -> str:
        """MyAnimeList's sign for it."""
        return _LABELS[self][0]

    @property
    def description(self) -> str:
        """The rating in plain words."""
        return _LABELS[self][1]


_LABELS = {
    AgeRating.G: ("G", mark("for all ages")),
    AgeRating.PG: ("PG", mark("for children")),
    AgeRating.PG13: ("PG-13", mark("13 and up")),
    AgeRating.R17: ("R", mark("17 and up")),
    AgeRating.RPLUS: ("R+", mark("17 and up, with nudity")),
    AgeRating.RX: ("Rx", mark("for adults only")),
}
Ceiling = Literal[AgeRating.G, AgeRating.PG, AgeRating.PG13, AgeRating.R17, AgeRating.RPLUS]
CEILINGS: tuple[AgeRating, ...] = get_args(Ceiling)
"""Ratings up to which somebody may want to see anime; adult titles are asked for by a switch."""
CHILDREN = AgeRating.PG
"""Titles up to this rating are children's."""
CHILDREN_CEILING = AgeRating.PG13
"""The rating up to which whoever lists nothing but children's titles is shown anime, unasked."""
ADULT_GENRES = frozenset({"Hentai", "Erotica"})
"""Genres whose anime are for adults only, whatever their rating says."""
