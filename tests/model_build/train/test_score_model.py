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
from model_build.train.item_kernel import ItemKernel
from model_build.train.linear_algebra import leading_factors, leading_singular_vectors
from model_build.train.score_model import (
    MIN_GAUSSIAN_RATINGS,
    STD_PRIOR_WEIGHT,
    GaussianFactorModel,
    JointCovariance,
    _close_covariance,
    _expectation_step,
    fit_gaussian_factor_model,
    gaussian_item_count,
    standard_score_matrix,
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


def fit(
    grouped: GroupedRatings,
    *,
    min_ratings: int = MIN_GAUSSIAN_RATINGS,
    max_items: int = 1000,
    factors: int = 256,
    threads: int | None = None,
) -> GaussianFactorModel:
    """Fit to the scores of everyone, as training does to those of the users drawn."""
    m = gaussian_item_count(np.diff(grouped.item_indptr), min_ratings, max_items)
    everyone = np.arange(grouped.n_users)
    scores = standard_score_matrix(grouped, standardise_ratings(grouped), m, everyone)
    return fit_gaussian_factor_model(scores, grouped.order[:m], factors=factors, threads=threads)


def correlation(gaussian: GaussianFactorModel) -> Float64Array:
    covariance = gaussian.factor.astype(np.float64) @ gaussian.factor.T + gaussian.close
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
    gaussian = fit(grouped, factors=2)
    assert gaussian.position.tolist() == list(range(25))
    off = ~np.eye(25, dtype=bool)
    agreement = np.corrcoef(correlation(gaussian)[off], truth[off])[0, 1]
    assert agreement > 0.95
    assert (gaussian.noise > 0).all()


def test_only_anime_with_ratings_enough_are_known_and_at_most_so_many() -> None:
    grouped, _ = planted(100, 25, seed=4)
    count = np.diff(grouped.item_indptr)[grouped.rank]
    gaussian = fit(grouped, min_ratings=60, factors=4)
    assert gaussian.position.tolist() == np.flatnonzero(count >= 60).tolist()
    few = fit(grouped, max_items=6, factors=4)
    assert set(few.position.tolist()) == set(grouped.order[:6].tolist())


def test_threads_do_not_change_the_gaussian() -> None:
    grouped, _ = planted(60, 15, seed=5)
    one, three = (fit(grouped, factors=3, threads=threads) for threads in (1, 3))
    np.testing.assert_array_equal(one.factor, three.factor)
    np.testing.assert_array_equal(one.noise, three.noise)
    np.testing.assert_array_equal(one.close.toarray(), three.close.toarray())


@pytest.mark.parametrize("m", [20, 400])
def test_leading_factors_are_those_of_the_eigenvalues(m: int) -> None:
    rng = np.random.default_rng(6)
    root = rng.normal(size=(m, 30)) * 0.8 ** np.arange(30)
    covariance = (root @ root.T).astype(np.float32)
    value, vector = np.linalg.eigh(covariance.astype(np.float64))
    best = (vector[:, -10:] * value[-10:]) @ vector[:, -10:].T
    factor = leading_factors(lambda vectors: covariance @ vectors, m, 10)
    np.testing.assert_allclose(factor @ factor.T, best, atol=1e-2 * value[-1] / m)
    right = leading_singular_vectors(csr_array(root.T.astype(np.float32)), 10)
    np.testing.assert_allclose(right @ right.T, best, atol=1e-2 * value[-1] / m)


def test_what_factors_leave_out_stands_beside_them() -> None:
    """Noise and close covariances add up to what was fitted; any list can be solved for."""
    rng = np.random.default_rng(6)
    root = rng.normal(size=(30, 40)).astype(np.float32) / 6
    embedding = rng.normal(size=(50, 5)).astype(np.float32)
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    kernel = ItemKernel(embedding, 0.8, 2.0, np.full(50, 1.5, np.float32))
    whole = np.exp(2.0 * (embedding @ embedding.T - 1)) * 0.8
    whole[:30, :30] += root @ root.T
    joint = JointCovariance(root @ root.T, kernel)
    np.testing.assert_allclose(
        joint.multiply(np.eye(50, dtype=np.float32), threads=2), whole, atol=1e-5
    )
    factor = leading_factors(lambda vectors: joint.multiply(vectors, 1), 50, 8)
    noise, close = _close_covariance(joint, factor)
    left = whole - factor @ factor.T
    np.testing.assert_allclose(noise, 1.5 + left.diagonal(), atol=1e-4)
    np.testing.assert_array_equal(close.toarray(), close.T.toarray())
    kept = close.toarray() != 0
    np.testing.assert_allclose(close.toarray()[kept], left[kept], atol=1e-4)
    np.fill_diagonal(left, 0)
    for row in range(50):  # the ten largest of each at the least
        assert np.abs(left[row][~kept[row]]).max() <= np.sort(np.abs(left[row]))[-10] + 1e-4


def test_close_covariances_are_cut_down_until_any_list_can_be_solved_for() -> None:
    """Of twelve anime all the same, but for a thirteenth that they are all against."""
    sign = np.append(np.ones(12), -1.0).astype(np.float32)
    joint = JointCovariance(
        -2.0 * np.outer(sign, sign).astype(np.float32),
        ItemKernel(np.eye(13, dtype=np.float32), 1e-6, 1.0, np.full(13, 1.0, np.float32)),
    )
    noise, close = _close_covariance(joint, np.zeros((13, 1), np.float32))
    least = np.linalg.eigvalsh(close.toarray() + np.diag(noise))[0]
    assert least == pytest.approx(0.1, abs=1e-3)


def test_no_fan_with_two_anime_is_no_error() -> None:
    user = np.arange(30, dtype=np.int32)
    grouped = group_ratings(user, user % 2, np.full(30, 7.0) + user % 3, 30, 2)
    gaussian = fit(grouped, min_ratings=1)
    assert (gaussian.noise > 0).all()


def test_early_steps_look_at_fans_from_everywhere() -> None:
    fans = csr_array(np.arange(1, 12, dtype=np.float32)[:, None])
    assert subsample_users(fans, 11) is fans
    assert subsample_users(fans, 4).toarray().ravel().tolist() == [1, 3, 6, 9]


def test_a_planted_taste_is_found_from_a_shorter_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    grouped, truth = planted(800, 25, seed=3)
    whole = fit(grouped, factors=2)
    monkeypatch.setattr(taste, "EARLY_STEP_USERS", 300)
    short = fit(grouped, factors=2)
    assert (short.factor != whole.factor).any()
    off = ~np.eye(25, dtype=bool)
    assert np.corrcoef(correlation(short)[off], truth[off])[0, 1] > 0.95
