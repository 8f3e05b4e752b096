"""Scores and interactions foretold: measures by hand and by going through all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.recommender import UserList
from app.recommender.array_types import Float64Array
from model_build.data.holdout import HoldoutUser
from model_build.evaluate.metrics import mean_log_loss, roc_auc
from model_build.evaluate.ranking import RankedItems
from model_build.evaluate.rating_prediction import (
    PredictionMetrics,
    base_rate_metrics,
    evaluate_predictions,
)


def held(score: list[float], status: list[int]) -> HoldoutUser:
    """A user with an empty list, of whom the anime 0, 1, ... are hidden."""
    ids, codes = np.arange(len(score)), np.array(status, np.int8)
    return HoldoutUser(UserList.from_entries([]), ids, np.array(score), hidden_status=codes)


def measured(
    score: list[float], fan: HoldoutUser, chance: Float64Array | None = None
) -> PredictionMetrics:
    everything, predicted = np.ones(len(score), bool), np.array(score)
    found = RankedItems(predicted, everything, predicted.take, like_probability=chance)
    return evaluate_predictions(lambda _: found, [fan], np.arange(len(score), dtype=np.int32))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=30))
def test_auc_is_the_share_of_pairs_in_order(rows: list[tuple[int, bool]]) -> None:
    order = np.array([row[0] for row in rows], np.float64)
    truth = np.array([row[1] for row in rows])
    wins = [
        1.0 if mine > theirs else 0.5 if mine == theirs else 0.0
        for mine in order[truth]
        for theirs in order[~truth]
    ]
    expected = np.mean(wins) if wins else np.nan
    assert roc_auc(order, truth) == pytest.approx(expected, nan_ok=True)


def test_by_hand() -> None:
    # Liked, not liked, not liked (dropped), untold (watching), untold (no score).
    fan = held([8, 4, 0, 9, 0], [2, 0, 4, 1, 2])
    told = measured([12.0, 5.0, 7.0, 9.0, 1.0], fan)
    assert (told.pairs, told.labels) == (3, 3)
    assert told.mse == pytest.approx((2**2 + 1 + 0) / 3)
    assert told.rmse == pytest.approx(told.mse**0.5)
    assert (told.accuracy, told.precision, told.recall) == pytest.approx((2 / 3, 1 / 2, 1))
    assert told.auc == 1
    assert np.isnan(told.log_loss)


def test_chances_decide_where_there_are_some() -> None:
    fan = held([8, 4, 9], [2, 2, 2])
    chance = np.array([0.9, 0.2, 0.4])
    told = measured([7.0] * 3, fan, chance)
    assert told.log_loss == pytest.approx(-np.log([0.9, 0.8, 0.4]).mean())
    assert (told.accuracy, told.precision, told.recall) == pytest.approx((2 / 3, 1, 1 / 2))
    base = base_rate_metrics([fan])
    assert (base.accuracy, base.precision, base.recall) == pytest.approx((2 / 3, 2 / 3, 1))
    assert base.log_loss == pytest.approx(-(2 * np.log(2 / 3) + np.log(1 / 3)) / 3)
    assert mean_log_loss(np.array([0.0]), np.array([True])) < 14


def test_nothing_to_measure_is_not_a_number() -> None:
    told = measured([7.0], held([0], [1]))
    assert np.isnan([told.mse, told.rmse, told.accuracy, told.precision, told.auc]).all()
