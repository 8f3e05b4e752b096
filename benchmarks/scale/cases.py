"""What is measured: series of sizes in which one thing grows, and the public dump at full size."""

from __future__ import annotations

from dataclasses import dataclass

COMPLETED_SHARE = 0.53
"""The share of list rows that the generator makes completed and scored."""
FULL_ANIME, FULL_RATINGS, FULL_USERS = 16_872, 57_633_278, 310_059
"""`rating_complete.csv` of the 2020 dump."""


@dataclass(frozen=True, slots=True)
class ScalingCase:
    """A dump of ``rows`` list rows; ``file`` is what is prepared, with ``ratings`` in it."""

    rows: int
    users: int
    anime: int
    file: str = "rating_complete.csv"

    @property
    def name(self) -> str:
        """The folder of the case's files."""
        return f"{self.file.split('.')[0]}-{self.rows}-{self.users}-{self.anime}"

    @property
    def size(self) -> tuple[int, int, int]:
        """What the dump is generated from."""
        return self.rows, self.users, self.anime


def _rated_case(ratings: float, users: float, anime: int) -> ScalingCase:
    return ScalingCase(round(ratings / COMPLETED_SHARE), round(users), anime)


SERIES = {
    "growth": [
        _rated_case(FULL_RATINGS * share, FULL_USERS * share, FULL_ANIME)
        for share in (0.01, 0.0316, 0.1, 0.316, 1.0)
    ],
    "anime": [
        _rated_case(FULL_RATINGS / 10, FULL_USERS / 10, anime)
        for anime in (2_000, 4_000, 8_000, FULL_ANIME)
    ],
    "fans": [
        _rated_case(FULL_RATINGS / 10, fans, FULL_ANIME)
        for fans in (8_000, 16_000, FULL_USERS / 10, 64_000, 128_000)
    ],
    "full": [ScalingCase(109_224_747, 325_772, 17_562, file="animelist.csv")],
}
"""The middle of the first three is one and the same case."""
