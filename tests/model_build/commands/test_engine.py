"""`engine` as an operator runs it."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from app.recommender import Model
from model_build.cli import main
from tests.tiny_model import tiny_ratings


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    path = tmp_path / "ratings.parquet"
    tiny_ratings().write_parquet(path)
    return path


def test_als_is_added_and_asked(
    tiny_model: Path, ratings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "with"
    added = ("engine", "als", "--model", tiny_model, "--ratings", ratings, "--out", out)
    assert main([*map(str, added), "--factors", "6", "--iterations", "5"]) == 0
    model = Model.open(out)
    assert model.engines["als"].item_factors.shape == (len(model), 6)  # type: ignore[attr-defined]
    assert model.manifest.hyperparameters["als_iterations"] == 5
    assert model.manifest.dataset == Model.open(tiny_model).manifest.dataset

    mine = tmp_path / "list.csv"
    mine.write_text(f"anime_id,rating\n{model.anime_id[0]},9\n{model.anime_id[1]},8\n", "utf-8")
    capsys.readouterr()
    asked = ("recommend", "--model", out, "--list", mine, "--engine", "als", "--json")
    assert main(list(map(str, asked))) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["engine"] == "als"
    assert answer["recommendations"]

    again = tmp_path / "again"
    added = ("engine", "als", "--model", out, "--ratings", ratings, "--out", again)
    assert main([*map(str, added), "--factors", "3", "--iterations", "2"]) == 0
    assert Model.open(again).engines["als"].item_factors.shape == (len(model), 3)  # type: ignore[attr-defined]


def test_what_cannot_be_done_is_said(
    tiny_model: Path, ratings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "list.csv"
    mine.write_text("anime_id,rating\n1,9\n", "utf-8")
    assert (
        main(["recommend", "--model", str(tiny_model), "--list", str(mine), "--engine", "als"]) == 2
    )
    said = capsys.readouterr().err
    assert "it has no engine als; `python -m model_build engine als`" in said

    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("mine", "utf-8")
    added = ("engine", "als", "--model", tiny_model, "--ratings", ratings, "--out", foreign)
    assert main(list(map(str, added))) == 2
    assert [path.name for path in foreign.iterdir()] == ["thesis.txt"]

    added = ("engine", "mf", "--model", tiny_model, "--ratings", ratings, "--out", tmp_path / "out")
    with pytest.raises(SystemExit):
        main([*map(str, added), "--weight-rating", "3"])
    assert "unrecognized arguments: --weight-rating 3" in capsys.readouterr().err

    sober = tmp_path / "sober.parquet"
    tiny_ratings().with_columns(pl.col("rating").clip(0, 7)).write_parquet(sober)
    added = ("engine", "als", "--model", tiny_model, "--ratings", sober, "--out", tmp_path / "out")
    capsys.readouterr()
    assert main([*map(str, added), "--with-fans", "--factors", "2", "--iterations", "1"]) == 2
    assert "nobody scored an anime of the model 8 or more" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
