"""What two fans would both enjoy.

Every anime is scored for each of them as for anybody; the two matches are joined by their geometric
mean, so that what one of them loves cannot make up for what leaves the other cold. On pairs of
held-out fans it found more of what both loved than the mean, or the lower of the two
(`docs/model.md`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from app.recommender.engines import EngineName
from app.recommender.explain import Because
from app.recommender.fold_in import Visitor
from app.recommender.franchise import Folded
from app.recommender.likeness import Comparison, compare, favourites
from app.recommender.listed import Listed
from app.recommender.model import Model
from app.recommender.rank import Order, by_discovery, top
from app.recommender.recommend import Scores, Wish, fold, score_all

TOLD = 5
"""Disagreements, shared favourites, and favourites of one for the other that are told."""

Positions = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ForOne:
    """What an anime is for one of the two; ``planned``: it is on the plan-to-watch list."""

    match: float
    predicted_score: float
    planned: bool
    because: tuple[Because, ...]


@dataclass(frozen=True, slots=True)
class ForBoth:
    """An anime that neither has seen. ``match`` is that of both; ``more`` counts what follows."""

    anime_id: int
    rank: int
    match: float
    fans: tuple[ForOne, ForOne]
    more: int


@dataclass(frozen=True, slots=True)
class Tip:
    """A favourite of one that the other has not seen: the ``score`` is the one's, all else the
    other's."""

    anime_id: int
    score: float
    match: float
    predicted_score: float


@dataclass(frozen=True, slots=True)
class Together:
    """The answer for two fans.

    ``personal`` says of each whether the list could be used. ``tips``: from the first for the
    second, and the other way round.
    """

    model_version: str
    engine: EngineName
    order: Order
    personal: tuple[bool, bool]
    visitors: tuple[Visitor, Visitor]
    recommendations: tuple[ForBoth, ...]
    comparison: Comparison
    tips: tuple[tuple[Tip, ...], tuple[Tip, ...]]


def recommend_together(
    model: Model, one: Listed | Visitor, other: Listed | Visitor, wish: Wish
) -> Together:
    """Compare two fans, and recommend what neither has seen. What they plan to watch is welcome.

    A franchise is shown only where it would be the next part for both.
    """
    wish = replace(wish, include_planned=True)
    first, second = (score_all(model, fan, wish) for fan in (one, other))
    ways = fold(model, first, wish), fold(model, second, wish)
    chosen = top(joint_key(model, first, second), ways[0].allowed & ways[1].allowed, wish.top)
    match = joint(first.match, second.match)
    halves = [_halves(model, scores, chosen, wish) for scores in (first, second)]
    recommendations = tuple(
        ForBoth(
            anime_id=int(model.anime_id[target]),
            rank=at + 1,
            match=float(match[target]),
            fans=(halves[0][at], halves[1][at]),
            more=int(min(way.more[target] for way in ways)),
        )
        for at, target in enumerate(chosen)
    )
    return Together(
        model.version,
        wish.engine,
        wish.order,
        (first.personal, second.personal),
        (first.visitor, second.visitor),
        recommendations,
        compare(model, first.visitor, second.visitor, TOLD),
        (_tips(model, first, second, ways[1]), _tips(model, second, first, ways[0])),
    )


def joint(one: Values, other: Values) -> Values:
    """The geometric mean of two matches, (n,); where one is not above 0 the lower of the two."""
    lower = np.minimum(one, other)
    return np.where(lower > 0, np.sqrt(np.maximum(one, 0)) * np.sqrt(np.maximum(other, 0)), lower)


def joint_key(model: Model, one: Scores, other: Scores) -> Values:
    """What the order sorts by, (n,). Of two predicted scores the lower one counts."""
    if one.order is Order.SCORE:
        return np.minimum(one.sort_key, other.sort_key)
    match = joint(one.match, other.match)
    return by_discovery(model, match) if one.order is Order.DISCOVER else match


def _halves(model: Model, scores: Scores, chosen: Positions, wish: Wish) -> list[ForOne]:
    because = scores.because(model, chosen, wish.reasons)
    planned = np.isin(chosen, scores.visitor.planned)
    return [
        ForOne(
            float(scores.match[target]),
            float(scores.predicted_score[target]),
            bool(planned[at]),
            because[at],
        )
        for at, target in enumerate(chosen)
    ]


def _tips(model: Model, giver: Scores, taker: Scores, way: Folded) -> tuple[Tip, ...]:
    """The giver's favourites that the taker would like best."""
    given = dict(zip(giver.visitor.rated.tolist(), giver.visitor.score.tolist(), strict=True))
    loved = np.zeros(len(model), bool)
    loved[giver.visitor.rated[favourites(giver.visitor)]] = True
    return tuple(
        Tip(
            int(model.anime_id[at]),
            given[int(at)],
            float(taker.match[at]),
            float(taker.predicted_score[at]),
        )
        for at in top(taker.match, loved & way.allowed, TOLD)
    )
