"""How well scores and interactions are foretold: pairs of fan and anime that were hidden.

An interaction is what `app.recommender.engines.interactions` takes for liked or not liked. Rankings
are not looked at here; `comparison` does that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.recommender import Listed
from app.recommender.engines.interactions import LIKED_ABOVE, liked
from model_build.ratings import Ratings

Floats = npt.NDArray[np.float64]
LOWEST, HIGHEST = 1.0, 10.0
YES = LIKED_ABOVE + 0.5
CERTAIN = 1e-6


@dataclass(frozen=True, slots=True)
class Foretold:
    """For each wanted anime: the ``score``, and the ``chance`` that it is liked, if it tells one.

    One who tells scores only takes what would be scored above 5 (5.5 after rounding) for liked.
    """

    score: Floats
    chance: Floats | None = None


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A fan's visible list, and hidden entries as positions in the anime trained on."""

    name: str
    visible: Listed
    position: npt.NDArray[np.int64]
    score: Floats
    status: npt.NDArray[np.int8]


Teller = Callable[[HeldOut], Foretold]


@dataclass(frozen=True, slots=True)
class Told:
    """The measures; NaN where there is none.

    ``loss`` and ``rmse`` are of scores, ``entropy`` (mean cross-entropy) and the rest of
    interactions. ``pairs`` and ``labels`` are how many each is over.
    """

    loss: float
    rmse: float
    entropy: float
    accuracy: float
    precision: float
    recall: float
    auc: float
    pairs: int
    labels: int


def held_out(lists: Ratings, holdout: Ratings, anime_ids: npt.NDArray[np.int32]) -> list[HeldOut]:
    """Fans with a hidden entry whose anime is among ``anime_ids``."""
    visible = {str(fan): rows for fan, rows in _by_fan(lists)}
    none = np.empty(0, np.int64)
    found = []
    for fan, rows in _by_fan(holdout):
        ids = holdout.anime_ids[holdout.item[rows]]
        at = np.minimum(np.searchsorted(anime_ids, ids), len(anime_ids) - 1)
        there = anime_ids[at] == ids
        rows, seen = rows[there], visible.get(str(fan), none)
        listed = Listed(
            lists.anime_ids[lists.item[seen]].astype(np.int64),
            lists.rating[seen],
            lists.status[seen],
        )
        if len(rows):
            found.append(
                HeldOut(str(fan), listed, at[there], holdout.rating[rows], holdout.status[rows])
            )
    return found


def measure(tell: Teller, fans: Sequence[HeldOut]) -> Told:
    """Ask for every fan, and compare over all pairs."""
    told = [tell(fan) for fan in fans]
    score = np.concatenate([part.score for part in told])
    given = np.concatenate([fan.score for fan in fans])
    label = liked(given, np.concatenate([fan.status for fan in fans]))
    scored, judged = given > 0, label >= 0
    squares = (np.clip(score, LOWEST, HIGHEST) - given)[scored] ** 2
    loss = float(squares.mean()) if len(squares) else float("nan")
    order, yes, entropy = score[judged], score[judged] > YES, float("nan")
    chances = [part.chance for part in told]
    if all(chance is not None for chance in chances):
        order = np.concatenate([chance for chance in chances if chance is not None])[judged]
        yes, entropy = order > 0.5, cross_entropy(order, label[judged] > 0)
    return Told(
        loss,
        float(np.sqrt(loss)),
        entropy,
        *_of_answers(yes, label[judged] > 0),
        auc(order, label[judged] > 0),
        int(scored.sum()),
        int(judged.sum()),
    )


def always_yes(fans: Sequence[HeldOut]) -> Told:
    """Taking everything for liked, as likely as it is on average: the base rate."""
    label = liked(*(np.concatenate([getattr(fan, part) for fan in fans]) for part in PARTS))
    truth = label[label >= 0] > 0
    nan = float("nan")
    rate = np.full(len(truth), truth.mean() if len(truth) else nan)
    answers = _of_answers(np.ones(len(truth), bool), truth)
    return Told(nan, nan, cross_entropy(rate, truth), *answers, 0.5, 0, len(truth))


PARTS = ("score", "status")


def cross_entropy(chance: Floats, truth: npt.NDArray[np.bool_]) -> float:
    """Mean of -log of the chance given to what happened."""
    given = np.clip(np.where(truth, chance, 1.0 - chance), CERTAIN, 1.0)
    return float(-np.log(given).mean()) if len(given) else float("nan")


def auc(order: Floats, truth: npt.NDArray[np.bool_]) -> float:
    """The share of pairs of a liked and a not liked one in which the liked is put higher.

    Equals count half (Mann and Whitney 1947).
    """
    yes, no = np.sort(order[truth]), np.sort(order[~truth])
    if not len(yes) or not len(no):
        return float("nan")
    below = np.searchsorted(no, yes, side="left")
    equal = np.searchsorted(no, yes, side="right") - below
    return float((below + 0.5 * equal).mean() / len(no))


def _of_answers(
    yes: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]
) -> tuple[float, float, float]:
    """Accuracy, precision and recall."""

    def share(part: int, whole: int) -> float:
        return part / whole if whole else float("nan")

    right = int((yes & truth).sum())
    return (
        share(int((yes == truth).sum()), len(truth)),
        share(right, int(yes.sum())),
        share(right, int(truth.sum())),
    )


def _by_fan(ratings: Ratings) -> list[tuple[object, npt.NDArray[np.int64]]]:
    order = np.argsort(ratings.user, kind="stable")
    edges = np.cumsum(np.bincount(ratings.user, minlength=len(ratings.user_ids)))
    rows = np.split(order, edges[:-1])
    return list(zip(ratings.user_ids.to_list(), rows, strict=True))
