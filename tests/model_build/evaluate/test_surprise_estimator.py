"""Our KNN with baseline under Surprise's interface: equal predictions, and its searches run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from surprise import Dataset, KNNBaseline, Reader, Trainset
from surprise.model_selection import GridSearchCV, KFold, RandomizedSearchCV, cross_validate

from model_build.evaluate.surprise_estimator import HakkenKNNBaseline
from tests.model_build.worlds import random_frame

TIE = 1e-6


def dataset_of(frame: pl.DataFrame, folder: Path) -> Any:
    """The scored entries in an order of their own, as Surprise reads them from a file."""
    scored = frame.filter(pl.col("rating") > 0).sample(fraction=1.0, shuffle=True, seed=3)
    file = folder / "surprise.csv"
    scored.select("user_id", "anime_id", "rating").write_csv(file, include_header=False)
    reader = Reader(line_format="user item rating", sep=",", rating_scale=(1, 10))
    return Dataset.load_from_file(file, reader)


def theirs(
    k: int = 40,
    min_k: int = 1,
    shrinkage: float = 100,
    min_support: int = 1,
    reg_u: float = 15,
    reg_i: float = 10,
    epochs: int = 10,
) -> KNNBaseline:
    return KNNBaseline(
        k=k,
        min_k=min_k,
        verbose=False,
        bsl_options={"method": "als", "reg_u": reg_u, "reg_i": reg_i, "n_epochs": epochs},
        sim_options={
            "name": "pearson_baseline",
            "shrinkage": shrinkage,
            "user_based": False,
            "min_support": min_support,
        },
    )


def undecided(algorithm: KNNBaseline, user: int, item: int) -> bool:
    """Whether the k-th and the next neighbour are equally similar up to rounding."""
    own = [i for i, _ in algorithm.trainset.ur[user]]
    nearest = np.sort(algorithm.sim[item, own])[::-1]
    if len(nearest) <= algorithm.k or nearest[algorithm.k] <= 0:
        return False
    return bool(0 < nearest[algorithm.k - 1] - nearest[algorithm.k] < TIE)


@pytest.mark.parametrize(
    ("density", "options"),
    [
        pytest.param(0.3, {}, id="defaults"),
        pytest.param(0.5, {"k": 4}, id="few neighbours"),
        pytest.param(0.1, {"min_k": 3}, id="too few neighbours to speak"),
        pytest.param(0.4, {"shrinkage": 0, "k": 6}, id="no shrinkage"),
        pytest.param(0.4, {"min_support": 7, "shrinkage": 350.5}, id="minimum support"),
        pytest.param(0.3, {"reg_u": 2, "reg_i": 0.5, "epochs": 3}, id="other baselines"),
    ],
)
def test_every_pair_is_predicted_as_surprise_does(
    tmp_path: Path, density: float, options: dict[str, float]
) -> None:
    """Also pairs in the training set, where an anime is its own neighbour, and unknown ids."""
    frame = random_frame(11, 60, 40, density)
    trainset: Trainset = dataset_of(frame, tmp_path).build_full_trainset()
    ours, reference = HakkenKNNBaseline(**options), theirs(**options)  # type: ignore[arg-type]
    assert ours.fit(trainset) is ours
    reference.fit(trainset)
    compared = 0
    for user in [*trainset.all_users(), "stranger"]:
        for item in [*trainset.all_items(), "unheard of"]:
            known = isinstance(user, int) and isinstance(item, int)
            if known and undecided(reference, user, item):
                continue
            pair = (
                trainset.to_raw_uid(user) if isinstance(user, int) else user,
                trainset.to_raw_iid(item) if isinstance(item, int) else item,
            )
            mine, other = (a.predict(*pair, clip=False) for a in (ours, reference))
            assert mine.est == pytest.approx(other.est, abs=1e-4), pair
            assert mine.details.get("actual_k") == other.details.get("actual_k"), pair
            compared += 1
    assert compared > 0.95 * 61 * 41


def test_many_pairs_at_once_are_predicted_as_one_by_one(tmp_path: Path) -> None:
    """Also what is unknown, or trained on, and what is clipped."""
    frame = random_frame(14, 50, 40, 0.3)
    trainset: Trainset = dataset_of(frame, tmp_path).build_full_trainset()
    users = [*map(trainset.to_raw_uid, trainset.all_users()), "stranger"]
    items = [*map(trainset.to_raw_iid, trainset.all_items()), "unheard of"]
    rng = np.random.default_rng(4)
    pairs = [(rng.choice(users), rng.choice(items), float(rng.integers(1, 11))) for _ in range(900)]
    for min_k in (1, 4):
        algorithm = HakkenKNNBaseline(k=5, min_k=min_k).fit(trainset)
        found = algorithm.test(pairs)
        alone = [algorithm.predict(*pair) for pair in pairs]
        assert [each[:3] for each in found] == pairs
        assert [each.details for each in found] == [each.details for each in alone]
        np.testing.assert_allclose([p.est for p in found], [p.est for p in alone], atol=1e-12)
    assert max(each.est for each in found) == 10


def test_neighbours_are_those_of_surprise(tmp_path: Path) -> None:
    trainset = dataset_of(random_frame(12, 80, 30, 0.5), tmp_path).build_full_trainset()
    ours, reference = HakkenKNNBaseline().fit(trainset), theirs().fit(trainset)
    told = 0
    for item in trainset.all_items():
        near = ours.get_neighbors(item, 5)
        expected = [i for i in reference.get_neighbors(item, 5) if reference.sim[item, i] > 0]
        assert near == expected
        told += len(near)
    assert told > 100


def test_cross_validation_measures_what_surprise_measures(tmp_path: Path) -> None:
    data = dataset_of(random_frame(13, 80, 40, 0.4), tmp_path)
    found = [
        cross_validate(algorithm, data, ["rmse", "mae"], KFold(3, random_state=1))
        for algorithm in (HakkenKNNBaseline(k=15), theirs(k=15))
    ]
    for measure in ("test_rmse", "test_mae"):
        np.testing.assert_allclose(found[0][measure], found[1][measure], rtol=0, atol=1e-4)
    assert 0.2 < found[0]["test_rmse"].mean() < 3


def test_a_grid_search_finds_what_it_finds_with_surprise(tmp_path: Path) -> None:
    data = dataset_of(random_frame(14, 80, 40, 0.4), tmp_path)
    folds = KFold(3, random_state=1)
    ours = GridSearchCV(
        HakkenKNNBaseline, {"k": [2, 20], "shrinkage": [0, 50, 400]}, ["rmse"], cv=folds
    )
    ours.fit(data)
    expected = [
        cross_validate(theirs(k=k, shrinkage=shrinkage), data, ["rmse"], folds)["test_rmse"].mean()
        for k in (2, 20)
        for shrinkage in (0, 50, 400)
    ]
    np.testing.assert_allclose(ours.cv_results["mean_test_rmse"], expected, rtol=0, atol=1e-4)
    assert ours.best_score["rmse"] == pytest.approx(min(expected), abs=1e-4)


def test_the_search_of_the_original_runs_in_parallel_processes(tmp_path: Path) -> None:
    search = RandomizedSearchCV(
        HakkenKNNBaseline,
        {"k": [3, 9, 27], "shrinkage": [10, 100, 300]},
        n_iter=4,
        cv=3,
        random_state=5,
        n_jobs=2,
        refit=True,
    )
    data = dataset_of(random_frame(15, 50, 30, 0.4), tmp_path)
    search.fit(data)
    assert len(search.cv_results["mean_test_rmse"]) == 4
    chosen = search.best_params["rmse"]
    best = search.best_estimator["rmse"]
    assert (best.k, best.shrinkage) == (chosen["k"], chosen["shrinkage"])
    user, item, *_ = data.raw_ratings[0]
    assert 1 <= search.predict(user, item).est <= 10


def test_a_pair_rated_twice_is_refused() -> None:
    data = Dataset(Reader(rating_scale=(1, 10)))
    rows = [("ann", 1, 7, None), ("bob", 5, 9, None), ("bob", 1, 3, None), ("bob", 5, 2, None)]
    with pytest.raises(ValueError, match="user bob rated item 5 more than once"):
        HakkenKNNBaseline().fit(data.construct_trainset(rows))
