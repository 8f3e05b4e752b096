"""Hidden anime are found again by their facts, where facts say anything."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from model_build.cli import main
from model_build.evaluate.metrics import roc_auc

KINDS, PER_KIND = 4, 30


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Fans who watch one genre each and score it high, and little else."""
    rng = np.random.default_rng(2)
    rows = []
    for fan in range(600):
        for anime in range(KINDS * PER_KIND):
            own = anime % KINDS == fan % KINDS
            if rng.random() < (0.5 if own else 0.1):
                score = int(np.clip(round(rng.normal(8.5 if own else 5.5, 1)), 1, 10))
                rows.append((fan, anime + 1, score, 2))
    folder = tmp_path_factory.mktemp("cold")
    schema = ["user_id", "anime_id", "rating", "status"]
    pl.DataFrame(rows, schema=schema, orient="row").write_csv(folder / "ratings.csv")
    numbers = range(KINDS * PER_KIND)
    pl.DataFrame(
        {
            "anime_id": [n + 1 for n in numbers],
            # Numbered titles would be one series.
            "title": ["".join(chr(97 + (n + 3) * k % 26) for k in range(2, 20)) for n in numbers],
            "type": ["TV"] * len(numbers),
            "genres": [f"Genre {n % KINDS}" for n in numbers],
        }
    ).write_csv(folder / "anime.csv")
    return folder / "ratings.csv", folder / "anime.csv"


def test_hidden_anime_are_found_by_their_facts(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    ratings, catalogue = files
    command = ["cold", "--ratings", str(ratings), "--catalogue", str(catalogue), "--fans", "60"]
    assert main([*command, "--hide", "24", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    facts, fans = found["their facts"], found["their fans"]
    assert found["counts"]["anime"] == 24
    assert facts["auc"] > 0.8
    assert fans["auc"] > facts["auc"] - 0.05
    assert facts["expected_error"] > fans["expected_error"], "less is known, so less is promised"
    assert facts["rmse"] < 2.0


@pytest.mark.parametrize(
    ("hide", "fans", "wanted"),
    [
        (500, 60, "500 anime with type and genres cannot be left out of"),
        (1, 1, "none of 1 fans left out liked and scored one of 1 hidden anime"),
    ],
)
def test_what_cannot_be_hidden_or_found_is_told_before_training(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str], hide: int, fans: int, wanted: str
) -> None:
    ratings, catalogue = files
    command = ["cold", "--ratings", str(ratings), "--catalogue", str(catalogue), "--seed", "1"]
    assert main([*command, "--hide", str(hide), "--fans", str(fans)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert wanted in line


def test_what_cannot_be_measured_is_null(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    ratings, catalogue = files
    command = ["cold", "--ratings", str(ratings), "--catalogue", str(catalogue)]
    assert main([*command, "--hide", "1", "--fans", "60", "--json"]) == 0
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found["their facts"]["auc"] is None


def test_a_catalogue_without_genres_is_told(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ratings, catalogue = files
    bare = tmp_path / "bare.csv"
    pl.read_csv(catalogue).drop("genres").write_csv(bare)
    assert main(["cold", "--ratings", str(ratings), "--catalogue", str(bare)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("the catalogue has no column genres, which new anime need.")


def test_auc_counts_pairs_and_halves_equals() -> None:
    value = np.array([3.0, 1.0, 2.0, 2.0])
    assert roc_auc(value, np.array([True, False, False, False])) == 1.0
    assert roc_auc(value, np.array([False, False, True, False])) == pytest.approx(1.5 / 3)
