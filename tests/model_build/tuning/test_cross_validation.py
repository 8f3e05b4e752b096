"""Surprise's randomised search as a command: what it measures, writes, and train takes from it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from surprise import Dataset, KNNBaseline, Reader
from surprise.model_selection import KFold, cross_validate

from app.recommender import Model
from model_build.data.ratings import ratings_fingerprint, read_ratings
from model_build.train.hyperparameters import read_hyperparameters
from model_build.tuning.search_spaces import SEARCH_SPACES, ParameterRange
from tests.model_build.worlds import random_frame, run_command

OPTIONS = ("--folds", 3, "--fans", 120, "--trials", 4, "--seed", 5)


@pytest.fixture(scope="module")
def ratings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("folds") / "ratings.parquet"
    random_frame(81, 120, 40, 0.4).write_parquet(file)
    return file


@pytest.fixture(scope="module")
def searched(ratings: Path) -> dict[str, Any]:
    out = ratings.with_name("search.json")
    done = run_command("tune", "--ratings", ratings, "--out", out, *OPTIONS)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(out.read_text("utf-8"))
    best = found["search"]["best"]
    assert f"rmse {best['rmse']:.5g}" in done.stdout
    return found


def test_every_trial_is_written_and_the_least_error_wins(
    searched: dict[str, Any], ratings: Path
) -> None:
    search, ranges = searched["search"], SEARCH_SPACES["knn"].ranges
    assert len(search["trials"]) == 4
    assert (search["users"], search["folds"], search["seed"]) == (120, 3, 5)
    assert search["ratings"] == ratings_fingerprint(read_ratings([ratings]))
    for trial in (*search["trials"], search["defaults"]):
        assert len(trial["fold_rmse"]) == 3
        assert trial["rmse"] == pytest.approx(np.mean(trial["fold_rmse"]))
        assert set(trial["settings"]) == {"k", "shrinkage"}
        for name, value in trial["settings"].items():
            assert ranges[name].low <= value <= ranges[name].high
    assert search["best"] == min(search["trials"], key=lambda trial: trial["rmse"])
    assert searched["settings"] == search["best"]["settings"]
    assert search["defaults"]["settings"] == {"k": 40, "shrinkage": 100}


def test_trials_measure_as_surprise_itself_does(searched: dict[str, Any], ratings: Path) -> None:
    """Its own KNNBaseline, on the same folds: all fans were drawn, in the order of the table."""
    scored = pl.read_parquet(ratings).filter(pl.col("rating") > 0)
    assert searched["search"]["scores"] == len(scored)
    data = Dataset(Reader(rating_scale=(1, 10)))
    data.raw_ratings = [
        (*row, None) for row in scored.select("user_id", "anime_id", "rating").rows()
    ]
    for trial in searched["search"]["trials"][:2]:
        similarity = {
            "name": "pearson_baseline",
            "user_based": False,
            "shrinkage": trial["settings"]["shrinkage"],
        }
        theirs = KNNBaseline(k=trial["settings"]["k"], sim_options=similarity, verbose=False)
        folds = KFold(3, random_state=5)
        expected = cross_validate(theirs, data, ["rmse"], folds)["test_rmse"]
        np.testing.assert_allclose(trial["fold_rmse"], expected, atol=1e-3)


def test_the_same_search_finds_the_same(
    searched: dict[str, Any], ratings: Path, tmp_path: Path
) -> None:
    done = run_command("tune", "--ratings", ratings, "--out", tmp_path / "again.json", *OPTIONS)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "again.json").read_text("utf-8")) == searched


def test_train_takes_the_settings_and_says_where_they_are_from(
    searched: dict[str, Any], ratings: Path, tmp_path: Path
) -> None:
    file = ratings.with_name("search.json")
    assert read_hyperparameters(file) == searched["settings"]
    trained = run_command(
        "train", "--ratings", ratings, "--settings", file, "--out", tmp_path / "m", "--quiet"
    )
    assert trained.returncode == 0, trained.stderr
    model = Model.open(tmp_path / "m")
    used = model.manifest.hyperparameters
    assert {name: used[name] for name in searched["settings"]} == searched["settings"]
    assert model.neighbour_count == searched["settings"]["k"]
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    assert used["settings_file"] == (
        f"search.json, sha256 {digest}, python -m model_build tune --folds 3 --fans 120 "
        "--trials 4 --seed 5"
    )


@pytest.mark.parametrize(
    "values",
    [
        ParameterRange(5, 300, log=True),
        ParameterRange(1, 20),
        ParameterRange(10.0, 3000.0, log=True),
        ParameterRange(0.0, 0.4),
    ],
)
def test_values_are_drawn_from_the_whole_range(values: ParameterRange) -> None:
    drawn = [values.rvs(np.random.RandomState(seed)) for seed in range(3000)]
    assert values.low <= min(drawn) < max(drawn) <= values.high
    middle = np.sqrt(values.low * values.high) if values.log else (values.low + values.high) / 2
    assert np.mean(np.array(drawn) < middle) == pytest.approx(0.5, abs=0.04)
    if isinstance(values.low, int):
        assert {type(value) for value in drawn} == {int}
        assert {values.low, values.high} <= set(drawn)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--folds", 1), "--folds: 1 is not a whole number of at least 2"),
        (("--folds", 3, "--parts", "knn"), "--parts: not allowed with argument --folds"),
        (("--folds", 3, "--only", "reg_user"), "--only reg_user: not a setting that --folds"),
        (("--folds", 50, "--fans", 1), "--folds 50: the scores of --fans 1 are "),
        (("--folds", 3, "--fans", 5000), "--fans 5000: only 120 have 5 scores or more"),
    ],
)
def test_what_cannot_be_searched_is_refused(
    ratings: Path, tmp_path: Path, options: tuple[object, ...], said: str
) -> None:
    done = run_command("tune", "--ratings", ratings, "--out", tmp_path / "s.json", *options)
    assert done.returncode == 2
    assert said in done.stderr
