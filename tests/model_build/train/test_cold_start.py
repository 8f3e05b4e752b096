"""Anime without fans get what ridge regression, done by hand, says of their facts."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from app.recommender.array_types import Float64Array
from model_build.train import cold_start as fresh
from model_build.train.cold_start import (
    FEATURE_RIDGE,
    MIN_FEATURE_COUNT,
    ColdStartRegressor,
    encode_item_features,
    new_item_ids,
    predict_cold_affinity,
    predict_cold_biases,
    predict_cold_factors,
    predict_cold_inputs,
)
from model_build.train.score_model import BIAS_REGULARISATION, GaussianFactorModel

N, NEW = 120, 9


WEIGHT = np.random.default_rng(4).integers(1, 500, N - NEW)


@pytest.fixture
def world() -> tuple[Float64Array, ColdStartRegressor]:
    """Anime with five common facts and a rare one; the last ones are new."""
    rng = np.random.default_rng(3)
    matrix = (rng.random((N, 7)) < 0.5).astype(float)
    matrix[:, 0] = 1.0
    matrix[:, 6] = 0.0
    matrix[: MIN_FEATURE_COUNT - 1, 6] = 1.0
    matrix[-1, 6] = 1.0
    return matrix, ColdStartRegressor(matrix, np.arange(N - NEW), np.arange(N - NEW, N))


def by_hand(
    x: np.ndarray, y: np.ndarray, wanted: np.ndarray, weight: np.ndarray | None = None
) -> np.ndarray:
    """Ridge regression as least squares with further rows."""
    root = np.sqrt(np.ones(len(x)) if weight is None else weight)
    x, y = x * root[:, None], y * root
    rows = np.vstack([x, np.sqrt(FEATURE_RIDGE) * np.eye(x.shape[1])])
    target = np.concatenate([y, np.zeros(x.shape[1])])
    return np.asarray(wanted @ np.linalg.lstsq(rows, target, rcond=None)[0])


@pytest.mark.parametrize("weighted", [False, True])
def test_biases_and_their_error_are_those_of_leaving_each_out(
    world: tuple[Float64Array, ColdStartRegressor], weighted: bool
) -> None:
    facts, learned = world
    weight = WEIGHT / WEIGHT.mean() if weighted else np.ones(N - NEW)
    if weighted:
        learned = ColdStartRegressor(facts, learned.known, learned.cold, WEIGHT)
    values, count = np.random.default_rng(5).normal(size=N), np.arange(N)
    placed, error = predict_cold_biases(learned, values, count)
    x, y = facts[:-NEW, :6], values[:-NEW]
    np.testing.assert_array_equal(placed[:-NEW], y)
    predicted = by_hand(x, y, facts[-NEW:, :6], weight)
    # A bias b = sum / (REG + n), with the predicted one in place of 0 for the REG ratings.
    total = values[-NEW:] * (BIAS_REGULARISATION + count[-NEW:])
    expected = (total + BIAS_REGULARISATION * predicted) / (BIAS_REGULARISATION + count[-NEW:])
    np.testing.assert_allclose(placed[-NEW:], expected)
    left_out = [
        by_hand(np.delete(x, i, 0), np.delete(y, i), x[i : i + 1], np.delete(weight, i))[0] - y[i]
        for i in range(N - NEW)
    ]
    assert error == pytest.approx(np.average(np.square(left_out), weights=weight))


def test_affinity_columns(
    world: tuple[Float64Array, ColdStartRegressor], monkeypatch: pytest.MonkeyPatch
) -> None:
    facts, learned = world
    rng = np.random.default_rng(7)
    dense = np.where(rng.random((N, N)) < 0.3, rng.normal(size=(N, N)), 0.0)
    np.fill_diagonal(dense, 0.0)
    dense[-NEW:] = dense[:, -NEW:] = 0.0
    matrix = csr_array(dense.astype(np.float32))
    expected = dense.copy()
    for i in range(N - NEW, N):
        for j in range(N - NEW):
            x, y = facts[:-NEW, :6], dense[j, :-NEW]
            expected[j, i] = by_hand(x, y, facts[i, :6])
    monkeypatch.setattr(fresh, "BLOCK_ITEMS", 4)
    lists, whole = rng.integers(1, 1000, N), np.ones(NEW)
    placed = predict_cold_affinity(learned, matrix, whole, lists).toarray()
    np.testing.assert_allclose(placed, expected, atol=1e-6)
    share = rng.random(NEW)
    shared = predict_cold_affinity(learned, matrix, share, lists).toarray()
    np.testing.assert_allclose(shared[:, -NEW:], share * expected[:, -NEW:], atol=1e-6)
    few = predict_cold_affinity(learned, matrix, whole, lists, n_neighbours=10).toarray()
    np.testing.assert_array_equal(few[:, :-NEW], matrix.toarray()[:, :-NEW])
    for i in range(N - NEW, N):
        kept = np.flatnonzero(few[:, i])
        assert len(kept) == 10
        np.testing.assert_allclose(few[kept, i], expected[kept, i], atol=1e-6)
        lost = lists * expected[:, i] ** 2
        assert lost[kept].min() >= np.delete(lost, kept).max() * (1 - 1e-6)


def test_what_a_cold_item_speaks_for_is_predicted_as_what_speaks_for_it(
    world: tuple[Float64Array, ColdStartRegressor],
) -> None:
    facts, learned = world
    rng = np.random.default_rng(9)
    dense = np.where(rng.random((N, N)) < 0.3, rng.normal(size=(N, N)), 0.0)
    np.fill_diagonal(dense, 0.0)
    matrix, lists, share = csr_array(dense.astype(np.float32)), np.full(N, 9), rng.random(NEW)
    added = predict_cold_inputs(learned, matrix, share, lists, n_neighbours=N).toarray()
    for j in range(N - NEW, N):
        expected = [
            share[j - N + NEW] * by_hand(facts[:-NEW, :6], dense[:-NEW, i], facts[j, :6])
            for i in range(N - NEW)
        ]
        np.testing.assert_allclose(added[j, :-NEW], expected, atol=1e-6)
    assert not added[:-NEW].any()
    assert not predict_cold_inputs(learned, matrix, np.zeros(NEW), lists, n_neighbours=5).nnz


def test_what_is_known_gets_affinities_of_its_facts_but_none_to_itself(
    world: tuple[Float64Array, ColdStartRegressor],
) -> None:
    facts, learned = world
    rng = np.random.default_rng(8)
    dense = np.where(rng.random((N, N)) < 0.3, rng.normal(size=(N, N)), 0.0)
    np.fill_diagonal(dense, 0.0)
    matrix, at = csr_array(dense.astype(np.float32)), learned.known[[2, 5]]
    of_two = ColdStartRegressor(facts, learned.known, at)
    placed = predict_cold_affinity(of_two, matrix, np.array([0.5, 0.0]), np.full(N, 9)).toarray()
    added = placed - matrix.toarray()
    expected = [
        0.5 * by_hand(facts[:-NEW, :6], dense[j, :-NEW], facts[at[0], :6]) for j in range(N)
    ]
    expected[at[0]] = 0.0
    np.testing.assert_allclose(added[:-NEW, at[0]], expected[:-NEW], atol=1e-6)
    added[:, at[0]] = 0.0
    assert not added.any()


def test_the_gaussian_gets_them_with_wider_noise(
    world: tuple[Float64Array, ColdStartRegressor],
) -> None:
    facts, learned = world
    rng = np.random.default_rng(9)
    position = np.arange(0, N - NEW, 2, dtype=np.int32)
    learned = ColdStartRegressor(facts, position.astype(np.int64), learned.cold)
    close = np.diag(rng.normal(size=len(position) - 1), 1).astype(np.float32)
    gaussian = GaussianFactorModel(
        position,
        rng.normal(size=(len(position), 3)).astype(np.float32),
        rng.uniform(0.2, 0.6, len(position)).astype(np.float32),
        csr_array(close + close.T),
        0.4,
    )
    placed = predict_cold_factors(learned, gaussian, 0.25)
    assert (np.diff(placed.position) > 0).all()
    new = np.isin(placed.position, learned.cold)
    np.testing.assert_array_equal(placed.factor[~new], gaussian.factor)
    np.testing.assert_array_equal(placed.noise[~new], gaussian.noise)
    np.testing.assert_array_equal(placed.close[~new][:, ~new].toarray(), close + close.T)
    assert placed.close.nnz == gaussian.close.nnz
    # Facts that hardly any of these anime have are not learned from.
    common = facts[position].sum(axis=0) >= MIN_FEATURE_COUNT
    x = facts[:, common]
    factor = [by_hand(x[position], gaussian.factor[:, f].astype(float), x[-NEW:]) for f in range(3)]
    np.testing.assert_allclose(placed.factor[new], np.array(factor).T, atol=1e-5)
    assert (placed.noise[new] > gaussian.noise.mean() + 0.25).all()
    assert placed.user_bias_variance == gaussian.user_bias_variance


def test_facts_are_told_apart() -> None:
    catalogue = pl.DataFrame(
        {
            "anime_id": [3, 1, 2],
            "type": ["TV", "tv", None],
            "genres": ["Drama;Comedy", "Comedy", ""],
            "year": [2021, 2024, None],
            "episodes": [12, 8, 0],
            "tags": ["Mecha;War", "Mecha", None],
        }
    )
    facts = encode_item_features(catalogue, np.array([1, 2, 3, 4], np.int32))
    one, two, three, four = facts.astype(int).tolist()
    assert (sum(one), sum(two), sum(four)) == (6, 1, 1)
    # The third also has a genre and a tag that the first has not; the rest is the same.
    assert sum(a != b for a, b in zip(one, three, strict=True)) == 2


def test_what_is_new() -> None:
    catalogue = pl.DataFrame(
        {
            "anime_id": [5, 4, 3, 2, 1],
            "type": ["TV", None, "TV", "TV", "TV"],
            "genres": ["Drama", "Drama", None, "Drama", "Drama"],
            "year": [2026, 2026, 2026, 2021, 2020],
        }
    )
    assert new_item_ids(catalogue, 2021).to_list() == [2, 5]
    assert new_item_ids(catalogue, 2020).to_list() == [1, 2, 5]
    assert new_item_ids(catalogue.drop("genres"), 2020).to_list() == []
    assert new_item_ids(
        catalogue.with_columns(pl.lit(None, pl.Int32).alias("year")), 2020
    ).is_empty()
