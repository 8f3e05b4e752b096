"""What is measured: series of sizes in which one thing grows, and the public dump at full size."""

from __future__ import annotations

from dataclasses import dataclass

COMPLETED = 0.53
"""The share of list rows that the generator makes completed and scored."""
ANIME, RATINGS, FANS = 16_872, 57_633_278, 310_059
"""`rating_complete.csv` of the 2020 dump."""
MIDDLE = 5_763_328
"""A tenth of its ratings."""


@dataclass(frozen=True, slots=True)
class Case:
    """A dump of ``rows`` list rows; ``file`` is what is prepared, with ``ratings`` in it."""

    series: str
    rows: int
    fans: int
    anime: int
    file: str = "rating_complete.csv"

    @property
    def name(self) -> str:
        return f"{self.series}-{self.rows}-{self.fans}-{self.anime}-{self.file.split('.')[0]}"

    @property
    def size(self) -> tuple[int, int, int]:
        """What the dump is generated from; cases of one size share it."""
        return self.rows, self.fans, self.anime


def _scored(series: str, ratings: int, fans: int, anime: int) -> Case:
    return Case(series, round(ratings / COMPLETED), fans, anime)


GROWTH = [
    _scored("growth", round(RATINGS * share), round(FANS * share), ANIME)
    for share in (0.01, 0.0316, 0.1, 0.316, 1.0)
]
BY_ANIME = [_scored("anime", MIDDLE, FANS // 10, anime) for anime in (2_000, 4_000, 8_000, 16_872)]
BY_FANS = [
    _scored("fans", MIDDLE, fans, ANIME) for fans in (8_000, 16_000, 31_006, 64_000, 128_000)
]
FULL = [Case("full", 109_224_747, 325_772, 17_562, file="animelist.csv")]
CASES = [*GROWTH, *BY_ANIME, *BY_FANS, *FULL]
SERIES = ("growth", "anime", "fans", "full")
