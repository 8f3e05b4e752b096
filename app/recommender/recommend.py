"""From a list to explained, ranked recommendations: the one path that every caller takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from app.recommender.affinity import Affinity, spread_affinity
from app.recommender.engines import EngineName, Judged
from app.recommender.explain import (
    Because,
    reasons_for_match,
    reasons_for_score,
    reasons_of_engine,
)
from app.recommender.fold_in import Visitor, folded_in
from app.recommender.franchise import Folded, Franchises, fold_franchises
from app.recommender.listed import Listed
from app.recommender.model import Model
from app.recommender.predict import Prediction, predict
from app.recommender.rank import (
    FEW_LISTS,
    MIN_RATINGS,
    Order,
    behind,
    by_discovery,
    by_support,
    candidates,
    top,
)
from app.recommender.taste import Taste, expected_error, predict_taste

LOWEST, HIGHEST = 1.0, 10.0
PERCENT = 100.0
Explained = Literal["match", "predicted_score"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for. ``allowed`` (n,) bool narrows the anime shown, by type or genre, say.

    With ``franchises`` one anime a franchise is shown, the first unseen; ``extras`` lets specials
    and summaries of franchises that the fan knows in. ``reasons`` is how many to tell an anime.
    ``engine`` must be one that the model has.
    """

    top: int = 20
    order: Order = Order.MATCH
    engine: EngineName = EngineName.HAKKEN
    include_planned: bool = False
    extras: bool = False
    reasons: int = 3
    franchises: Franchises | None = field(default=None, repr=False)
    allowed: npt.NDArray[np.bool_] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One anime.

    ``match`` is the affinity in percent, or what another engine makes of the anime: 100 for what
    the fan would pick and give a 9 or 10, 0 for what the fan would not pick. ``predicted_score`` is
    within 1..10; ``expected_error`` how far off it is on average (one standard deviation). The
    weights of ``because`` and ``rest`` add up to ``match``, or where the answer says so to
    ``predicted_score``. ``more`` counts the further anime of the franchise that were folded under
    this one. ``few_fans`` know it: fewer than `FEW_LISTS`.
    """

    anime_id: int
    rank: int
    match: float
    predicted_score: float
    expected_error: float
    because: tuple[Because, ...]
    rest: float
    more: int
    few_fans: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """The recommendations, and what was understood of the list.

    ``personal`` is False when nothing on the list could be used, and popular, well rated anime are
    shown instead.
    """

    model_version: str
    engine: EngineName
    order: Order
    explained: Explained
    personal: bool
    visitor: Visitor
    recommendations: tuple[Recommendation, ...]


@dataclass(frozen=True, slots=True)
class Scores:
    """Every anime of the model scored for one fan: what `recommend` shows the best of.

    ``match`` and ``predicted_score`` (n,); ``sort_key`` (n,) what the order sorts by; ``allowed``
    (n,) bool where one may be shown. ``prediction`` is there where KNN with baseline predicted the
    scores, ``judged`` where another engine than Hakken's own was asked.
    """

    order: Order
    engine: EngineName
    visitor: Visitor
    affinity: Affinity
    taste: Taste
    prediction: Prediction | None
    judged: Judged | None
    match: npt.NDArray[np.float64]
    predicted_score: npt.NDArray[np.float64]
    sort_key: npt.NDArray[np.float64]
    allowed: npt.NDArray[np.bool_]
    personal: bool

    @property
    def explained(self) -> Explained:
        """The number that reasons are told for."""
        return "match" if self.prediction is None else "predicted_score"

    def because(
        self, model: Model, wanted: npt.NDArray[np.int64], count: int
    ) -> list[tuple[Because, ...]]:
        """For each wanted anime the entries of the list that its number was made from."""
        if self.prediction is not None:
            return reasons_for_score(model, self.visitor, self.prediction, wanted, count)
        if self.judged is not None:
            return reasons_of_engine(model, self.visitor, self.judged, wanted, count)
        return reasons_for_match(model, self.visitor, self.affinity, wanted, PERCENT, count)

    def errors(self, model: Model, wanted: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """The expected error of each wanted anime's predicted score."""
        if self.judged is not None and self.judged.expected_error is not None:
            return np.full(len(wanted), self.judged.expected_error)
        return expected_error(model, self.taste, wanted)


def score_all(model: Model, fan: Listed | Visitor, wish: Wish) -> Scores:
    """Fold a list in, unless that is done already, and score every anime.

    With `Order.SCORE` Hakken predicts with KNN with baseline, the reference; with the other orders
    with the sharper `predict_taste`. Where another engine predicts no scores, Hakken's are taken.
    """
    visitor = folded_in(model, fan)
    affinity = spread_affinity(model, visitor)
    taste = predict_taste(model, visitor, affinity)
    allowed = candidates(model, visitor, include_planned=wish.include_planned)
    if wish.allowed is not None:
        allowed &= wish.allowed
    match, predicted_score = PERCENT * affinity.value, taste.score
    personal = len(visitor.entry) > 0
    judged, predicts = None, False
    if wish.engine is not EngineName.HAKKEN and personal:
        judged = model.engines[wish.engine].judge(visitor.known)
        match = judged.match
        allowed &= judged.known
        if judged.predicted_score is not None:
            predicted_score, predicts = judged.predicted_score, True
    prediction, sort_key = None, match
    if wish.order is Order.DISCOVER:
        sort_key = by_discovery(model, match)
    elif wish.order is Order.SCORE and predicts:
        sort_key = behind(predicted_score, model.rating_count < MIN_RATINGS)
    elif wish.order is Order.SCORE:
        prediction = predict(model, visitor)
        predicted_score, sort_key = prediction.score, by_support(model, prediction)
        personal = len(prediction.neighbourhood.source) > 0
    return Scores(
        wish.order,
        wish.engine,
        visitor,
        affinity,
        taste,
        prediction,
        judged,
        match,
        np.clip(predicted_score, LOWEST, HIGHEST),
        sort_key,
        allowed,
        personal,
    )


def fold(model: Model, scores: Scores, wish: Wish) -> Folded:
    """One anime a franchise of what may be shown; of those given up only what is planned."""
    if wish.franchises is None:
        return Folded(scores.allowed, np.zeros(len(model), np.int64))
    visitor = scores.visitor
    given_up = wish.franchises.given_up(visitor.given_up, visitor.seen)
    given_up[visitor.planned] = False
    waiting = visitor.planned if not wish.include_planned else visitor.planned[:0]
    return fold_franchises(
        wish.franchises,
        model.entry_count,
        scores.allowed & ~given_up,
        visitor.seen,
        waiting,
        extras=wish.extras,
    )


def recommend(model: Model, fan: Listed | Visitor, wish: Wish | None = None) -> Answer:
    """Recommend anime for a list, or for who is folded in already."""
    wish = wish or Wish()
    scores = score_all(model, fan, wish)
    visitor, folded = scores.visitor, fold(model, scores, wish)
    chosen = top(scores.sort_key, folded.allowed, wish.top)
    because = scores.because(model, chosen, wish.reasons)
    explained = (scores.match if scores.prediction is None else scores.predicted_score)[chosen]
    errors = scores.errors(model, chosen)
    recommendations = tuple(
        Recommendation(
            anime_id=int(model.anime_id[target]),
            rank=at + 1,
            match=float(scores.match[target]),
            predicted_score=float(scores.predicted_score[target]),
            expected_error=float(errors[at]),
            because=because[at],
            rest=float(explained[at] - sum(reason.weight for reason in because[at])),
            more=int(folded.more[target]),
            few_fans=bool(model.entry_count[target] < FEW_LISTS),
        )
        for at, target in enumerate(chosen)
    )
    return Answer(
        model.version,
        wish.engine,
        wish.order,
        scores.explained,
        scores.personal,
        visitor,
        recommendations,
    )
