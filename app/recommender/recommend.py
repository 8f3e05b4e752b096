"""From a list to explained, ranked recommendations: the one path that every caller takes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from app.recommender.explain import reasons_for_score
from app.recommender.fold_in import Listed, Visitor, fold_in
from app.recommender.model import Model
from app.recommender.predict import Prediction, predict
from app.recommender.rank import Order, by_support, candidates, top

LOWEST, HIGHEST = 1.0, 10.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for. ``allowed`` (n,) bool narrows the anime shown, by type or genre, say."""

    top: int = 20
    order: Order = Order.MATCH
    include_planned: bool = False
    allowed: npt.NDArray[np.bool_] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Because:
    """An anime of the fan's list, the score given (None: dropped without one), what it added."""

    anime_id: int
    score: float | None
    weight: float


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One anime. ``predicted_score`` is within 1..10; ``baseline`` plus all weights of ``because``
    is the prediction before that limit. ``neighbours`` counts the entries it rests on."""

    anime_id: int
    rank: int
    match: float
    predicted_score: float
    baseline: float
    neighbours: int
    because: tuple[Because, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """The recommendations, and what was understood of the list.

    ``personal`` is False when nothing on the list could be used, and popular, well rated anime are
    shown instead.
    """

    model_version: str
    order: Order
    personal: bool
    visitor: Visitor
    recommendations: tuple[Recommendation, ...]


@dataclass(frozen=True, slots=True)
class Scores:
    """Every anime of the model scored for one fan: what `recommend` shows the best of.

    ``value`` (n,) is what the order looks at, ``sort_key`` (n,) what it sorts by (the value, with
    anime whose value rests on too little put behind), ``allowed`` (n,) bool where one may be shown.
    """

    visitor: Visitor
    prediction: Prediction
    value: npt.NDArray[np.float64]
    sort_key: npt.NDArray[np.float64]
    allowed: npt.NDArray[np.bool_]
    personal: bool

    @property
    def predicted_score(self) -> npt.NDArray[np.float64]:
        """Predicted scores within 1..10."""
        return np.clip(self.prediction.score, LOWEST, HIGHEST)


def score_all(model: Model, listed: Listed, wish: Wish) -> Scores:
    """Fold a list in and score every anime."""
    visitor = fold_in(model, listed)
    prediction = predict(model, visitor)
    allowed = candidates(model, visitor, include_planned=wish.include_planned)
    if wish.allowed is not None:
        allowed &= wish.allowed
    personal = len(prediction.neighbourhood.source) > 0
    if personal:
        value, sort_key = prediction.score, by_support(model, prediction)
    else:
        value = sort_key = _acclaim(model)
    return Scores(visitor, prediction, value, sort_key, allowed, personal)


def recommend(model: Model, listed: Listed, wish: Wish | None = None) -> Answer:
    """Recommend anime for a list."""
    wish = wish or Wish()
    scores = score_all(model, listed, wish)
    visitor, prediction = scores.visitor, scores.prediction
    given = dict(zip(visitor.rated.tolist(), visitor.score.tolist(), strict=True))

    def because(target: int) -> tuple[Because, ...]:
        return tuple(
            Because(int(model.anime_id[reason.position]), given.get(reason.position), reason.weight)
            for reason in reasons_for_score(prediction, target)
        )

    chosen = top(scores.sort_key, scores.allowed, wish.top)
    recommendations = tuple(
        Recommendation(
            anime_id=int(model.anime_id[target]),
            rank=rank,
            match=float(scores.value[target]),
            predicted_score=float(scores.predicted_score[target]),
            baseline=float(prediction.baseline[target]),
            neighbours=int(prediction.neighbourhood.used[target]),
            because=because(int(target)),
        )
        for rank, target in enumerate(chosen, 1)
    )
    return Answer(model.version, wish.order, scores.personal, visitor, recommendations)


def _acclaim(model: Model) -> npt.NDArray[np.float64]:
    """Popular and well rated: how many fans have an anime, times how much above average it is."""
    share = model.entry_count / max(1, int(model.entry_count.max()))
    return np.asarray(np.maximum(model.item_bias, 0.0) * np.sqrt(share))
