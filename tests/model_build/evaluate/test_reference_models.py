"""Each peer against its definition, computed a second, slow way on a small world."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from app.recommender import Model, UserList
from app.recommender.array_types import Float64Array
from app.recommender.fold_in import fold_in
from app.recommender.knn_baseline import predict_knn
from model_build.data.grouping import group_scores
from model_build.data.ratings import Ratings, index_ratings
from model_build.engines.als import AlsSettings
from model_build.evaluate.reference_models import BINARY_STRENGTHS, REFERENCE_MODELS, fit_binary_als
from model_build.train.bias_model import fit_bias_model
from tests.model_build.worlds import dense_similarity, random_frame, train_model


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    """Everything is completed: what a peer makes of a status is not at issue."""
    world = random_frame(61, 90, 25, 0.4, unscored=0.25).with_columns(status=pl.lit(2, pl.Int8))
    return world.cast({"anime_id": pl.Int32})


@pytest.fixture(scope="module")
def ratings(frame: pl.DataFrame) -> Ratings:
    return index_ratings(frame)


@pytest.fixture(scope="module")
def visitor(ratings: Ratings) -> UserList:
    """Six anime, two of them without a score, and one that nobody knows."""
    ids = ratings.anime_ids[[1, 4, 9, 10, 17, 24]].tolist()
    scores = [9.0, None, 3.0, 8.0, None, 6.0]
    return UserList.from_entries(
        [(i, s, 2) for i, s in zip([*ids, 9999], [*scores, 10.0], strict=True)]
    )


def matrix_of(ratings: Ratings, value: Float64Array) -> Float64Array:
    dense = np.zeros((len(ratings.user_ids), len(ratings.anime_ids)))
    dense[ratings.user, ratings.item] = value
    return dense


def fitted(name: str, ratings: Ratings, visitor: UserList) -> Float64Array:
    (fit,) = REFERENCE_MODELS[name].fits
    return fit(ratings)(visitor).sort_key


def row_of(ratings: Ratings, visitor: UserList) -> tuple[Float64Array, Float64Array]:
    """The visitor's scores as a row (n,), and where something is listed."""
    score, there = np.zeros(len(ratings.anime_ids)), np.zeros(len(ratings.anime_ids))
    for anime, given in zip(visitor.anime_id.tolist(), visitor.score.tolist(), strict=True):
        if anime in ratings.anime_ids:
            at = ratings.anime_ids.tolist().index(anime)
            score[at], there[at] = given, 1.0
    return score, there


def ridge_without_itself(lists: Float64Array, ridge: float) -> Float64Array:
    """EASE's problem, a column at a time: ridge regression of an anime on all the others."""
    n = lists.shape[1]
    weights = np.zeros((n, n))
    for j in range(n):
        others = np.delete(np.arange(n), j)
        x = lists[:, others]
        weights[others, j] = np.linalg.solve(x.T @ x + ridge * np.eye(n - 1), x.T @ lists[:, j])
    return weights


def test_popularity_by_hand() -> None:
    rows = [(1, 10, 7.0), (1, 20, 0.0), (2, 20, 3.0), (3, 20, 9.0), (3, 30, 9.0), (4, 30, 0.0)]
    frame = pl.DataFrame(rows, schema=["user_id", "anime_id", "rating"], orient="row")
    few = index_ratings(frame.with_columns(status=pl.lit(0, pl.Int8)))
    assert fitted("popularity", few, UserList.from_entries([(10, 8, 2)])).tolist() == [1, 3, 2]


def test_ease_solves_its_least_squares_problem(ratings: Ratings, visitor: UserList) -> None:
    lists = matrix_of(ratings, np.ones(len(ratings)))
    weights = ridge_without_itself(lists, 200.0)
    assert np.abs(weights).max() > 0.01
    _, there = row_of(ratings, visitor)
    assert fitted("ease", ratings, visitor) == pytest.approx(there @ weights, abs=1e-5)


def test_weighted_ease_solves_it_for_the_strengths(ratings: Ratings, visitor: UserList) -> None:
    baseline = fit_bias_model(group_scores(ratings))
    score, there = row_of(ratings, visitor)
    scores = np.vstack([matrix_of(ratings, ratings.rating), score])
    listed = np.vstack([matrix_of(ratings, np.ones(len(ratings))), there])
    strength = np.zeros_like(scores)
    for fan, row in enumerate(scores):
        rated = row > 0
        off = np.where(rated, row - baseline.mean - baseline.item_bias, 0.0)
        off -= off.sum() / (15 + rated.sum())
        strength[fan] = np.where(rated, np.maximum(0, 1 + 0.3 * off), 0.6 * listed[fan])
    assert strength.max() > 1.5
    assert strength[listed > 0].min() < 0.5
    expected = strength[-1] @ ridge_without_itself(strength[:-1], 300.0)
    # The training residuals are those of the last round of the alternation.
    assert fitted("ease-weighted", ratings, visitor) == pytest.approx(expected, abs=2e-4)
    assert np.ptp(expected) > 0.05


def test_cosine_adds_up_the_fifty_nearest() -> None:
    """With more anime than fifty, so that some are cut."""
    world = random_frame(5, 60, 70, 0.4).cast({"anime_id": pl.Int32})
    ratings = index_ratings(world)
    lists = matrix_of(ratings, np.ones(len(ratings)))
    length = np.linalg.norm(lists, axis=0)
    cosine = lists.T @ lists / np.outer(length, length)
    ids = ratings.anime_ids[::6]
    expected, clear = np.zeros(70), np.zeros(70, bool)
    for i in range(70):
        others = [j for j in range(70) if j != i]
        nearest = sorted(others, key=lambda j: -cosine[i, j])[:50]
        last = np.isclose(cosine[i, others], cosine[i, nearest[-1]])
        clear[i] = last.sum() == 1  # of equally near ones at the cut either may be taken
        expected[i] = sum(cosine[i, j] for j in nearest if ratings.anime_ids[j] in ids)
    listed = UserList.from_entries([(int(anime), 7, 2) for anime in ids])
    found = fitted("cosine", ratings, listed)
    assert clear.sum() > 40
    assert found[clear] == pytest.approx(expected[clear], abs=1e-5)
    uncut = (cosine - np.eye(70))[:, ::6].sum(axis=1)
    assert np.abs(expected - uncut).max() > 0.05


@pytest.fixture(scope="module")
def model(frame: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return train_model(frame, tmp_path_factory.mktemp("model"))


def test_knn_with_baseline_is_what_hakken_predicts(
    model: Model, ratings: Ratings, visitor: UserList
) -> None:
    expected = predict_knn(model, fold_in(model, visitor)).score
    assert fitted("knn-baseline", ratings, visitor) == pytest.approx(expected, abs=1e-6)
    ranked = REFERENCE_MODELS["knn-baseline"].fits[0](ratings)(visitor)
    assert ranked.predicted_score is not None
    everything = np.arange(len(expected))
    assert ranked.predicted_score(everything) == pytest.approx(np.clip(expected, 1, 10), abs=1e-6)


def test_similarities_are_added_up(model: Model, ratings: Ratings, visitor: UserList) -> None:
    _, there = row_of(ratings, visitor)
    expected = dense_similarity(model) @ there
    assert np.ptp(expected) > 0
    assert fitted("similarity-sum", ratings, visitor) == pytest.approx(expected, abs=1e-6)


def test_als_solves_for_the_fan(ratings: Ratings, visitor: UserList) -> None:
    """The regularised weighted least squares of Hu, Koren and Volinsky, equation 4, over the
    factors that the package finds with the same settings."""
    from implicit.cpu.als import AlternatingLeastSquares

    settings = {"factors": 6, "regularization": 2.0, "alpha": 3.0}
    with threadpool_limits(1, "blas"):
        package = AlternatingLeastSquares(**settings, iterations=15, random_state=0)
        package.fit(csr_matrix(matrix_of(ratings, np.ones(len(ratings)))), show_progress=False)
    factors = package.item_factors.astype(np.float64)
    _, there = row_of(ratings, visitor)
    confidence = np.where(there > 0, 3.0, 1.0)
    left = (factors.T * confidence) @ factors + 2.0 * np.eye(6)
    fan = np.linalg.solve(left, factors.T @ (confidence * there))
    chosen = AlsSettings(**settings, iterations=15, strengths=BINARY_STRENGTHS)
    found = fit_binary_als(ratings, chosen)(visitor).sort_key / 100
    assert found == pytest.approx(factors @ fan, abs=1e-3)
    assert np.ptp(found) > 0.1


@pytest.mark.parametrize("name", REFERENCE_MODELS)
@pytest.mark.parametrize("entries", [[], [(9999, 10.0, 2)]])
def test_a_list_that_says_nothing_is_scored_without_harm(
    name: str, ratings: Ratings, entries: list[tuple[int, float | None, int]]
) -> None:
    scores = REFERENCE_MODELS[name].fits[0](ratings)(UserList.from_entries(entries)).sort_key
    assert scores.shape == (25,)
    assert np.isfinite(scores).all()


def test_every_setting_of_als_is_another(ratings: Ratings, visitor: UserList) -> None:
    found = [fit(ratings)(visitor).sort_key for fit in REFERENCE_MODELS["als"].fits]
    assert not any(np.allclose(found[0], other) for other in found[1:])
