"""What is measured: series of sizes in which one thing grows, and the public dump at full size."""

from __future__ import annotations

from dataclasses import dataclass

COMPLETED = 0.53
"""The share of list rows that the generator makes completed and scored."""
ANIME, RATINGS, FANS = 16_872, 57_633_278, 310_059
"""`rating_complete.csv` of the 2020 dump."""


@dataclass(frozen=True, slots=True)
class Case:
    """A dump of ``rows`` list rows; ``file`` is what is prepared, with ``ratings`` in it."""

    rows: int
    fans: int
    anime: int
    file: str = "rating_complete.csv"

    @property
    def name(self) -> str:
        return f"{self.file.split('.')[0]}-{self.rows}-{self.fans}-{self.anime}"

    @property
    def size(self) -> tuple[int, int, int]:
        """What the dump is generated from."""
        return self.rows, self.fans, self.anime


def _scored(ratings: float, fans: float, anime: int) -> Case:
    return Case(round(ratings / COMPLETED), round(fans), anime)


SERIES = {
    "growth": [
        _scored(RATINGS * share, FANS * share, ANIME) for share in (0.01, 0.0316, 0.1, 0.316, 1.0)
    ],
    "anime": [_scored(RATINGS / 10, FANS / 10, anime) for anime in (2_000, 4_000, 8_000, ANIME)],
    "fans": [
        _scored(RATINGS / 10, fans, ANIME) for fans in (8_000, 16_000, FANS / 10, 64_000, 128_000)
    ],
    "full": [Case(109_224_747, 325_772, 17_562, file="animelist.csv")],
}
"""The middle of the first three is one and the same case."""
