"""Similarities stored once a pair in 16 bits: the nearest are those of the full matrix."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.recommender.array_types import Float64Array
from app.recommender.arrays import ItemMatrix
from app.recommender.fold_in import fold_in
from app.recommender.knn_baseline import predict_knn
from app.recommender.pair_matrix import PairMatrix, count_bits, select_largest
from model_build.train.similarity_pairs import (
    SimilarityPairs,
    encode_pairs,
    order_preserving_codes,
    value_codes,
)
from tests.model_build.worlds import dense_similarity, list_of, random_frame, train_model


def random_pairs(rng: np.random.Generator, n: int, n_rows: int, distinct: int) -> SimilarityPairs:
    """Items numbered at random; of all pairs with a row about half, with few different values."""
    high, low = np.tril_indices(n, -1)
    kept = (low < n_rows) & (rng.random(len(low)) < 0.5)
    value = rng.choice(rng.random(distinct).astype(np.float32) ** 4 + np.float32(1e-9), kept.sum())
    return SimilarityPairs(
        rng.permutation(n),
        n_rows,
        low[kept].astype(np.int32),
        high[kept].astype(np.int32),
        value.astype(np.float32),
    )


def dense_of(pairs: SimilarityPairs) -> Float64Array:
    n = len(pairs.order)
    dense = np.zeros((n, n))
    first, second = pairs.order[pairs.low], pairs.order[pairs.high]
    dense[first, second] = dense[second, first] = pairs.value
    return dense


def matrix_of(pairs: SimilarityPairs, n_items: int) -> PairMatrix:
    arrays = encode_pairs("m", pairs)
    parts = (arrays[f"m_{part}"] for part in ("order", "bits", "code", "value"))
    return PairMatrix.from_parts(*parts, n_items)  # type: ignore[arg-type]


@given(st.integers(0, 2**32), st.integers(2, 150), st.sampled_from([2, 40, 100_000]), st.data())
@settings(max_examples=60, deadline=None)
def test_the_nearest_of_a_list_are_those_of_the_full_matrix(
    seed: int, n: int, distinct: int, data: st.DataObject
) -> None:
    """Also of equals, by sorting: the largest first, of equal ones the earlier entry."""
    rng = np.random.default_rng(seed)
    pairs = random_pairs(rng, n, data.draw(st.integers(1, n)), distinct)
    dense, spare = dense_of(pairs), 3  # items that are in no pair
    k = data.draw(st.integers(1, n))
    rows = np.sort(rng.choice(n + spare, data.draw(st.integers(1, n + spare)), replace=False))
    indptr, entry_index, weight = matrix_of(pairs, n + spare).gather_rows(rows, k)
    assert (np.diff(indptr)[n:] == 0).all()
    for item in range(n):
        met = [(-dense[row, item], w) for w, row in enumerate(rows) if row < n and dense[row, item]]
        nearest = sorted(met)[:k]
        found = slice(indptr[item], indptr[item + 1])
        assert sorted(entry_index[found].tolist()) == sorted(w for _, w in nearest)
        expected = [dense[rows[w], item] for w in entry_index[found]]
        np.testing.assert_allclose(weight[found], expected, rtol=0.01, atol=1e-6)


@given(st.integers(0, 2**32), st.integers(2, 60))
@settings(max_examples=40, deadline=None)
def test_a_matrix_of_pairs_is_read_as_one_of_rows(seed: int, n: int) -> None:
    pairs = random_pairs(np.random.default_rng(seed), n, n, 1000)
    dense, stored = dense_of(pairs), matrix_of(pairs, n)
    columns = np.nonzero(dense)[1]
    indptr = np.append(0, np.cumsum((dense > 0).sum(axis=1)))
    by_rows = ItemMatrix(indptr, columns, dense[dense > 0])
    for item in range(n):
        expected, found = by_rows.column_entries(item), stored.column_entries(item)
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_allclose(found[1], expected[1], rtol=0.01, atol=1e-6)


def test_where_codes_run_out_order_still_holds() -> None:
    """A thousand similarities of one item that differ by less than any two codes do."""
    n = 1001
    value = np.float32(0.5) + np.arange(n - 1, dtype=np.float32) * np.float32(2**-24)
    value = np.random.default_rng(0).permutation(value)
    pairs = SimilarityPairs(
        np.arange(n), 1, np.zeros(n - 1, np.int32), np.arange(1, n, dtype=np.int32), value
    )
    code = order_preserving_codes(pairs, np.full(n - 1, 40_000)).astype(np.int64)
    by_code = np.lexsort((np.arange(n - 1), -code))
    assert by_code.tolist() == np.argsort(-value, kind="stable").tolist()
    assert code.max() == 40_000


def test_values_come_back_within_a_thousandth() -> None:
    value = np.exp(np.random.default_rng(1).uniform(np.log(1e-5), 0, 50_000)).astype(np.float32)
    value[:20_000] = value[0]  # many equal ones use up no codes
    code, decoded = value_codes(value)
    np.testing.assert_allclose(decoded[code], value, rtol=1e-3)
    rising = np.argsort(value, kind="stable")
    assert (np.diff(code[rising]) >= 0).all()
    assert len(np.unique(code[:20_000])) == 1


@given(st.integers(0, 2**64 - 1))
def test_bits_are_counted(word: int) -> None:
    assert count_bits(np.uint64(word)) == word.bit_count()


@given(st.lists(st.integers(0, 2**64 - 1), max_size=40), st.integers(1, 45))
@settings(deadline=None)
def test_the_largest_are_selected(values: list[int], k: int) -> None:
    array = np.array(values, np.uint64)
    select_largest(array, k)
    assert sorted(array[:k].tolist()) == sorted(values, reverse=True)[:k][::-1]
    assert sorted(array.tolist()) == sorted(values)


@pytest.mark.parametrize("k", [3, 40])
def test_a_compact_model_predicts_what_the_full_matrix_does(tmp_path: Path, k: int) -> None:
    """With every pair stored; where some are not, anime with ratings enough are not concerned."""
    frame = random_frame(3, 80, 70, 0.4)
    full = train_model(frame, tmp_path / "full", neighbours=70, shrinkage=5, k=k)
    compact, cut = (
        train_model(
            frame, tmp_path / f"{ratings}", precision="compact", pair_ratings=ratings,
            shrinkage=5, k=k,
        )
        for ratings in (1, 30)
    )  # fmt: skip
    np.testing.assert_allclose(dense_similarity(compact), dense_similarity(full), rtol=1e-3)
    known = cut.rating_count >= 30
    assert 5 < known.sum() < 60
    dense = dense_similarity(cut)
    assert not dense[np.ix_(~known, ~known)].any()
    assert cut.manifest.counts["similarities"] == np.count_nonzero(dense) / 2
    for user in range(1, 60):
        listed = list_of(frame, user)
        expected = predict_knn(full, fold_in(full, listed))
        for model, concerned in ((compact, np.ones(len(full), bool)), (cut, known)):
            found = predict_knn(model, fold_in(model, listed))
            np.testing.assert_allclose(found.score[concerned], expected.score[concerned], atol=2e-3)
            np.testing.assert_array_equal(
                found.neighbourhood.neighbour_count[concerned],
                np.minimum(expected.neighbourhood.neighbour_count, k)[concerned],
            )
