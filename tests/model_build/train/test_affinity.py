"""The affinity against its definition: a ridge regression an anime, solved without itself."""

from __future__ import annotations

import numpy as np
import pytest

from app.recommender.array_types import Float64Array
from model_build.data.ratings import Ratings, read_ratings
from model_build.train import affinity
from model_build.train.affinity import (
    INPUT_WEIGHTS,
    EaseRegularisation,
    GramMatrices,
    compute_gram_matrices,
    default_min_entries,
    item_relevance,
    solve_ease,
)
from model_build.train.sufficient_statistics import EntriesOfUsers, count_items
from model_build.util.errors import InputError
from tests.model_build.worlds import random_frame

KIND = EaseRegularisation(ridge=20.0, dropout=0.2, popularity_power=0.14)
WIDE = EaseRegularisation(ridge=5.0, dropout=30.0, popularity_power=0.0)


@pytest.fixture(scope="module")
def ratings(tmp_path_factory: pytest.TempPathFactory) -> Ratings:
    file = tmp_path_factory.mktemp("affinity") / "ratings.parquet"
    random_frame(31, 80, 40, 0.4).write_parquet(file)
    return read_ratings([file])


def rows_of_lists(ratings: Ratings) -> tuple[Float64Array, Float64Array]:
    """X and Y as dense (fans, anime) arrays."""
    shape = (len(ratings.user_ids), len(ratings.anime_ids))
    given, wanted = np.zeros(shape), np.zeros(shape)
    given[ratings.user, ratings.item] = INPUT_WEIGHTS.of_entries(ratings.rating, ratings.status)
    wanted[ratings.user, ratings.item] = item_relevance(ratings.rating)
    return given, wanted


def by_definition(ratings: Ratings, kind: EaseRegularisation, min_entries: int) -> Float64Array:
    """Column i: the ridge regression of Y_i on the other anime."""
    given, wanted = rows_of_lists(ratings)
    count = np.bincount(ratings.item, minlength=given.shape[1])
    known = np.flatnonzero(count >= min_entries)
    gram = given.T @ given
    penalty = kind.ridge + kind.dropout * gram.diagonal()
    weights = np.zeros_like(gram)
    for i in known:
        others = known[known != i]
        system = gram[np.ix_(others, others)] + np.diag(penalty[others])
        solved = np.linalg.solve(system, given[:, others].T @ wanted[:, i])
        weights[others, i] = solved * (count[i] / 1000.0) ** -kind.popularity_power
    return weights


@pytest.mark.parametrize("min_entries", [1, 25, 30])
def test_it_is_the_regression_without_oneself(ratings: Ratings, min_entries: int) -> None:
    grams = compute_gram_matrices(ratings, min_entries=min_entries)
    for kind in (KIND, WIDE):
        found = solve_ease(grams, kind, 1000).largest
        expected = by_definition(ratings, kind, min_entries)
        assert np.abs(expected).max() > 0.01
        np.testing.assert_allclose(found.toarray(), expected, rtol=0, atol=2e-5)


def test_of_each_row_the_largest_weights_are_kept(ratings: Ratings) -> None:
    full, cut = (
        solve_ease(compute_gram_matrices(ratings, min_entries=1), KIND, keep).largest
        for keep in (1000, 7)
    )
    for whole, kept in zip(full.toarray(), cut.toarray(), strict=True):
        assert (kept != 0).sum() == 7
        np.testing.assert_array_equal(kept[kept != 0], whole[kept != 0])
        assert np.abs(kept[kept != 0]).min() >= np.abs(whole[kept == 0]).max()


def test_weights_of_the_little_known_are_kept_apart(ratings: Ratings) -> None:
    grams = compute_gram_matrices(ratings, min_entries=1)
    whole = solve_ease(grams, KIND, 1000).largest.toarray()
    little_known = np.arange(len(whole)) % 3 == 0
    for n_tail in (4, 1000):
        grams = compute_gram_matrices(ratings, min_entries=1)
        largest, tail = solve_ease(grams, KIND, 7, tail=little_known, n_tail=n_tail)
        assert tail.has_canonical_format
        for of_all, kept, apart in zip(whole, largest.toarray(), tail.toarray(), strict=True):
            others = np.flatnonzero(little_known & (of_all > 0) & (kept == 0))
            best = others[np.argsort(-of_all[others])][:n_tail]
            expected = np.zeros_like(of_all)
            expected[best] = of_all[best]
            np.testing.assert_array_equal(apart, expected)


def test_threads_do_not_change_it(ratings: Ratings) -> None:
    one, three = (
        solve_ease(compute_gram_matrices(ratings, min_entries=1, threads=threads), KIND, 20).largest
        for threads in (1, 3)
    )
    np.testing.assert_array_equal(one.toarray(), three.toarray())


@pytest.mark.parametrize("mixed", [False, True])
def test_lists_may_be_added_up_piece_by_piece(
    ratings: Ratings, monkeypatch: pytest.MonkeyPatch, mixed: bool
) -> None:
    whole = compute_gram_matrices(ratings, min_entries=25)
    if mixed:
        order = np.random.default_rng(3).permutation(len(ratings))
        ratings = Ratings(
            ratings.user[order],
            ratings.item[order],
            ratings.rating[order],
            ratings.status[order],
            ratings.user_ids,
            ratings.anime_ids,
            ratings.collected[order],
        )
    monkeypatch.setattr(affinity, "CHUNK_ENTRIES", 90)
    pieced = compute_gram_matrices(ratings, min_entries=25)
    np.testing.assert_array_equal(whole.known, pieced.known)
    np.testing.assert_array_equal(whole.count, pieced.count)
    upper = np.triu_indices(len(whole.known), 1)
    np.testing.assert_allclose(pieced.gram[upper], whole.gram[upper], rtol=1e-6)
    np.testing.assert_allclose(pieced.squares, whole.squares, rtol=1e-6)
    np.testing.assert_allclose(pieced.cross, whole.cross, rtol=1e-6)


def test_sums_over_some_fans_and_over_the_others_add_up(ratings: Ratings) -> None:
    first = ratings.user < 30
    halves = [
        compute_gram_matrices(
            Ratings(
                ratings.user[chosen],
                ratings.item[chosen],
                ratings.rating[chosen],
                ratings.status[chosen],
                ratings.user_ids,
                ratings.anime_ids,
                ratings.collected[chosen],
            ),
            min_entries=0,
        )
        for chosen in (first, ~first)
    ]
    whole = compute_gram_matrices(ratings, min_entries=0)

    def by_anime(grams: GramMatrices) -> tuple[Float64Array, Float64Array]:
        place = np.argsort(grams.known)
        cross = grams.cross[np.ix_(place, place)].astype(np.float64)
        return cross, grams.squares[place].astype(np.float64)

    for one, other, both in zip(*map(by_anime, [*halves, whole]), strict=True):
        np.testing.assert_allclose(one + other, both, rtol=1e-6)


def test_a_solution_leaves_the_sums_as_they_are(ratings: Ratings) -> None:
    grams = compute_gram_matrices(ratings, min_entries=10)
    first, _, again = (solve_ease(grams, kind, 12).largest for kind in (KIND, WIDE, KIND))
    np.testing.assert_array_equal(first.toarray(), again.toarray())


def test_few_lists_are_enough_among_few_fans() -> None:
    assert [default_min_entries(fans) for fans in (5, 8_641, 30_000, 300_000)] == [10, 10, 15, 150]


def test_nothing_to_relate_is_no_error(ratings: Ratings) -> None:
    none = solve_ease(compute_gram_matrices(ratings, min_entries=10**6), KIND, 5).largest
    assert none.shape == (40, 40)
    assert none.nnz == 0


def test_anime_on_the_same_lists_need_some_regularisation() -> None:
    ones, upper = np.ones(2, np.float32), np.array([[0, 1], [0, 0]], np.float32)
    grams = GramMatrices(np.arange(2), np.ones(2, np.int64), 2, upper, ones, np.ones_like(upper))
    with pytest.raises(InputError, match="--affinity-ridge 0: is too little"):
        solve_ease(grams, EaseRegularisation(0.0, 0.0, 0.0), 5)


def test_mean_appeal_counts_who_does_not_list_it(ratings: Ratings) -> None:
    _, wanted = rows_of_lists(ratings)
    total = count_items(EntriesOfUsers.from_ratings(ratings)).relevance
    np.testing.assert_allclose(total / len(ratings.user_ids), wanted.mean(axis=0))


def test_better_scores_are_worth_more() -> None:
    scores = np.arange(1.0, 11.0)
    assert (np.diff(item_relevance(scores)) > 0).all()
    assert item_relevance(np.array([0.0]))[0] == pytest.approx(0.3)
    assert item_relevance(np.array([10.0]))[0] > 0.95
