"""What networks learn from: pairs of fan and anime, with a residual score, a label, or both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.recommender.engines.baseline import Baseline
from app.recommender.engines.interactions import liked
from app.recommender.listed import Known
from app.recommender.status import Status
from model_build.baselines import fit_baselines
from model_build.errors import InputError
from model_build.grouping import group_ratings
from model_build.ratings import Ratings

REG_USER, REG_ITEM, EPOCHS = 15.0, 10.0, 10
FEWEST_LABELS = 5
"""Fans with fewer entries that tell whether an anime was liked teach no interactions."""
MIN_SCORES = 5
HIDDEN_SHARE = 0.2

Longs = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Hidden:
    """A fan left out to stop by: what is seen of the list, and what must be foretold."""

    visible: Known
    position: Longs
    score: npt.NDArray[np.float64]
    status: npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Pairs:
    """``fan`` and ``item`` (p,), ``residual`` and ``label`` (p,), NaN where there is none.

    ``item`` are positions in the ratings' ``anime_ids``, ``fan`` in their ``user_ids``; ``level``
    (fans,) are the biases of the fans; ``trained`` (items,) the anime that occur. ``hidden`` fans
    do not occur.
    """

    fan: Longs
    item: Longs
    residual: Singles
    label: Singles
    level: Singles
    baseline: Baseline
    trained: Mask
    hidden: tuple[Hidden, ...]


def make_pairs(ratings: Ratings, *, validation: int, seed: int) -> Pairs:
    """Baselines, residuals and labels of everyone but ``validation`` fans, drawn at random.

    At most a tenth of the fans are left out.

    Raises:
        InputError: no fan has the five scores that leaving one out takes.
    """
    told = ratings.scored & (ratings.status != Status.PLAN_TO_WATCH)
    count = np.bincount(ratings.user[told], minlength=len(ratings.user_ids))
    eligible = np.flatnonzero(count >= MIN_SCORES)
    if len(eligible) < 2:
        raise InputError(
            f"a network stops by fans left out, and {len(eligible)} have {MIN_SCORES} scores; "
            "train on more ratings."
        )
    rng = np.random.default_rng(seed)
    many = max(1, min(validation, len(eligible) // 10))
    out = np.zeros(len(ratings.user_ids), bool)
    out[rng.choice(eligible, many, replace=False)] = True
    kept = ~out[ratings.user]
    baseline, level = fit_levels(ratings, told & kept)
    label = liked(ratings.rating, ratings.status)
    enough = np.bincount(ratings.user[label >= 0], minlength=len(out)) >= FEWEST_LABELS
    labelled = (label >= 0) & enough[ratings.user] & kept
    rows = np.flatnonzero((told & kept) | labelled)
    fan, item = ratings.user[rows].astype(np.int64), ratings.item[rows].astype(np.int64)
    expected = baseline.mean + baseline.item_bias[item] + level[fan]
    residual = np.where(told[rows], ratings.rating[rows] - expected, np.nan)
    return Pairs(
        fan,
        item,
        residual.astype(np.float32),
        np.where(labelled[rows], label[rows], np.nan).astype(np.float32),
        level.astype(np.float32),
        baseline,
        np.bincount(item, minlength=len(ratings.anime_ids)) > 0,
        tuple(hide(ratings, np.flatnonzero(out), rng)),
    )


def fit_levels(ratings: Ratings, chosen: Mask) -> tuple[Baseline, npt.NDArray[np.float64]]:
    """The baseline of the chosen entries, and every fan's bias."""
    n = len(ratings.anime_ids)
    grouped = group_ratings(
        ratings.user,
        ratings.item,
        ratings.rating,
        len(ratings.user_ids),
        n,
        chosen=chosen,
    )
    fitted = fit_baselines(grouped, reg_user=REG_USER, reg_item=REG_ITEM, epochs=EPOCHS)
    return Baseline(fitted.mean, fitted.item_bias, REG_USER), fitted.user_bias


def hide(ratings: Ratings, fans: Longs, rng: np.random.Generator) -> list[Hidden]:
    """Of each fan a fifth of the scored entries is hidden, at least one."""
    order = np.argsort(ratings.user, kind="stable")
    edges = np.searchsorted(ratings.user[order], np.arange(len(ratings.user_ids) + 1))
    found = []
    for fan in fans:
        rows = order[edges[fan] : edges[fan + 1]]
        scored = rng.permutation(rows[ratings.scored[rows]])
        hidden = np.sort(scored[: max(1, round(HIDDEN_SHARE * len(scored)))])
        found.append(
            Hidden(
                known_entries(ratings, np.setdiff1d(rows, hidden)),
                ratings.item[hidden].astype(np.int64),
                ratings.rating[hidden],
                ratings.status[hidden],
            )
        )
    return found


def known_entries(ratings: Ratings, rows: Longs) -> Known:
    """Entries of one fan as a list, positions in the ratings' anime."""
    rows = rows[np.argsort(ratings.item[rows], kind="stable")]
    return Known(
        ratings.item[rows].astype(np.int64),
        ratings.rating[rows],
        ratings.status[rows],
        np.zeros(len(rows), bool),
    )
