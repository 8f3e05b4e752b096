"""One recommendation worked through: every number that it is made of, as the model computes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.lists.entry import FanList
from app.recommender import Order, Wish
from app.recommender.affinity import contributions
from app.recommender.recommend import HIGHEST, LOWEST, PERCENT, Scores, score_all
from app.recommender.taste import AFFINITY_OFFSET, AFFINITY_SHARE
from app.web.answering import answer, to_listed
from app.web.options import Options
from app.web.state import Library


@dataclass(frozen=True, slots=True)
class Term:
    """A number that is added, and what it stands for."""

    label: str
    value: float


@dataclass(frozen=True, slots=True)
class Voice:
    """A title on the list: ``interest`` times ``weight`` percent is what it ``adds`` to the match.

    ``score`` is None where the fan gave none.
    """

    anime_id: int
    title: str
    score: float | None
    interest: float
    weight: float
    adds: float


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A title that others score alike: ``residual`` is ``score`` minus ``baseline``, what the fan
    was expected to give it; ``similarity`` times that is the ``product``. What was dropped without
    a score has a residual, but neither score nor baseline."""

    anime_id: int
    title: str
    score: float | None
    baseline: float | None
    residual: float
    similarity: float
    product: float


@dataclass(frozen=True, slots=True)
class Classic:
    """KNN with baseline: the ``baseline`` is the sum of its terms; with the sum of products over
    the sum of similarities (``correction``) it is the ``score``."""

    baseline_terms: tuple[Term, ...]
    baseline: float
    neighbours: tuple[Neighbour, ...]
    products: float
    similarities: float
    correction: float
    score: float


@dataclass(frozen=True, slots=True)
class Worked:
    """A recommendation: the match is what all ``voices`` add and ``general``, the score the sum of
    its terms. ``silent`` titles say nothing. ``classic`` is None where none was scored alike."""

    anime_id: int
    title: str
    voices: tuple[Voice, ...]
    silent: int
    general: float
    match: float
    score_terms: tuple[Term, ...]
    score: float
    classic: Classic | None


def worked(held: Library, fan_list: FanList) -> Worked | None:
    """The best match of a list, among new series, with all its numbers; None if there is none."""
    listed = to_listed(fan_list)
    # Of a series that is on the list already, little more could be said than just that.
    found = answer(held, listed, Options(new_series=True))
    if not found.personal or not found.recommendations:
        return None
    best = max(found.recommendations, key=lambda item: item.match)
    at = int(held.model.anime_id.searchsorted(best.anime_id))
    scores = score_all(held.model, listed, Wish(order=Order.SCORE))
    voices = _voices(held, scores, at)
    return Worked(
        anime_id=best.anime_id,
        title=held.catalogue.title(best.anime_id),
        voices=voices,
        silent=len(scores.affinity.entry) - len(voices),
        general=PERCENT * float(scores.affinity.general[at]),
        match=best.match,
        score_terms=_score_terms(held, scores, at),
        score=best.predicted_score,
        classic=_classic(held, scores, at),
    )


def _voices(held: Library, scores: Scores, at: int) -> tuple[Voice, ...]:
    """The titles of the list that say anything, those that add most first."""
    affinity, visitor = scores.affinity, scores.visitor
    added = PERCENT * contributions(held.model, affinity, np.array([at]))[0]
    given = dict(zip(visitor.rated.tolist(), visitor.score.tolist(), strict=True))
    order = np.lexsort((affinity.entry, -added))
    return tuple(
        Voice(
            anime_id=int(held.model.anime_id[affinity.entry[n]]),
            title=held.catalogue.title(int(held.model.anime_id[affinity.entry[n]])),
            score=given.get(int(affinity.entry[n])),
            interest=float(affinity.interest[n]),
            weight=float(added[n] / affinity.interest[n]),
            adds=float(added[n]),
        )
        for n in order
        if added[n]
    )


def _score_terms(held: Library, scores: Scores, at: int) -> tuple[Term, ...]:
    """The formula of `app.recommender.taste`, term by term."""
    taste = scores.taste
    pick = AFFINITY_SHARE * float(scores.affinity.value[at]) + AFFINITY_OFFSET
    terms = (
        Term("The average of all scores", held.model.mean),
        Term("How much better than average fans find this anime", _bias(held, at)),
        Term("How much higher than others this fan scores", taste.level),
        Term("How this fan scored anime that others score alike", float(taste.nearest[at])),
        Term("What all scores on the list say together", float(taste.joint[at])),
        Term("Anime that the fan would pick are scored higher", pick),
    )
    raw = float(taste.score[at])
    kept = min(HIGHEST, max(LOWEST, raw))
    return terms if kept == raw else (*terms, Term("Kept within 1 and 10", kept - raw))


def _bias(held: Library, at: int) -> float:
    return float(held.model.taste.item_bias[at])


def _classic(held: Library, scores: Scores, at: int) -> Classic | None:
    """The formula of `app.recommender.predict` for one anime."""
    model, visitor, prediction = held.model, scores.visitor, scores.prediction
    if prediction is None or not prediction.neighbourhood.used[at]:
        return None
    near = prediction.neighbourhood
    used = slice(near.begin[at], near.begin[at] + near.used[at])
    given = dict(zip(visitor.rated.tolist(), visitor.score.tolist(), strict=True))
    rows = [
        (int(near.source[n]), float(near.residual[n]), float(similarity))
        for n, similarity in zip(near.which[used], near.weight[used], strict=True)
    ]
    neighbours = tuple(
        Neighbour(
            anime_id=int(model.anime_id[source]),
            title=held.catalogue.title(int(model.anime_id[source])),
            score=given.get(source),
            baseline=given[source] - residual if source in given else None,
            residual=residual,
            similarity=similarity,
            product=similarity * residual,
        )
        for source, residual, similarity in sorted(rows, key=lambda row: (-row[2], row[0]))
    )
    baseline = float(prediction.baseline[at])
    score = float(prediction.score[at])
    return Classic(
        baseline_terms=(
            Term("The average of all scores", model.mean),
            Term("How much higher than others this fan scores", visitor.user_bias),
            Term("How much better than average fans find this anime", float(model.item_bias[at])),
        ),
        baseline=baseline,
        neighbours=neighbours,
        products=sum(each.product for each in neighbours),
        similarities=float(prediction.total_similarity[at]),
        correction=score - baseline,
        score=score,
    )
