"""A user's taste at a glance: how strict, how scores spread, what genres and decades stand out.

"Than others" always means the fans whose lists the model was trained on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from app.age_rating import ADULT_GENRES
from app.recommender import Model, UserProfile
from app.recommender.array_types import Float64Array, Int64Array, IntArray
from app.translation import gettext
from app.vocabulary import catalogue_word
from app.web.services.filters import ItemAttributes

MIN_RATED = 5
MIN_SEEN = 10
MIN_PER_CATEGORY = 3
MIN_SHARE = 5
MIN_MORE = 2
"""Percent of a list, and percent more than others, below which a preference is noise."""
MAX_PREFERENCES = 3
MIN_SCORE_DIFFERENCE = 0.15
"""A difference in scores below this is none worth telling."""
PLOT_HEIGHT = 44
"""Height of the tallest bar."""


@dataclass(frozen=True, slots=True)
class ScoreBar:
    """How many titles got a score; ``height`` is for the plot."""

    score: int
    count: int
    height: int


@dataclass(frozen=True, slots=True)
class CategoryPreference:
    """A genre or decade: its share of the fan's list, and of all fans' lists, in percent."""

    name: str
    share: int
    average_share: int


@dataclass(frozen=True, slots=True)
class TasteSummary:
    """What the header says; empty where the list is too short to say it.

    ``strictness`` is by how much the fan scores the same titles above others, None if unknown.
    """

    strictness: float | None
    strictness_text: str
    mean_score: str
    score_bars: tuple[ScoreBar, ...]
    genres: tuple[CategoryPreference, ...]
    decades: tuple[CategoryPreference, ...]


def summarize_taste(
    model: Model, attributes: ItemAttributes, user: UserProfile
) -> TasteSummary | None:
    """Describe the taste that a list shows; None if it is too short to show any."""
    scored, seen = len(user.rated) >= MIN_RATED, len(user.seen) >= MIN_SEEN
    if not (scored or seen):
        return None
    entry_counts = model.entry_count.astype(float)
    decade = attributes.year // 10 * 10
    decades = {
        gettext("%(year)ss", year=year): np.flatnonzero(decade == year)
        for year in np.unique(decade[decade > 0])
    }
    facet = attributes.facets.genre
    genres = {
        catalogue_word(name): facet.positions(slug)
        for slug, name in facet.names.items()
        if name not in ADULT_GENRES
    }
    strictness = _strictness(model, user) if scored else None
    return TasteSummary(
        strictness=strictness,
        strictness_text=_strictness_text(strictness) if strictness is not None else "",
        mean_score=f"{user.score.mean():.1f}" if scored else "",
        score_bars=_score_bars(user.score) if scored else (),
        genres=_category_preferences(genres, user.seen, entry_counts) if seen else (),
        decades=_category_preferences(decades, user.seen, entry_counts) if seen else (),
    )


def _strictness(model: Model, user: UserProfile) -> float:
    """Compare with what others give the same titles: good taste is not kindness."""
    expected = model.global_mean + model.item_bias[user.rated]
    return float((user.score - expected).mean())


def _strictness_text(difference: float) -> str:
    if abs(difference) < MIN_SCORE_DIFFERENCE:
        return gettext("You score the same titles about as others do.")
    by = f"{abs(difference):.1f}"
    if difference > 0:
        return gettext("You score the same titles %(by)s higher than others do.", by=by)
    return gettext("You score the same titles %(by)s lower than others do.", by=by)


def _score_bars(scores: Float64Array) -> tuple[ScoreBar, ...]:
    rounded = np.clip(np.floor(scores + 0.5).astype(int), 1, 10)
    counts = np.bincount(rounded, minlength=11)[1:]
    most = int(counts.max())
    return tuple(
        ScoreBar(score, int(count), math.ceil(PLOT_HEIGHT * int(count) / most))
        for score, count in enumerate(counts, 1)
    )


def _category_preferences(
    categories: Mapping[str, IntArray], seen: Int64Array, entry_counts: Float64Array
) -> tuple[CategoryPreference, ...]:
    """Find what the user watches more of than others, the least likely to be chance first."""
    found = []
    is_seen = np.zeros(len(entry_counts), bool)
    is_seen[seen] = True
    everything = entry_counts.sum()
    for name, where in categories.items():
        count = int(np.count_nonzero(is_seen[where]))
        expected = len(seen) * float(entry_counts[where].sum() / everything)
        surprise = (count - expected) / math.sqrt(max(expected, 1.0))
        if count >= MIN_PER_CATEGORY and surprise > 0:
            share, usual = 100 * count / len(seen), 100 * expected / len(seen)
            found.append((surprise, CategoryPreference(name, round(share), round(usual))))
    found.sort(key=lambda each: (-each[0], each[1].name))
    told = [
        leaning
        for _, leaning in found
        if leaning.share >= max(MIN_SHARE, leaning.average_share + MIN_MORE)
    ]
    return tuple(told[:MAX_PREFERENCES])
