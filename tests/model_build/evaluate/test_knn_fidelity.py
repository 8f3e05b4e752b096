"""`evaluate --full-knn`: a compact model is as the full matrix, and one that is cut is told."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from app.recommender.artifact import read_manifest
from tests.model_build.worlds import random_frame, run_command

N_FANS = 40
BUNDLED = Path(__file__).parents[3] / "bundled_model"


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fidelity")
    random_frame(71, 240, 90, 0.4).write_parquet(folder / "all.parquet")
    done = run_command(
        "split", "--ratings", folder / "all.parquet", "--out", folder / "split", "--fans", N_FANS
    )
    assert done.returncode == 0, done.stderr
    return folder / "split"


def evaluated(split: Path, *options: object) -> dict[str, float]:
    """Train with some options and compare with the full matrix."""
    model = split / "model"
    ratings = ("--ratings", split / "ratings.parquet")
    trained = run_command("train", *ratings, "--out", model, "--quiet", "--k", 15, *options)
    assert trained.returncode == 0, trained.stderr
    lists = ("--lists", split / "lists.parquet", "--holdout", split / "holdout.parquet")
    command = ("evaluate", "--model", model, *lists, *ratings, "--full-knn", N_FANS, "--json")
    done = run_command(*command)
    assert done.returncode == 0, done.stderr
    found: dict[str, float] = json.loads(done.stdout)
    assert found["score_lists"] == N_FANS
    return found


def test_a_compact_model_serves_what_the_full_matrix_would(split: Path) -> None:
    """Some pairs are not stored: no anime of them has the ratings to come first."""
    counts = pl.read_parquet(split / "ratings.parquet").filter(pl.col("rating") > 0)
    few = counts.group_by("anime_id").len().filter(pl.col("len") < 30)
    assert len(few) >= 5
    found = evaluated(split, "--precision", "compact", "--shrinkage", 20)
    assert found["score_top20_kept"] == found["score_top20_kept_least"] == 20
    assert 0 < found["score_largest_difference"] < 0.01


def test_a_model_that_keeps_all_neighbours_is_the_full_matrix(split: Path) -> None:
    found = evaluated(split, "--reg-item", 3, "--neighbours", 90)
    assert found["score_top20_kept_least"] == 20
    assert found["score_largest_difference"] < 1e-9


def test_a_model_that_keeps_few_is_told(split: Path) -> None:
    found = evaluated(split, "--neighbours", 8)
    assert found["score_top20_kept_least"] < found["score_top20_kept"] < 19
    assert found["score_largest_difference"] > 0.1


def test_the_bundled_model_was_measured_on_200_lists() -> None:
    """`scripts/rebuild_model` trains with the same settings on all but 1,000 fans, and measures."""
    measured = read_manifest(BUNDLED).metrics
    assert measured["score_lists"] == 200
    assert measured["score_top20_kept_least"] >= 19
    assert measured["score_largest_difference"] <= 0.02
    assert measured["users"] == 1000
    assert measured["ndcg@10"] > 0.61
    assert measured["rmse"] < 1.06


def test_without_ratings_nothing_can_be_compared(split: Path) -> None:
    done = run_command(
        "evaluate", "--model", split, "--lists", split / "lists.parquet",
        "--holdout", split / "holdout.parquet", "--full-knn", 5,
    )  # fmt: skip
    assert done.returncode == 2
    assert "--full-knn: needs what the model was trained on; add --ratings" in done.stderr
