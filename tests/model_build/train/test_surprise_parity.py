"""The model computes what scikit-surprise's KNNBaseline computes, from the same ratings.

Training goes through the command, the model through its files, and each fan's own list is brought
back by a visitor: so a difference anywhere on the way shows up here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from surprise import Dataset, KNNBaseline, Reader

from app.recommender import Model
from app.recommender.array_types import Int64Array
from app.recommender.fold_in import fold_in
from app.recommender.knn_baseline import predict_knn
from tests.model_build.worlds import (
    ROOT,
    dense_similarity,
    list_of,
    random_frame,
    rated_frame,
    train_model,
)

REAL_RATINGS = ROOT.parent / "shared" / "data" / "ratings.parquet"


@dataclass(frozen=True)
class Pair:
    """Both models of the same ratings, and what to ask them about."""

    frame: pl.DataFrame
    ours: Model
    theirs: KNNBaseline

    @property
    def inner(self) -> Int64Array:
        """Surprise's number of each of our anime, -1 where it has never seen a score."""
        known = self.theirs.trainset._raw2inner_id_items
        return np.array([known.get(anime, -1) for anime in self.ours.anime_id.tolist()])


def fit_both(
    frame: pl.DataFrame,
    folder: Path,
    *,
    k: int = 40,
    shrinkage: float = 100,
    min_support: int = 1,
    reg_user: float = 15,
    reg_item: float = 10,
    epochs: int = 10,
) -> Pair:
    ours = train_model(
        frame,
        folder,
        k=k,
        shrinkage=shrinkage,
        min_support=min_support,
        reg_user=reg_user,
        reg_item=reg_item,
        epochs=epochs,
        neighbours=frame["anime_id"].n_unique(),
        precision="exact",
    )
    scored = frame.filter(pl.col("rating") > 0).select("user_id", "anime_id", "rating")
    data = Dataset(Reader(rating_scale=(1, 10)))
    theirs = KNNBaseline(
        k=k,
        verbose=False,
        bsl_options={"method": "als", "reg_u": reg_user, "reg_i": reg_item, "n_epochs": epochs},
        sim_options={
            "name": "pearson_baseline",
            "shrinkage": shrinkage,
            "user_based": False,
            "min_support": min_support,
        },
    )
    theirs.fit(data.construct_trainset([(*row, None) for row in scored.iter_rows()]))
    return Pair(frame, ours, theirs)


def assert_same_baselines(pair: Pair) -> None:
    inner = pair.inner
    assert pair.ours.global_mean == pytest.approx(pair.theirs.trainset.global_mean, abs=1e-9)
    scored = inner >= 0
    np.testing.assert_allclose(
        pair.ours.item_bias[scored], pair.theirs.bi[inner[scored]], rtol=0, atol=1e-9
    )
    assert (pair.ours.item_bias[~scored] == 0).all()
    for user in pair.theirs.trainset.all_users():
        raw = pair.theirs.trainset.to_raw_uid(user)
        bias = fold_in(pair.ours, list_of(pair.frame, raw)).user_bias
        assert bias == pytest.approx(pair.theirs.bu[user], abs=1e-9)


def assert_same_similarities(pair: Pair) -> None:
    inner = pair.inner
    scored = np.flatnonzero(inner >= 0)
    expected = np.zeros((len(inner), len(inner)))
    expected[np.ix_(scored, scored)] = pair.theirs.sim[np.ix_(inner[scored], inner[scored])]
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(
        dense_similarity(pair.ours), np.maximum(expected, 0), rtol=0, atol=1e-5
    )


def assert_same_predictions(pair: Pair, users: list[int] | None = None) -> int:
    """Compare every fan and anime that the fan did not score; returns how many were compared.

    Left out are anime on the fan's own list (Surprise makes them their own nearest neighbour) and
    pairs where the k-th and the next neighbour are equally similar, since either may be taken.
    """
    trainset, inner = pair.theirs.trainset, pair.inner
    compared = 0
    for raw in users or pair.frame["user_id"].unique().to_list():
        listed = list_of(pair.frame, raw)
        # What Surprise was not told (entries without a score) is not said to the visitor either.
        listed = type(listed)(
            listed.anime_id[listed.score > 0],
            listed.score[listed.score > 0],
            np.zeros((listed.score > 0).sum(), np.int8),
        )
        ours = predict_knn(pair.ours, fold_in(pair.ours, listed)).score
        own = {i for i, _ in trainset.ur[trainset.to_inner_uid(raw)]} if len(listed.score) else {}
        for position, item in enumerate(inner.tolist()):
            if item in own or (item >= 0 and _undecided(pair.theirs, item, sorted(own))):
                continue
            anime = int(pair.ours.anime_id[position])
            estimate = pair.theirs.predict(raw, anime, clip=False).est
            assert ours[position] == pytest.approx(estimate, abs=1e-4), (raw, anime)
            compared += 1
    return compared


def _undecided(theirs: KNNBaseline, item: int, own: list[int]) -> bool:
    nearest = np.sort(theirs.sim[item, own])[::-1]
    if len(nearest) <= theirs.k or nearest[theirs.k] <= 0:
        return False
    return bool(nearest[theirs.k - 1] - nearest[theirs.k] < 1e-6)


@pytest.mark.parametrize(
    ("fans", "anime", "density", "step", "options"),
    [
        pytest.param(40, 30, 0.08, 1, {}, id="sparse"),
        pytest.param(60, 40, 0.3, 1, {}, id="medium"),
        pytest.param(50, 35, 0.9, 1, {"k": 5}, id="dense, few neighbours"),
        pytest.param(50, 35, 0.4, 1, {"k": 1000}, id="more neighbours than anime"),
        pytest.param(60, 30, 0.4, 1, {"min_support": 6, "k": 8}, id="minimum support"),
        pytest.param(50, 40, 0.3, 1, {"shrinkage": 0}, id="no shrinkage"),
        pytest.param(50, 40, 0.3, 0.1, {"shrinkage": 12.5, "k": 3}, id="fractional scores"),
        pytest.param(
            50, 40, 0.3, 1, {"reg_user": 3, "reg_item": 0.5, "epochs": 4}, id="other baselines"
        ),
        pytest.param(300, 12, 0.5, 1, {"k": 2}, id="many fans, few anime"),
        pytest.param(12, 120, 0.5, 0.5, {"k": 10}, id="few fans, many anime"),
    ],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_random_ratings(
    tmp_path: Path,
    seed: int,
    fans: int,
    anime: int,
    density: float,
    step: float,
    options: dict[str, float],
) -> None:
    frame = random_frame(seed, fans, anime, density, step=step)
    pair = fit_both(frame, tmp_path, **options)
    assert_same_baselines(pair)
    assert_same_similarities(pair)
    assert assert_same_predictions(pair) > 0.05 * fans * anime


def test_an_anime_rated_by_one_fan_and_a_fan_with_one_rating(tmp_path: Path) -> None:
    frame = random_frame(5, 30, 20, 0.6, unscored=0).drop("status")
    lonely = rated_frame([(1, 9001, 9), (999, 9002, 4), (998, frame["anime_id"][0], 10)])
    pair = fit_both(pl.concat([frame.select(lonely.columns).cast(lonely.schema), lonely]), tmp_path)
    assert_same_baselines(pair)
    assert_same_similarities(pair)
    assert assert_same_predictions(pair) > 100
    rated_once = pair.ours.find_positions(np.array([9001, 9002]))
    assert not dense_similarity(pair.ours)[rated_once].any()


def test_an_anime_that_everyone_scored_alike(tmp_path: Path) -> None:
    frame = random_frame(6, 40, 20, 0.7, unscored=0)
    constant = frame["anime_id"][3]
    frame = frame.with_columns(
        pl.when(pl.col("anime_id") == constant).then(8.0).otherwise("rating").alias("rating")
    )
    pair = fit_both(frame, tmp_path)
    assert_same_similarities(pair)
    assert assert_same_predictions(pair) > 100


def test_one_score_for_everything_predicts_that_score(tmp_path: Path) -> None:
    """Surprise divides zero by zero here; ours has no neighbours and stays at the baseline."""
    frame = random_frame(7, 20, 15, 0.5, unscored=0).with_columns(rating=pl.lit(7.0))
    model = train_model(frame, tmp_path)
    assert len(model.similarity.data) == 0
    for user in (1, 2, 3):
        prediction = predict_knn(model, fold_in(model, list_of(frame, user)))
        np.testing.assert_allclose(prediction.score, 7.0, rtol=0, atol=1e-12)


def test_of_equal_neighbours_the_smaller_id_is_used(tmp_path: Path) -> None:
    """Surprise takes whichever came first in its file; ours must not depend on any order."""
    rng = np.random.default_rng(8)
    liking = rng.integers(1, 11, 12)
    # Three anime scored the very same by everyone, hence equally similar to the target.
    rows = [(u, a, float(liking[u])) for u in range(12) for a in (30, 10, 20)]
    rows += [(u, 40, float(np.clip(liking[u] + rng.integers(-1, 2), 1, 10))) for u in range(12)]
    model = train_model(rated_frame(rows), tmp_path, k=2)
    target = int(model.find_positions(np.array([40]))[0])
    similarity = dense_similarity(model)[target]
    assert similarity[0] == similarity[1] == similarity[2] > 0
    visitor = rated_frame([(0, 30, 9), (0, 20, 2), (0, 10, 6)])
    near = predict_knn(model, fold_in(model, list_of(visitor, 0))).neighbourhood
    first = near.indptr[target]
    used = near.entry_position[near.entry_index[first : first + near.neighbour_count[target]]]
    assert sorted(model.anime_id[used].tolist()) == [10, 20]


def test_real_ratings(tmp_path: Path) -> None:
    """600 fans and the 400 most rated anime of the real data; every tenth fan is predicted for."""
    if not REAL_RATINGS.exists():
        pytest.skip(f"{REAL_RATINGS} is not on this machine")
    frame = pl.read_parquet(REAL_RATINGS).filter(pl.col("rating") > 0)
    often = frame["anime_id"].value_counts(sort=True)["anime_id"][:400]
    frame = frame.filter(pl.col("anime_id").is_in(often.to_list()))
    fans = frame["user_id"].unique().sort().gather_every(14)[:600]
    frame = frame.filter(pl.col("user_id").is_in(fans.to_list())).drop("status")
    pair = fit_both(frame.select("user_id", "anime_id", "rating"), tmp_path)
    assert_same_baselines(pair)
    assert_same_similarities(pair)
    assert assert_same_predictions(pair, fans.gather_every(10).to_list()) > 10_000
