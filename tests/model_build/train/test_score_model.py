"""What sharpens predicted scores, against dense formulas and planted truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from app.recommender import Model, UserList
from app.recommender.affinity import score_affinity
from app.recommender.array_types import Float64Array
from app.recommender.fold_in import fold_in
from app.recommender.score_model import predict_scores
from model_build.data.grouping import GroupedRatings, group_ratings
from model_build.train import score_model as taste
from model_build.train.score_model import (
    STD_PRIOR_WEIGHT,
    GaussianFactorModel,
    _expectation_step,
    _leading_factors,
    fit_gaussian_factors,
    standardise_ratings,
    subsample_users,
)
from tests.model_build.worlds import random_frame, train_model


def planted(fans: int, anime: int, seed: int) -> tuple[GroupedRatings, Float64Array]:
    """Scores of fans whose taste has two factors; returns them and the true correlation."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(anime, 2))
    score = 7 + 0.7 * rng.normal(size=(fans, 2)) @ factor.T + 0.6 * rng.normal(size=(fans, anime))
    user, item = np.nonzero(rng.random(score.shape) < 0.6)
    grouped = group_ratings(
        user.astype(np.int32), item.astype(np.int32), score[user, item], fans, anime
    )
    covariance = factor @ factor.T
    spread = np.sqrt(covariance.diagonal())
    return grouped, covariance / spread[:, None] / spread


def correlation(gaussian: GaussianFactorModel) -> Float64Array:
    covariance = gaussian.factor.astype(np.float64) @ gaussian.factor.T
    spread = np.sqrt(covariance.diagonal())
    return np.asarray(covariance / spread[:, None] / spread)


def test_levels_and_spreads_are_those_of_a_visitor(tmp_path: Path) -> None:
    frame = random_frame(41, 60, 30, 0.5, unscored=0)
    model: Model = train_model(frame, tmp_path)
    taste = model.score_model
    for fan in frame["user_id"].unique().sort().to_list()[:20]:
        mine = frame.filter(frame["user_id"] == fan)
        listed = UserList.from_entries(
            [(a, r, 2) for a, r in zip(mine["anime_id"], mine["rating"], strict=True)]
        )
        visitor = fold_in(model, listed)
        within = visitor.score - model.global_mean - taste.item_bias[visitor.rated]
        level = within.sum() / (taste.reg_user + len(within))
        squares = ((within - level) ** 2).sum() + STD_PRIOR_WEIGHT * taste.score_std**2
        found = predict_scores(model, visitor, score_affinity(model, visitor))
        assert found.user_std == pytest.approx(np.sqrt(squares / (len(within) + STD_PRIOR_WEIGHT)))


def test_training_standardises_by_the_same_formula() -> None:
    grouped, _ = planted(50, 20, seed=1)
    standard = standardise_ratings(grouped)
    for fan in range(50):
        mine = slice(grouped.user_indptr[fan], grouped.user_indptr[fan + 1])
        bias = standard.item_bias[grouped.order[grouped.user_item[mine]]]
        deviation = grouped.user_rating[mine] - grouped.user_rating.mean() - bias
        level = deviation.sum() / (5 + len(deviation))
        squares = ((deviation - level) ** 2).sum() + STD_PRIOR_WEIGHT * standard.overall_std**2
        np.testing.assert_allclose(standard.residual[mine], deviation - level)
        np.testing.assert_allclose(standard.user_bias[fan], level)
        np.testing.assert_allclose(
            standard.user_std[fan], np.sqrt(squares / (len(deviation) + STD_PRIOR_WEIGHT))
        )


@pytest.mark.parametrize("threads", [1, 3])
def test_the_expectation_step_adds_up_every_fan(threads: int) -> None:
    rng = np.random.default_rng(2)
    fans, m, level_variance = 30, 12, 0.3
    value = rng.normal(size=(fans, m)).astype(np.float32)
    value[rng.random(value.shape) < 0.5] = 0
    root = rng.normal(size=(m, m)) / 4
    covariance = (root @ root.T).astype(np.float32)
    noise = rng.uniform(0.5, 1.0, m)
    pull, seen, noise_sum = _expectation_step(
        csr_array(value), covariance, noise, level_variance, threads
    )
    expected = np.zeros((m, m))
    expected_noise = np.zeros(m)
    for row in value:
        on = np.flatnonzero(row)
        if not len(on):
            continue
        kernel = covariance[np.ix_(on, on)] + level_variance + np.diag(noise[on])
        inverse = np.linalg.inv(kernel.astype(np.float64))
        a = inverse @ row[on]
        expected[np.ix_(on, on)] += np.outer(a, a) - inverse
        expected_noise[on] += noise[on] ** 2 * (a**2 - inverse.diagonal()) + noise[on]
    np.testing.assert_allclose(pull, expected, atol=2e-4)
    np.testing.assert_allclose(noise_sum, expected_noise, atol=2e-4)
    np.testing.assert_array_equal(seen, (value != 0).sum(axis=0))


def test_a_planted_taste_is_found() -> None:
    grouped, truth = planted(800, 25, seed=3)
    gaussian = fit_gaussian_factors(grouped, standardise_ratings(grouped), factors=2)
    assert gaussian.position.tolist() == list(range(25))
    off = ~np.eye(25, dtype=bool)
    agreement = np.corrcoef(correlation(gaussian)[off], truth[off])[0, 1]
    assert agreement > 0.95
    assert (gaussian.noise > 0).all()


def test_only_anime_with_ratings_enough_are_known_and_at_most_so_many() -> None:
    grouped, _ = planted(100, 25, seed=4)
    count = np.diff(grouped.item_indptr)[grouped.rank]
    gaussian = fit_gaussian_factors(
        grouped, standardise_ratings(grouped), min_ratings=60, factors=4
    )
    assert gaussian.position.tolist() == np.flatnonzero(count >= 60).tolist()
    few = fit_gaussian_factors(grouped, standardise_ratings(grouped), max_items=6, factors=4)
    assert set(few.position.tolist()) == set(grouped.order[:6].tolist())


def test_threads_do_not_change_the_gaussian() -> None:
    grouped, _ = planted(60, 15, seed=5)
    one, three = (
        fit_gaussian_factors(grouped, standardise_ratings(grouped), factors=3, threads=threads)
        for threads in (1, 3)
    )
    np.testing.assert_array_equal(one.factor, three.factor)
    np.testing.assert_array_equal(one.noise, three.noise)


@pytest.mark.parametrize("m", [20, 400])
def test_leading_factors_are_those_of_the_eigenvalues(m: int) -> None:
    rng = np.random.default_rng(6)
    root = rng.normal(size=(m, 30))
    covariance = (root @ root.T).astype(np.float32)
    value, vector = np.linalg.eigh(covariance.astype(np.float64))
    best = (vector[:, -10:] * value[-10:]) @ vector[:, -10:].T
    factor = _leading_factors(covariance, 10)
    np.testing.assert_allclose(factor @ factor.T, best, atol=1e-2 * value[-1] / m)


def test_no_fan_with_two_anime_is_no_error() -> None:
    user = np.arange(30, dtype=np.int32)
    grouped = group_ratings(user, user % 2, np.full(30, 7.0) + user % 3, 30, 2)
    gaussian = fit_gaussian_factors(grouped, standardise_ratings(grouped), min_ratings=1)
    assert (gaussian.noise > 0).all()


def test_early_steps_look_at_fans_from_everywhere() -> None:
    fans = csr_array(np.arange(1, 12, dtype=np.float32)[:, None])
    assert subsample_users(fans, 11) is fans
    assert subsample_users(fans, 4).toarray().ravel().tolist() == [1, 3, 6, 9]


def test_a_planted_taste_is_found_from_a_shorter_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    grouped, truth = planted(800, 25, seed=3)
    whole = fit_gaussian_factors(grouped, standardise_ratings(grouped), factors=2)
    monkeypatch.setattr(taste, "EARLY_STEP_USERS", 300)
    short = fit_gaussian_factors(grouped, standardise_ratings(grouped), factors=2)
    assert (short.factor != whole.factor).any()
    off = ~np.eye(25, dtype=bool)
    assert np.corrcoef(correlation(short)[off], truth[off])[0, 1] > 0.95
