"""`implicit`, and `engine als` on interactions, as an operator runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix

from app.recommender import Model
from app.recommender.engines.als import InteractionStrengths
from model_build.cli import main
from model_build.data.interactions import read_interactions
from model_build.engines.als import AlsSettings, fit_als_factors, weighted_user_items
from model_build.util.errors import InputError
from tests.model_build.data.prepared_ratings import write_prepared
from tests.tiny_model import tiny_ratings


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the tiny model's fans did; one that nobody scored."""
    path = tmp_path_factory.mktemp("did") / "interactions.parquet"
    frame = tiny_ratings().with_columns((pl.col("rating") >= 9).alias("favourite"))
    frame.with_columns(pl.lit(0).alias("rating")).write_parquet(path)
    return path


def run(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    assert main(list(map(str, words))) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    assert main(list(map(str, words))) == 2
    return capsys.readouterr().err


def test_favourites_add_to_the_strength(file: Path) -> None:
    frame = pl.read_parquet(file)
    read = read_interactions((), [file])
    assert read.favourite.tolist() == frame["favourite"].to_list()
    strength = weighted_user_items(read, InteractionStrengths())
    completed = (frame["status"] == 2).to_numpy()
    value = np.asarray(strength[read.entries.user, read.entries.item]).ravel()
    assert set(value[completed & read.favourite]) == {11.0}
    assert set(value[completed & ~read.favourite]) == {6.0}


def test_strengths_then_a_grid_whose_best_is_the_model(
    file: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strengths, table, out = tmp_path / "strengths.json", tmp_path / "grid", tmp_path / "with"
    quick = ("--factors", 2, "--iterations", 1)
    data = ("--interactions", file)
    said = run(capsys, "implicit", "strengths", *data, *quick, "--out", strengths)
    assert [line.split("|")[1].strip() for line in said.splitlines()[4:]] == [
        "Popularity",
        "ALS, fixed",
        "ALS, learnt",
    ]
    learnt = json.loads(strengths.read_text("utf-8"))
    grid = ("implicit", "grid", *data, "--strengths", strengths, "--dropped", 0.5)
    axes = ("--factors", 2, 4, "--regularization", 0, 0.1, "--iterations", 1, 2)
    target = ("--model", tiny_model, "--out", out)
    said = run(capsys, *grid, *axes, "--table", table, *target)
    assert "8 runs in" in said
    rows = pl.read_csv(table / "grid.csv")
    assert len(rows) == 8
    best = rows.sort("map@10", descending=True, maintain_order=True).row(0, named=True)
    numbers = Model.open(out).manifest.hyperparameters
    for name in ("factors", "regularization", "iterations"):
        value = numbers[f"als_{name}"] if name != "factors" else _factors(out)
        assert value == best[name], name
    assert numbers["als_completed"] == learnt["completed"]
    assert numbers["als_dropped"] == 0.5  # an option goes before the file
    assert ", 0 of them new" in run(capsys, *grid, *axes, "--table", table)


def test_json_has_no_nan_and_each_measure_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody has an anime of another, so what is hidden of it is known to nobody."""
    file = tmp_path / "interactions.parquet"
    anime = pl.int_range(1, 101, eager=True)
    frame = pl.DataFrame({"user_id": (anime - 1) // 5, "anime_id": anime, "rating": 0})
    frame.with_columns(favourite=False).write_parquet(file)
    data = ("--interactions", file, "--iterations", 1, "--json")
    axes = ("--factors", 2, "--regularization", 0.1, "--table", tmp_path / "grid")
    (run_of_grid,) = strict_json(run(capsys, "implicit", "grid", *data, *axes))
    assert run_of_grid["measured"]["map@10"] is None
    events = strict_json(run(capsys, "implicit", "events", *data, "--factors", 2))
    for row in events:
        assert set(row) == {"name", "count", "strength", "measured"}
        assert row["measured"]["new_map@10"] is None


def strict_json(text: str) -> Any:
    """As others than Python read it, who know no NaN."""
    return json.loads(text, parse_constant=pytest.fail)


def _factors(model: Path) -> int:
    return int(np.load(model / "als_item_factors.npy").shape[1])


def test_beside_popularity_and_hakken(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scored = tmp_path / "ratings.parquet"
    tiny_ratings().write_parquet(scored)
    quick = ("--factors", 2, "--iterations", 1)
    titles = ["Popularity", "ALS, fixed strengths", "Hakken, best match"]
    for data, wanted in (
        (("--ratings", scored), titles),
        (("--interactions", file), titles[:2]),  # nobody scores anything
    ):
        said = run(capsys, "implicit", "compare", *data, *quick)
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in said.splitlines()[2:]]
        assert [row[0] for row in rows] == wanted
        for row in rows:
            assert all(0 < float(cell) <= 1 for cell in row[1:-1])


def test_the_engine_learns_its_strengths(
    file: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "with"
    learn = ("--learn-strengths", "--factors", 2, "--iterations", 1)
    run(
        capsys, "engine", "als", "--model", tiny_model, "--interactions", file, *learn, "--out", out
    )
    assert "als" in Model.open(out).engines


def test_what_cannot_be_used_is_said(
    file: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = ("implicit", "grid", "--table", tmp_path / "grid")
    assert "name --ratings, --interactions or both" in refused(capsys, *grid)
    bare, text = tmp_path / "bare.parquet", tmp_path / "did.csv"
    pl.read_parquet(file).drop("favourite").write_parquet(bare)
    pl.read_parquet(file).write_csv(text)
    assert "expected a column favourite" in refused(capsys, *grid, "--interactions", bare)
    assert "as `collect` writes them" in refused(capsys, *grid, "--interactions", text)
    twice = refused(capsys, *grid, "--ratings", bare, "--interactions", file)
    assert "stand there again, first in" in twice
    write_prepared(tmp_path / "prepared", tiny_ratings(), 1)
    alone = refused(capsys, *grid, "--ratings", tmp_path / "prepared", "--interactions", file)
    assert "prepared ratings are read alone; name nothing beside them" in alone
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"completed": 1}', "utf-8")
    said = refused(capsys, *grid, "--interactions", file, "--strengths", wrong)
    assert "expected a number for each of completed, favourite" in said
    said = refused(capsys, *grid, "--interactions", file, "--model", tiny_model)
    assert "--model and --out go together" in said
    assert not (tmp_path / "grid").exists()


@pytest.mark.parametrize("option", ["--alpha", "--completed", "--regularization"])
def test_settings_far_from_all_sense_are_refused(
    file: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    command = ("implicit", "events", "--interactions", file, "--factors", 2, "--iterations", 2)
    with pytest.raises(SystemExit):
        run(capsys, *command, option, 10_001)
    assert "is not a number of at most 10000" in capsys.readouterr().err


def test_als_that_comes_to_no_numbers_says_so() -> None:
    lists = csr_matrix(np.eye(20, dtype=np.float32))
    with pytest.raises(InputError, match="ALS came to no numbers with alpha 1e"):
        fit_als_factors(lists, AlsSettings(alpha=1e25))
