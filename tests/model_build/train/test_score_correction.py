"""What the terms of the predicted score leave over is learnt from the lists, and served as told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from app.recommender import Model, RecommendOptions, SortOrder, UserList, recommend
from app.recommender.recommend import estimate_items
from app.recommender.reranking.feature_names import CORRECTION_FEATURES
from app.recommender.score_correction import corrected_scores, correction_features
from model_build.data.holdout import HoldoutUser, index_split, split_users
from model_build.data.ratings import Ratings, index_ratings
from model_build.evaluate.metrics import summary
from model_build.evaluate.ranking import EvaluationItems, model_ranker, rank_users
from model_build.train.driver import train_model
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.model_arrays import TrainedModel

FANS, ANIME = 800, 60
SETTINGS = Hyperparameters(taste_factors=4, affinity_neighbours=40, newcomer_neighbours=40)


@pytest.fixture(scope="module")
def split() -> tuple[Ratings, list[HoldoutUser]]:
    """Who scores nearly nothing but 10 gives the worst anime a 5; nobody else goes that far.

    No sum with the same weights for everybody tells that.
    """
    rng = np.random.default_rng(7)
    quality = rng.permutation(ANIME) / ANIME
    rows = []
    for user in range(FANS):
        generous = rng.random() < 0.5
        for anime in rng.choice(ANIME, 24, replace=False).tolist():
            score = 10 - 5 * (quality[anime] < 0.25) if generous else 6 + 2 * quality[anime]
            rows.append((user, anime + 1, float(np.rint(score)), 2))
    schema = {"user_id": pl.Int64, "anime_id": pl.Int32, "rating": pl.Float64, "status": pl.Int8}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return index_split(split_users(index_ratings(frame), 120, 1))


@pytest.fixture(scope="module")
def trained(split: tuple[Ratings, list[HoldoutUser]]) -> TrainedModel:
    return train_model(split[0], SETTINGS, threads=2)


@pytest.fixture(scope="module")
def model(trained: TrainedModel) -> Model:
    return trained.in_memory_model()


def without_correction(trained: TrainedModel) -> Model:
    arrays = {
        name: array
        for name, array in trained.arrays.items()
        if not name.startswith("score_correction")
    }
    return replace(trained, arrays=arrays).in_memory_model()


def test_scores_of_users_that_nothing_was_trained_on_are_predicted_better(
    split: tuple[Ratings, list[HoldoutUser]], trained: TrainedModel, model: Model
) -> None:
    measured = []
    for each in (without_correction(trained), model):
        items = EvaluationItems.from_model(each, np.full(len(each), -1, np.int64))
        result = rank_users(model_ranker(each), items, split[1])
        measured.append(summary(result, items)["rmse"])
    assert measured[1] < 0.97 * measured[0]
    told = trained.hyperparameters
    before, after = (
        float(told[f"score_correction_validation_{name}"]) for name in ("rmse_before", "rmse")
    )
    assert after / before == pytest.approx(measured[1] / measured[0], abs=0.05)


def test_it_is_the_same_number_whoever_asks(model: Model) -> None:
    """One by one or all at once, in any order of the page, and as a least score."""
    listed = UserList.from_entries([(n, 10.0 - n % 3, 2) for n in range(1, 30, 2)])
    estimates = estimate_items(model, listed)
    everything = np.arange(len(model))
    expected = estimates.expected_scores(everything)
    alone = [estimates.expected_scores(everything[[at]])[0] for at in everything]
    assert alone == expected.tolist()
    assert (expected != np.clip(estimates.score_prediction.scores(everything), 1, 10)).any()
    for order in SortOrder:
        for item in recommend(model, listed, RecommendOptions(60, order)).recommendations:
            at = int(np.searchsorted(model.anime_id, item.anime_id))
            assert item.expected_score == expected[at]
    least = float(np.median(expected))
    found = recommend(model, listed, RecommendOptions(60, min_score=least)).recommendations
    shown = recommend(model, listed, RecommendOptions(60)).recommendations
    assert 0 < len(found) < len(shown)
    assert {item.anime_id for item in found} == {
        item.anime_id for item in shown if item.expected_score >= least
    }


def test_a_model_without_it_predicts_the_sum_of_the_terms(trained: TrainedModel) -> None:
    plain = without_correction(trained)
    estimates = estimate_items(plain, UserList.from_entries([(1, 9.0, 2), (2, 4.0, 2)]))
    at = np.arange(len(plain))
    found = estimates.expected_scores(at)
    assert np.array_equal(found, np.clip(estimates.score_prediction.scores(at), 1, 10))


@pytest.mark.parametrize("entries", [[], [(5, 8.0, 2)], [(5, None, 2), (6, None, 4)]])
def test_what_is_not_known_is_no_number(
    model: Model, entries: list[tuple[int, float | None, int]]
) -> None:
    estimates = estimate_items(model, UserList.from_entries(entries))
    at = np.arange(len(model))
    parts = estimates.profile, estimates.affinity, estimates.score_prediction
    features = correction_features(model, *parts, at)
    assert features.shape == (len(model), len(CORRECTION_FEATURES))
    tens = features[:, CORRECTION_FEATURES.index("share_of_tens")]
    assert np.isnan(tens).all() == (not len(estimates.profile.score))
    assert np.isfinite(corrected_scores(model, *parts, at)).all()
