"""Whether a model that opens can also answer: tried once, before anybody relies on it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle

import numpy as np

from app.recommender.array_types import Float64Array
from app.recommender.artifact import ArtifactError
from app.recommender.engines import EngineName
from app.recommender.fold_in import fold_in
from app.recommender.model import Model
from app.recommender.rank import SortOrder
from app.recommender.recommend import (
    ItemEstimates,
    RecommendedItem,
    RecommendOptions,
    estimate_items,
    recommend_scored,
    score_items,
)
from app.recommender.user_list import UserList
from app.recommender.user_neighbours import find_user_neighbours
from app.recommender.watch_status import WatchStatus

TRIAL_SCORES = (9.0, 6.0, 10.0, None, 7.0, 3.0, 8.0)
SHORT_LENGTHS, TRIAL_LENGTH = (1, 5), 40
MAX_MATCH = 1e6
"""Percent; far more than any model gives."""


def trial_list(model: Model, length: int = TRIAL_LENGTH) -> UserList:
    """Return a made-up list of the best known anime of a model."""
    ids = model.anime_id[model.popularity_order[:length]].tolist()
    scores = zip(ids, cycle(TRIAL_SCORES), strict=False)
    return UserList.from_entries([(each, score, WatchStatus.COMPLETED) for each, score in scores])


def try_model(model: Model) -> None:
    """Recommend for short and long lists, in every order and by every engine; find users alike.

    Raises
    ------
    ArtifactError
        It fails, or what comes out are no numbers that anybody could be shown.
    """
    try:
        with np.errstate(all="ignore"):  # it is judged by what comes out
            for length in SHORT_LENGTHS:
                _try_options(model, _try_estimates(model, length), RecommendOptions())
            estimates = _try_estimates(model, TRIAL_LENGTH)
            for engine in model.training_users:
                find_user_neighbours(model, engine, estimates.profile)
            for options in _all_options(model):
                _try_options(model, estimates, options)
    except ArtifactError:
        raise
    except Exception as error:
        raise ArtifactError(
            f"model {model.version}: opens, but cannot answer ({type(error).__name__}: {error})."
        ) from error


def _all_options(model: Model) -> Iterator[RecommendOptions]:
    for order in SortOrder:
        yield RecommendOptions(sort_order=order)
    for engine in model.engines:
        yield RecommendOptions(engine=EngineName(engine))


def _try_estimates(model: Model, length: int) -> ItemEstimates:
    """Estimate every anime for a list of this length, which no option changes."""
    estimates = estimate_items(model, fold_in(model, trial_list(model, length)))
    _check(model, RecommendOptions(), estimates.expected_scores(np.arange(len(model))))
    return estimates


def _try_options(model: Model, estimates: ItemEstimates, options: RecommendOptions) -> None:
    scores = score_items(model, estimates, options)
    numbers = [scores.match, scores.ranked_match]
    engine = scores.engine_scores
    by_engine = engine is not None and engine.predicted_score is not None
    if scores.knn_prediction is not None or by_engine:  # else those of the estimates
        numbers.append(scores.predicted_scores(model, np.arange(len(model))))
    found = recommend_scored(model, scores, options)
    shown = [number for item in found.recommendations for number in _numbers(item)]
    _check(model, options, *numbers, np.array(shown))


def _check(model: Model, options: RecommendOptions, *numbers: Float64Array) -> None:
    for each in numbers:
        if not np.isfinite(each).all() or np.abs(each).max(initial=0) > MAX_MATCH:
            raise ArtifactError(
                f"model {model.version}: opens, but answers with numbers that are none "
                f"(order {options.sort_order.value}, engine {options.engine.value})."
            )


def _numbers(item: RecommendedItem) -> Iterator[float]:
    yield from (item.match, item.moved_by, item.match_percentile or 0.0)
    yield from (item.predicted_score, item.expected_score, item.expected_error, item.residual)
    yield from (each.weight for each in item.contributions)
