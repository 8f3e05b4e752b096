"""A fan's taste at a glance: how strict, how the scores spread, which genres and decades stand out.

"Than others" always means the fans whose lists the model was trained on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.recommender import Model, Visitor
from app.web.filters import FOR_ADULTS, Facts

LEAST_SCORES = 5
LEAST_SEEN = 10
LEAST_OF_A_KIND = 3
SHOWN = 3
LEVEL = 0.15
"""A difference in scores below this is none worth telling."""
PLOT = 44
"""Height of the tallest bar."""


@dataclass(frozen=True, slots=True)
class Bar:
    """How many titles got a score; ``height`` is for the plot."""

    score: int
    count: int
    height: int


@dataclass(frozen=True, slots=True)
class Leaning:
    """A genre or decade: its share of the fan's list, and of all fans' lists, in percent."""

    name: str
    share: int
    usual: int


@dataclass(frozen=True, slots=True)
class Taste:
    """What the header says; empty where the list is too short to say it."""

    strictness: str
    mean: str
    bars: tuple[Bar, ...]
    genres: tuple[Leaning, ...]
    decades: tuple[Leaning, ...]

    @property
    def plot_told(self) -> str:
        """The plot in words."""
        return ", ".join(f"{bar.count:,} × {bar.score}" for bar in self.bars[::-1] if bar.count)


def taste_of(model: Model, facts: Facts, visitor: Visitor) -> Taste | None:
    """The taste that a list shows; None if it is too short to show any."""
    scored, seen = len(visitor.rated) >= LEAST_SCORES, len(visitor.seen) >= LEAST_SEEN
    if not (scored or seen):
        return None
    crowd = model.entry_count.astype(float)
    decade = facts.year // 10 * 10
    decades = {f"{year}s": np.flatnonzero(decade == year) for year in np.unique(decade[decade > 0])}
    genres = {
        facts.genre_names[name]: where
        for name, where in facts.genres.items()
        if name not in FOR_ADULTS
    }
    return Taste(
        strictness=_strictness(model, visitor) if scored else "",
        mean=f"{visitor.score.mean():.1f}" if scored else "",
        bars=_bars(visitor.score) if scored else (),
        genres=_leanings(genres, visitor.seen, crowd) if seen else (),
        decades=_leanings(decades, visitor.seen, crowd) if seen else (),
    )


def _strictness(model: Model, visitor: Visitor) -> str:
    """Against what others give the same titles, so that good taste is not taken for kindness."""
    expected = model.mean + model.item_bias[visitor.rated]
    apart = float((visitor.score - expected).mean())
    if abs(apart) < LEVEL:
        return "You score the same titles about as others do."
    side = "higher" if apart > 0 else "lower"
    return f"You score the same titles {abs(apart):.1f} {side} than others do."


def _bars(scores: npt.NDArray[np.float64]) -> tuple[Bar, ...]:
    rounded = np.clip(np.floor(scores + 0.5).astype(int), 1, 10)
    counts = np.bincount(rounded, minlength=11)[1:]
    most = int(counts.max())
    return tuple(
        Bar(score, int(count), math.ceil(PLOT * int(count) / most))
        for score, count in enumerate(counts, 1)
    )


def _leanings(
    kinds: dict[str, npt.NDArray[np.int64]],
    seen: npt.NDArray[np.int64],
    crowd: npt.NDArray[np.float64],
) -> tuple[Leaning, ...]:
    """What the fan watches more of than others, the least likely to be chance first."""
    found = []
    is_seen = np.zeros(len(crowd), bool)
    is_seen[seen] = True
    everything = crowd.sum()
    for name, where in kinds.items():
        count = int(np.count_nonzero(is_seen[where]))
        expected = len(seen) * float(crowd[where].sum() / everything)
        surprise = (count - expected) / math.sqrt(max(expected, 1.0))
        if count >= LEAST_OF_A_KIND and surprise > 0:
            share, usual = 100 * count / len(seen), 100 * expected / len(seen)
            found.append((surprise, Leaning(name, round(share), round(usual))))
    found.sort(key=lambda each: (-each[0], each[1].name))
    return tuple(leaning for _, leaning in found[:SHOWN] if leaning.share > leaning.usual)
