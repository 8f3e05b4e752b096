"""Our KNN with baseline under scikit-surprise's own interface, for `surprise.model_selection`.

    from surprise.model_selection import RandomizedSearchCV
    from model_build.evaluate.surprise_estimator import HakkenKNNBaseline

    search = RandomizedSearchCV(
        HakkenKNNBaseline, {"k": range(5, 100), "shrinkage": range(10, 500)}, n_iter=20, cv=3
    )
    search.fit(data)  # a surprise.Dataset

It predicts what ``surprise.KNNBaseline`` predicts with ``pearson_baseline`` and
``user_based=False``. Surprise stands in requirements-dev.txt: beside this module only the row
``svd`` of ``model_build neural`` needs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from app.recommender import kernels
from app.recommender.array_types import Float64Array, Int32Array, Int64Array
from model_build.data.grouping import group_ratings
from model_build.data.ratings import Ratings
from model_build.train.bias_model import fit_bias_model
from model_build.train.similarity import pearson_baseline_similarity
from model_build.util.progress import progress_bars

try:
    from surprise import AlgoBase, Dataset, Prediction, Reader
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "model_build.evaluate.surprise_estimator needs scikit-surprise, which is not installed; "
        "run: pip install -r requirements-dev.txt"
    ) from None


class HakkenKNNBaseline(AlgoBase):  # type: ignore[misc]
    """``AlgoBase`` over the kernels that Hakken trains and predicts with.

    ``k``, ``min_k``, ``shrinkage`` and ``min_support`` mean what they mean in Surprise; ``reg_u``,
    ``reg_i`` and ``epochs`` are its ``bsl_options``. ``neighbours`` cuts every anime's similarities
    to the largest (None keeps all, which equality with Surprise needs). Two differences: a pair
    whose residuals are all zero has similarity 0, and `get_neighbors` leaves out what is not
    similar at all. Memory of a fit: 8 bytes times items times neighbours.

    `fit` raises ValueError where a user rated an item twice, which Surprise lets pass.
    """

    def __init__(
        self,
        k: int = 40,
        *,
        min_k: int = 1,
        shrinkage: float = 100.0,
        min_support: int = 1,
        reg_u: float = 15.0,
        reg_i: float = 10.0,
        epochs: int = 10,
        neighbours: int | None = None,
        threads: int | None = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            sim_options={
                "name": "pearson_baseline",
                "user_based": False,
                "shrinkage": shrinkage,
                "min_support": min_support,
            },
            bsl_options={"method": "als", "reg_u": reg_u, "reg_i": reg_i, "n_epochs": epochs},
        )
        self.k = k
        self.min_k = min_k
        self.shrinkage = shrinkage
        self.min_support = min_support
        self.reg_u = reg_u
        self.reg_i = reg_i
        self.epochs = epochs
        self.neighbours = neighbours
        self.threads = threads
        self.verbose = verbose

    def fit(self, trainset: Any) -> HakkenKNNBaseline:
        """Train on a ``surprise.Trainset``; returns self."""
        super().fit(trainset)
        user, item, rating = _trainset_arrays(trainset)
        grouped = group_ratings(user, item, rating, trainset.n_users, trainset.n_items)
        baselines = fit_bias_model(
            grouped, reg_user=self.reg_u, reg_item=self.reg_i, epochs=self.epochs
        )
        self.bu, self.bi = baselines.user_bias, baselines.item_bias
        # Symmetric but for the cut: a row of the transpose is what one item of a list gives.
        with progress_bars(shown=self.verbose) as on_progress:
            matrix = pearson_baseline_similarity(
                grouped,
                baselines.residual,
                shrinkage=self.shrinkage,
                min_support=self.min_support,
                neighbours=self.neighbours or trainset.n_items,
                threads=self.threads,
                on_progress=on_progress,
            ).T.tocsr()
        matrix.sort_indices()
        self._start = matrix.indptr.astype(np.int64)
        self._target, self._value = matrix.indices, matrix.data
        # In the order of the trainset, by which Surprise decides between equal neighbours.
        self._first = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=len(self.bu)))])
        self._source = item.astype(np.int64)
        self._residual = rating - baselines.mean - self.bu[user] - self.bi[item]
        return self

    def estimate(self, u: int | str, i: int | str) -> float | tuple[float, dict[str, int]]:
        """Return the prediction for inner ids, unclipped; what is not known counts as average."""
        estimate = float(self.trainset.global_mean)
        user = int(u) if self.trainset.knows_user(u) else None
        item = int(i) if self.trainset.knows_item(i) else None
        if user is not None and item is not None:
            estimates, actual_k = self._estimate_items(user, np.array([item]))
            return float(estimates[0]), {"actual_k": int(actual_k[0])}
        if user is not None:
            estimate += float(self.bu[user])
        if item is not None:
            estimate += float(self.bi[item])
        return estimate

    def test(
        self, testset: Sequence[tuple[Any, Any, float]], verbose: bool = False
    ) -> list[Prediction]:
        """Predict as `predict` does, all items of a user at once; in the order of ``testset``."""
        low, high = self.trainset.rating_scale
        predictions: list[Prediction | None] = [None] * len(testset)
        of_user: dict[int, list[tuple[int, int]]] = {}
        for at, (uid, iid, rating) in enumerate(testset):
            try:
                user, item = self.trainset.to_inner_uid(uid), self.trainset.to_inner_iid(iid)
            except ValueError:
                predictions[at] = self.predict(uid, iid, rating)
            else:
                of_user.setdefault(user, []).append((at, item))
        for user, pairs in of_user.items():
            estimates, actual_k = self._estimate_items(user, np.array([item for _, item in pairs]))
            found = zip(pairs, np.clip(estimates, low, high).tolist(), actual_k, strict=True)
            for (at, _), estimate, used in found:
                details = {"actual_k": int(used), "was_impossible": False}
                predictions[at] = Prediction(*testset[at], estimate, details)
        done = [prediction for prediction in predictions if prediction is not None]
        if verbose:
            print(*done, sep="\n")
        return done

    def _estimate_items(self, user: int, items: Int64Array) -> tuple[Float64Array, Int64Array]:
        """Return unclipped predictions for a user, and how many neighbours each rests on."""
        own = slice(self._first[user], self._first[user + 1])
        weight = self._similarities(self._source[own], items)
        at, which = np.nonzero(weight)
        indptr = np.searchsorted(at, np.arange(len(items) + 1))
        mean, _, used = kernels.topk_mean(
            indptr, which, weight[at, which], self._residual[own], self.k
        )
        baseline = self.trainset.global_mean + self.bu[user] + self.bi[items]
        return baseline + np.where(used >= self.min_k, mean, 0.0), used

    def get_neighbors(self, iid: int, k: int) -> list[int]:
        """Inner ids of the ``k`` items most similar to one, nearest first."""
        rows = np.arange(len(self._start) - 1)
        weight = self._similarities(rows, np.array([iid]), self_similarity=0.0)[0]
        near = np.argsort(-weight, kind="stable")[:k]
        return [int(item) for item in near if weight[item] > 0]

    def _similarities(
        self, source: Int64Array, items: Int64Array, self_similarity: float = 1.0
    ) -> Float64Array:
        """Similarities (items, sources), ``self_similarity`` with itself (Surprise: 1)."""
        columns, place = np.unique(items, return_inverse=True)
        found: Float64Array = kernels.dense_submatrix(
            source, columns, self._start, self._target, self._value, 1.0, len(self._start) - 1
        )[place]
        found[np.equal.outer(items, source)] = self_similarity
        return found


def surprise_dataset(ratings: Ratings, rows: Int64Array) -> Dataset:
    """Make Surprise's data set of the scored entries at ``rows`` (r,); users are named by text."""
    data = Dataset(Reader(rating_scale=(1, 10)))
    users = ratings.user_ids.cast(pl.String).gather(ratings.user[rows]).to_list()
    anime, scores = ratings.anime_ids[ratings.item[rows]], ratings.rating[rows]
    columns = (users, anime.tolist(), scores.tolist())
    data.raw_ratings = [(*row, None) for row in zip(*columns, strict=True)]
    return data


def _trainset_arrays(trainset: Any) -> tuple[Int32Array, Int32Array, Float64Array]:
    """Inner user ids (ascending), inner item ids and ratings, in the order of the trainset."""
    user = np.repeat(
        np.arange(trainset.n_users, dtype=np.int32),
        [len(trainset.ur[u]) for u in range(trainset.n_users)],
    )
    pairs = [pair for u in range(trainset.n_users) for pair in trainset.ur[u]]
    item = np.array([i for i, _ in pairs], np.int32)
    rating = np.array([r for _, r in pairs], np.float64)
    code = user.astype(np.int64) * trainset.n_items + item
    if len(np.unique(code)) < len(code):
        values, count = np.unique(code, return_counts=True)
        u, i = divmod(int(values[count > 1][0]), trainset.n_items)
        raise ValueError(
            f"user {trainset.to_raw_uid(u)} rated item {trainset.to_raw_iid(i)} more than once; "
            "expected each pair once."
        )
    return user, item, rating
