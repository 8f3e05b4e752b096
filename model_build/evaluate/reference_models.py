"""Well-known recommenders that Hakken is compared with, each fitted and asked the same way.

A model is fitted by a function from training ratings to a `Ranker` over their anime.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.linalg import inv
from scipy.sparse import csr_array

from app.recommender import UserList, kernels
from app.recommender.array_types import Float32Array, Float64Array, Int64Array
from app.recommender.arrays import find_positions
from app.recommender.engines.als import InteractionStrengths
from model_build.data.grouping import group_scores
from model_build.data.interactions import Interactions
from model_build.data.ratings import Ratings
from model_build.engines.als import AlsSettings, als_engine, fit_als_factors, weighted_user_items
from model_build.evaluate.ranking import Ranker, engine_ranker, unlisted_item_ranker
from model_build.train.bias_model import BiasModel, fit_bias_model
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.similarity import pearson_baseline_similarity

REG_USER = 15.0
N_NEIGHBOURS = 50
BLOCK_ROWS = 1024
BINARY_RIDGE, WEIGHTED_RIDGE = 200.0, 300.0
RESIDUAL_SLOPE, UNSCORED_WEIGHT = 0.3, 0.6
BINARY_STRENGTHS = InteractionStrengths(1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0)
"""Every entry counts the same."""

Fit = Callable[[Ratings], Ranker]


@dataclass(frozen=True, slots=True)
class ReferenceModel:
    """``title`` for people; of several ``fits`` the best one is reported."""

    title: str
    fits: tuple[Fit, ...]


def fit_popularity(ratings: Ratings) -> Ranker:
    """Every user is shown the anime on most lists."""
    counts = np.bincount(ratings.item, minlength=len(ratings.anime_ids)).astype(np.float64)
    return unlisted_item_ranker(ratings.anime_ids, lambda _: counts)


def fit_knn_baseline(ratings: Ratings) -> Ranker:
    """KNN with baseline (Koren 2010, section 2.2), ranked by predicted score.

    That is how the original Hakken ranked, here with its default settings; nothing is held back for
    resting on few scores. `tests/model_build/train/test_surprise_parity.py` holds its parts to
    scikit-surprise.
    """
    biases, by_source = fit_item_similarity(ratings)
    indptr = by_source.indptr.astype(np.int64)
    k = Hyperparameters().k

    def score(listed: UserList) -> Float64Array:
        at, given = _known_entries(ratings, listed)
        at, given = at[given > 0], given[given > 0]
        expected = biases.mean + user_bias(biases, at, given) + biases.item_bias
        begin, which, weight = kernels.gather_rows(
            at, indptr, by_source.indices, by_source.data, 1.0, len(ratings.anime_ids)
        )
        mean, _, _ = kernels.topk_mean(begin, which, weight, given - expected[at], k)
        return np.asarray(expected + mean)

    return unlisted_item_ranker(ratings.anime_ids, score, predicts_ratings=True)


def fit_similarity_sum(ratings: Ratings) -> Ranker:
    """Return the sum of an anime's similarities to all that is on the list, scores aside."""
    _, by_source = fit_item_similarity(ratings)
    return row_sum_ranker(ratings, by_source)


def fit_item_cosine_knn(ratings: Ratings) -> Ranker:
    """Item-cosine KNN (Sarwar and others 2001), without scores.

    An anime is scored by the sum of the cosines, of columns of the binary list matrix, to those on
    the list that are among its 50 nearest.
    """
    cosine = gram_matrix(user_item_matrix(ratings))
    length = np.sqrt(cosine.diagonal())
    cosine /= length[:, None]
    cosine /= length
    np.fill_diagonal(cosine, 0.0)
    keep = min(N_NEIGHBOURS, len(cosine) - 1)
    nearest = np.stack([np.argpartition(-row, keep - 1)[:keep] for row in cosine])
    weight = np.take_along_axis(cosine, nearest, axis=1)
    indptr = keep * np.arange(len(cosine) + 1)
    by_target = csr_array((weight.ravel(), nearest.ravel(), indptr), shape=cosine.shape)
    return row_sum_ranker(ratings, by_target.T.tocsr())


def fit_binary_als(ratings: Ratings, settings: AlsSettings) -> Ranker:
    """ALS for implicit feedback (Hu, Koren and Volinsky 2008), in which every entry counts 1."""
    user_items = weighted_user_items(Interactions.from_ratings(ratings), settings.strengths)
    return engine_ranker(
        als_engine(fit_als_factors(user_items, settings), settings), ratings.anime_ids
    )


def fit_binary_ease(ratings: Ratings) -> Ranker:
    """EASE^R (Steck, WWW 2019), in which every entry counts 1."""
    return row_sum_ranker(ratings, ease_weights(user_item_matrix(ratings), BINARY_RIDGE))


def fit_weighted_ease(ratings: Ratings) -> Ranker:
    """EASE^R, in which a score counts max(0, 1 + 0.3 residual), an entry without one 0.6."""
    grouped = group_scores(ratings)
    biases = fit_bias_model(grouped, reg_user=REG_USER)
    # The residuals come by user, each user's anime by their numbers in `grouped`.
    user = np.repeat(np.arange(grouped.n_users), np.diff(grouped.user_indptr))
    scored = csr_array(
        (_rating_weight(biases.residual), (user, grouped.order[grouped.user_item])),
        shape=(grouped.n_users, grouped.n_items),
    )
    unscored = user_item_matrix(ratings, np.where(ratings.rated_mask, 0.0, UNSCORED_WEIGHT))
    weights = ease_weights((scored + unscored).astype(np.float32).tocsr(), WEIGHTED_RIDGE)

    def score(listed: UserList) -> Float64Array:
        at, given = _known_entries(ratings, listed)
        rated = given > 0
        bias = user_bias(biases, at[rated], given[rated])
        residual = given - biases.mean - bias - biases.item_bias[at]
        strength = np.where(rated, _rating_weight(residual), UNSCORED_WEIGHT).astype(np.float32)
        return np.asarray(strength @ weights[at], np.float64)

    return unlisted_item_ranker(ratings.anime_ids, score)


def ease_weights(user_items: csr_array, ridge: float) -> Float32Array:
    """Return EASE's weights B (n, n) float32 for the list matrix X (users, n); zero diagonal.

    With P = (X'X + ridge I)^-1, B_ij = -P_ij / P_jj for i != j; a list x is scored x B. Dense, as
    published: Hakken's own affinity is not used.

    >>> ease_weights(csr_array(np.array([[1.0, 1.0], [1.0, 0.0]], np.float32)), 1.0).round(3)
    array([[0.   , 0.333],
           [0.5  , 0.   ]], dtype=float32)
    """
    matrix = gram_matrix(user_items)
    np.fill_diagonal(matrix, matrix.diagonal() + np.float32(ridge))
    inverse = inv(matrix, overwrite_a=True, check_finite=False, assume_a="pos")
    own = inverse.diagonal().copy()
    inverse /= -own
    np.fill_diagonal(inverse, 0.0)
    return np.asarray(inverse)


def fit_item_similarity(ratings: Ratings) -> tuple[BiasModel, csr_array]:
    """Return the bias model, and Hakken's similarity with its default settings.

    Row j of the matrix (n, n) holds what anime j on a list gives to others.
    """
    settings = Hyperparameters()
    grouped = group_scores(ratings)
    biases = fit_bias_model(grouped, reg_user=REG_USER)
    by_target = pearson_baseline_similarity(
        grouped,
        biases.residual,
        shrinkage=settings.shrinkage,
        min_support=settings.min_support,
        neighbours=settings.neighbours,
    )
    return biases, by_target.T.tocsr()


def user_bias(biases: BiasModel, at: Int64Array, score: Float64Array) -> float:
    """b_u of a user with scores (k,) of the anime ``at``, whose biases are fixed (closed form)."""
    return float((score - biases.mean - biases.item_bias[at]).sum() / (REG_USER + len(at)))


def user_item_matrix(ratings: Ratings, weights: Float64Array | None = None) -> csr_array:
    """Users by anime, float32: the ``weights`` (entries,), by default 1, where on the list."""
    values = np.ones(len(ratings)) if weights is None else weights
    shape = (len(ratings.user_ids), len(ratings.anime_ids))
    return csr_array((values.astype(np.float32), (ratings.user, ratings.item)), shape=shape)


def gram_matrix(user_items: csr_array) -> Float32Array:
    """X'X, dense (n, n) float32, of X (users, n)."""
    by_item = user_items.T.tocsr()
    dense = np.empty((user_items.shape[1], user_items.shape[1]), np.float32)
    for first in range(0, len(dense), BLOCK_ROWS):
        block = slice(first, first + BLOCK_ROWS)
        dense[block] = (by_item[block] @ user_items).toarray()
    return dense


def row_sum_ranker(ratings: Ratings, by_source: csr_array | Float32Array) -> Ranker:
    """Rank by the sum of the rows, of a matrix (n, n), of what is on the list."""

    def score(listed: UserList) -> Float64Array:
        at, _ = _known_entries(ratings, listed)
        return np.asarray(by_source[at].sum(axis=0), np.float64)

    return unlisted_item_ranker(ratings.anime_ids, score)


def _known_entries(ratings: Ratings, listed: UserList) -> tuple[Int64Array, Float64Array]:
    """Positions and scores (0 = none) of the entries whose anime were trained on."""
    at = find_positions(ratings.anime_ids, listed.anime_id)
    return at[at >= 0], listed.score[at >= 0]


def _rating_weight(residual: Float64Array) -> Float64Array:
    return np.maximum(0.0, 1.0 + RESIDUAL_SLOPE * residual)


ALS_SETTINGS = tuple(
    AlsSettings(factors, regularization, 15, alpha, BINARY_STRENGTHS)
    for factors, regularization, alpha in ((128, 10.0, 2.0), (256, 10.0, 2.0), (256, 30.0, 3.0))
)
REFERENCE_MODELS = {
    "popularity": ReferenceModel("popularity", (fit_popularity,)),
    "knn-baseline": ReferenceModel("KNN with baseline, predicted score", (fit_knn_baseline,)),
    "similarity-sum": ReferenceModel("sum of similarities to the list", (fit_similarity_sum,)),
    "cosine": ReferenceModel("item-cosine KNN, 50 neighbours", (fit_item_cosine_knn,)),
    "als": ReferenceModel(
        "ALS (implicit), best of three",
        tuple(partial(fit_binary_als, settings=settings) for settings in ALS_SETTINGS),
    ),
    "ease": ReferenceModel("EASE^R, binary, lambda 200", (fit_binary_ease,)),
    "ease-weighted": ReferenceModel("EASE^R, residual weights, lambda 300", (fit_weighted_ease,)),
}
