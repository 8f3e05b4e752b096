"""Favourites beside recommendations, for users of whom is known what they did."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from app.recommender import RecommendationResult, RecommendedItem
from app.recommender.array_types import Int64Array
from app.recommender.atomic_writes import write_atomically
from app.recommender.watch_status import WatchStatus
from model_build.data.interactions import Interactions
from model_build.util.errors import InputError

PICTURE_FORMATS = (".png", ".svg")
FAVOURITE_COLOUR, MATCH_COLOUR = "#4c4c4c", "#b8481f"
INCHES_A_LINE, INCHES_WIDE, LONGEST_TITLE = 0.24, 11.0, 48


@dataclass(frozen=True, slots=True)
class UserPicks:
    """One user's dearest beside what is recommended.

    ``favourites`` are anime ids; ``named_favourites`` says whether the user calls them so, or they
    are those with the best scores. ``titles`` has all anime of both sides.
    """

    user_id: str
    n_entries: int
    favourites: tuple[int, ...]
    named_favourites: bool
    result: RecommendationResult
    titles: dict[int, str]

    @property
    def caption(self) -> str:
        """Who it is and how much is known."""
        return f"user {self.user_id}, {self.n_entries:,} anime"

    @property
    def favourites_title(self) -> str:
        """Say what stands on the left."""
        return "favourites" if self.named_favourites else "best scored"

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Yield a favourite, a recommendation and its match, side by side."""
        picks = self.result.recommendations
        loved = [self.titles[anime_id] for anime_id in self.favourites[: len(picks)]]
        loved += [""] * (len(picks) - len(loved))
        for item, favourite in zip(picks, loved, strict=True):
            yield favourite, self.titles[item.anime_id], f"{shown_match(item):.0f} %"


def shown_match(item: RecommendedItem) -> float:
    """Return the match that a card shows, 0 to 100: against favourites, where that is known."""
    match = item.match if item.match_percentile is None else item.match_percentile
    return min(100.0, max(0.0, match))


def find_user_rows(interactions: Interactions, user_id: str) -> Int64Array:
    """Return where the entries of a user are, (entries,)."""
    entries = interactions.entries
    names = [str(name) for name in entries.user_ids.to_list()]
    if user_id not in names:
        raise InputError(
            f"--user {user_id}: no such user in these interactions, which have "
            f"{len(names):,} users, from {names[0]} to {names[-1]}."
        )
    return np.flatnonzero(entries.user == names.index(user_id))


def most_active_users(interactions: Interactions, count: int) -> list[str]:
    """Return the users with the most entries, the most active first; of equals the first."""
    n_entries = np.bincount(interactions.entries.user)
    order = np.argsort(-n_entries, kind="stable")[:count]
    return [str(interactions.entries.user_ids[at]) for at in order.tolist()]


def dearest_anime(interactions: Interactions, rows: Int64Array) -> tuple[tuple[int, ...], bool]:
    """Return the anime ids of a user's favourites, the best scored first; and whether there are.

    ``rows`` (r,) are those of the user.

    Where none is called a favourite, they are those with the best scores that were neither dropped
    nor only planned.
    """
    entries = interactions.entries
    named = bool(interactions.favourite[rows].any())
    unseen_or_left = (WatchStatus.DROPPED, WatchStatus.PLAN_TO_WATCH)
    liked = (entries.rating[rows] > 0) & ~np.isin(entries.status[rows], unseen_or_left)
    rows = rows[interactions.favourite[rows] if named else liked]
    order = np.lexsort((entries.anime_ids[entries.item[rows]], -entries.rating[rows]))
    return tuple(entries.anime_ids[entries.item[rows[order]]].tolist()), named


def check_picture(path: Path) -> None:
    """Raise InputError: no picture is written in the format that a name ends in."""
    if path.suffix.lower() not in PICTURE_FORMATS:
        raise InputError(f"--picture {path}: expected a name that ends in .png or .svg.")


def write_picture(path: Path, users: Sequence[UserPicks]) -> None:
    """Draw all users one below another: favourites on the left, recommendations on the right."""
    heights = [max(len(user.result.recommendations), 1) + 3 for user in users]
    size = (INCHES_WIDE, INCHES_A_LINE * sum(heights))
    # A title with a dollar sign is no formula, and the salt makes the same file of the same picks.
    style: dict[Any, Any] = {"text.parse_math": False, "svg.hashsalt": "hakken", "font.size": 9}
    with mpl.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # of titles in other scripts
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(
            len(users), 2, squeeze=False, height_ratios=heights, width_ratios=(2, 3)
        )
        for (left, right), user in zip(grid, users, strict=True):
            _draw_favourites(left, user)
            _draw_recommendations(right, user)
        metadata = {"Date": None} if path.suffix.lower() == ".svg" else {}
        kind = path.suffix.lower().removeprefix(".")
        write_atomically(
            path, lambda file: figure.savefig(file, format=kind, metadata=metadata, dpi=120)
        )


def _draw_favourites(axes: mpl.axes.Axes, user: UserPicks) -> None:
    axes.set_axis_off()
    axes.set_title(f"{user.caption}: {user.favourites_title}", loc="left", fontweight="bold")
    rows = list(user.rows())
    axes.set_ylim(len(rows) - 0.5, -0.5)
    for at, (favourite, _, _) in enumerate(rows):
        axes.text(0, at, _shorten(favourite), va="center", color=FAVOURITE_COLOUR)


def _draw_recommendations(axes: mpl.axes.Axes, user: UserPicks) -> None:
    picks = user.result.recommendations
    axes.set_title("recommendations, match in percent", loc="left", fontweight="bold")
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xticks([])
    axes.set_xlim(0, 115)
    matches = [shown_match(item) for item in picks]
    bars = axes.barh(range(len(picks)), matches, 0.7, color=MATCH_COLOUR)
    axes.bar_label(bars, [f"{match:.0f}" for match in matches], padding=3)
    axes.set_yticks(range(len(picks)), [_shorten(user.titles[item.anime_id]) for item in picks])
    axes.set_ylim(len(picks) - 0.5, -0.5)


def _shorten(title: str) -> str:
    return title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}…"
