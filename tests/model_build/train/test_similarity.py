"""The similarity kernel against a plain computation of its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array

from app.recommender.array_types import Float64Array
from model_build.data.grouping import GroupedRatings, group_ratings
from model_build.train import similarity
from model_build.train.model_arrays import MatrixPrecision, encode_item_matrix
from model_build.train.similarity import pearson_baseline_similarity

# Residuals in quarters: many equal similarities, zero variances, and sums without rounding.
quarters = st.one_of(
    st.just(np.nan), st.integers(-6, 6).map(lambda q: q / 4), st.just(np.nan), st.just(1.0)
)
residual_matrices = st.tuples(st.integers(1, 9), st.integers(2, 9)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=quarters)
)


def grouped(residuals: Float64Array) -> tuple[GroupedRatings, Float64Array]:
    """A matrix fans x anime of residuals (NaN: not rated) as the kernel takes it."""
    user, item = np.nonzero(~np.isnan(residuals))
    ratings = group_ratings(
        user.astype(np.int32), item.astype(np.int32), 5 + residuals[user, item], *residuals.shape
    )
    return ratings, ratings.user_rating - 5


def by_definition(residuals: Float64Array, shrinkage: float, min_support: int) -> Float64Array:
    """Shrunk Pearson similarity of all pairs, one pair at a time; 0 where it is not positive."""
    n = residuals.shape[1]
    result = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            both = ~np.isnan(residuals[:, i]) & ~np.isnan(residuals[:, j])
            left, right = residuals[both, i], residuals[both, j]
            size = float(np.sqrt((left @ left) * (right @ right)))
            if i != j and both.sum() >= max(2, min_support) and size > 0:
                shrunk = (both.sum() - 1) / (both.sum() - 1 + shrinkage)
                result[i, j] = max(0.0, float(left @ right) / size * shrunk)
    return result


def rows(matrix: csr_array) -> list[dict[int, float]]:
    return [
        dict(zip(matrix.indices[a:b].tolist(), matrix.data[a:b].tolist(), strict=True))
        for a, b in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True)
    ]


def assert_identical(left: csr_array, right: csr_array) -> None:
    for matrix in (left, right):
        matrix.sort_indices()
    np.testing.assert_array_equal(left.indptr, right.indptr)
    np.testing.assert_array_equal(left.indices, right.indices)
    np.testing.assert_array_equal(left.data.view(np.uint32), right.data.view(np.uint32))


@given(residual_matrices, st.sampled_from([0.0, 1.0, 100.0]), st.integers(1, 4))
@settings(max_examples=150, deadline=None)
def test_similarities_are_what_the_definition_says(
    residuals: Float64Array, shrinkage: float, min_support: int
) -> None:
    ratings, residual = grouped(residuals)
    found = pearson_baseline_similarity(
        ratings,
        residual,
        shrinkage=shrinkage,
        min_support=min_support,
        neighbours=residuals.shape[1],
        threads=1,
    )
    expected = by_definition(residuals, shrinkage, min_support)
    np.testing.assert_allclose(found.toarray(), expected, rtol=0, atol=1e-6)
    assert (found.data > 0).all()


@given(residual_matrices, st.integers(1, 6), st.sampled_from([1, 3, 256]))
@example(np.ones((4, 6)), 2, 256)  # all equally similar, all equally often rated
@settings(max_examples=150, deadline=None)
def test_a_cut_keeps_the_most_similar_and_of_equals_the_most_rated(
    residuals: Float64Array, neighbours: int, block_rows: int
) -> None:
    ratings, residual = grouped(residuals)
    n = residuals.shape[1]
    full = pearson_baseline_similarity(ratings, residual, shrinkage=2, neighbours=n, threads=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(similarity, "BLOCK_ROWS", block_rows)
        cut = pearson_baseline_similarity(
            ratings, residual, shrinkage=2, neighbours=neighbours, threads=1
        )
    count = (~np.isnan(residuals)).sum(axis=0)
    for row, kept in zip(rows(full), rows(cut), strict=True):
        best = sorted(row, key=lambda j: (-row[j], -count[j], j))[:neighbours]
        assert kept == {j: row[j] for j in best}


@pytest.fixture(scope="module")
def sizeable() -> tuple[GroupedRatings, Float64Array]:
    """700 anime (three blocks), most of them rarely rated, with scores on a coarse grid."""
    rng = np.random.default_rng(0)
    chance = np.minimum(1, 8 / np.arange(1, 701))
    residuals = np.where(
        rng.random((400, 700)) < chance, rng.integers(-2, 3, (400, 700)) / 2, np.nan
    )
    return grouped(residuals)


@pytest.mark.parametrize("neighbours", [7, 60, 700])
def test_the_result_does_not_depend_on_threads(
    sizeable: tuple[GroupedRatings, Float64Array], neighbours: int
) -> None:
    one, two, five = (
        pearson_baseline_similarity(*sizeable, neighbours=neighbours, threads=threads)
        for threads in (1, 2, 5)
    )
    assert one.nnz > 1000
    assert_identical(one, two)
    assert_identical(one, five)


@pytest.mark.parametrize("block_rows", [3, 100, 699, 700, 701])
def test_the_result_does_not_depend_on_the_size_of_a_block(
    sizeable: tuple[GroupedRatings, Float64Array], monkeypatch: pytest.MonkeyPatch, block_rows: int
) -> None:
    usual = pearson_baseline_similarity(*sizeable, neighbours=25, threads=2)
    monkeypatch.setattr(similarity, "BLOCK_ROWS", block_rows)
    assert_identical(usual, pearson_baseline_similarity(*sizeable, neighbours=25, threads=2))


def test_anime_without_a_score_and_fans_without_one_are_left_alone() -> None:
    residuals = np.full((5, 4), np.nan)
    residuals[:3, 0] = residuals[:3, 2] = [1, -1, 0.5]
    found = pearson_baseline_similarity(*grouped(residuals), shrinkage=0, neighbours=4, threads=3)
    assert rows(found) == [{2: 1.0}, {}, {0: 1.0}, {}]


def test_a_single_anime_has_no_neighbours() -> None:
    found = pearson_baseline_similarity(*grouped(np.array([[1.0], [0.5]])), threads=2)
    assert found.shape == (1, 1)
    assert found.nnz == 0


def test_fewer_common_fans_than_asked_for_make_no_similarity() -> None:
    residuals = np.array([[1, 1, 1], [2, 2, 2], [1, 1, np.nan], [3, 3, np.nan]], float)
    found = pearson_baseline_similarity(
        *grouped(residuals), shrinkage=1, min_support=3, neighbours=3
    )
    assert rows(found) == [{1: pytest.approx(3 / 4)}, {0: pytest.approx(3 / 4)}, {}]


@given(residual_matrices)
@settings(max_examples=60, deadline=None)
def test_grouping_keeps_every_rating_both_ways(residuals: Float64Array) -> None:
    ratings, residual = grouped(residuals)
    counts = (~np.isnan(residuals)).sum(axis=0)
    assert (np.diff(counts[ratings.order]) <= 0).all()
    np.testing.assert_array_equal(ratings.order[ratings.rank], np.arange(ratings.n_items))
    by_user, by_item = np.full((2, *residuals.shape), np.nan)
    for user in range(ratings.n_users):
        span = slice(ratings.user_indptr[user], ratings.user_indptr[user + 1])
        assert (np.diff(ratings.user_item[span]) > 0).all()
        by_user[user, ratings.order[ratings.user_item[span]]] = residual[span]
    for item in range(ratings.n_items):
        span = slice(ratings.item_indptr[item], ratings.item_indptr[item + 1])
        position = ratings.item_position[span]
        by_item[ratings.item_user[span], ratings.order[item]] = residual[position]
    np.testing.assert_array_equal(by_user, residuals)
    np.testing.assert_array_equal(by_item, residuals)


@pytest.mark.parametrize("precision", ["exact", "compact"])
@pytest.mark.parametrize("sign", [1, -1])
def test_what_rounds_to_nothing_is_not_stored(precision: MatrixPrecision, sign: int) -> None:
    dense = np.array([[0, 1, 1e-50], [0, sign * 0.25, 0.5], [1e-50, 0, sign * 1e-50]])
    by_source = csr_array(dense.T)
    arrays_of, scale = encode_item_matrix("m", by_source, precision)
    assert by_source.nnz == 6, "what was given is left as it is"
    assert arrays_of["m_indptr"].tolist() == [0, 0, 2, 3]
    assert arrays_of["m_indices"].tolist() == [0, 1, 1]
    stored = arrays_of["m_data"] * scale
    np.testing.assert_allclose(stored, [1, sign * 0.25, 0.5], atol=scale / 2)
