"""Recommending from what fans did, and the predictors beside each other, as steps of one file."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import polars as pl
import pytest

from app.recommender import Model
from model_build.cli import main
from model_build.pipeline.config import read_config
from model_build.pipeline.plan import plan_tasks
from model_build.pipeline.results import track_results
from model_build.tracking.trackers import ExperimentTracker, Tracking
from model_build.tuning import als_grid
from tests.model_build.pipeline.shop import CONFIG, Shop, make_shop
from tests.model_build.worlds import ROOT, random_frame

Capture = pytest.CaptureFixture[str]
QUICK = "factors = 2\niterations = 1\n"
CHAIN = f"""
[implicit.compare]
{QUICK}
[implicit.grid]
factors = [2, 3]
regularization = [0.1]
iterations = [1, 2]

[implicit.strengths]
{QUICK}
[implicit.events]
{QUICK}
[neural]
models = ["svd"]
fans = 15

[mlflow]
model_files = false

[wandb]
mode = "offline"
"""


def did(folder: Path) -> None:
    """What the made-up fans did: what they love most are favourites."""
    frame = random_frame(3, 80, 50, 0.5)
    loved = (pl.col("rating") >= 9).alias("favourite")
    frame.with_columns(loved).write_parquet(folder / "interactions.parquet")


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A build with every part, whose ALS has nothing set but what it has to find."""
    folder = tmp_path_factory.mktemp("implicit")
    config = CONFIG.replace("[data]", '[data]\ninteractions = "interactions.parquet"')
    config = config.replace("[engines.als]\nfactors = 4\niterations = 3\n", "[engines.als]\n")
    config = config.partition("[compare]")[0]
    shop = make_shop(folder / "shop", config + CHAIN)
    did(shop.folder)
    done = subprocess.run(
        [sys.executable, "-m", "model_build", *shop.command()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HOME": str(folder)},
    )
    assert done.returncode == 0, done.stderr
    return shop


def test_strengths_and_the_best_of_the_grid_become_the_engine(chain: Shop) -> None:
    strengths = chain.read("strengths.json")
    runs = chain.read("implicit-grid.json")
    assert len(runs) == 4
    assert pl.read_csv(chain.work / "grid" / "grid.csv").height == 4
    best = max(runs, key=lambda run: run["measured"]["map@10"])
    for folder in ("model", "twin/als"):
        fitted = Model.open(chain.work / folder).manifest.hyperparameters
        assert fitted["als_iterations"] == best["iterations"]
        for name, value in strengths.items():
            assert fitted[f"als_{name}"] == value, name


def test_each_part_has_its_table(chain: Shop) -> None:
    compared = {row["name"]: row["measured"] for row in chain.read("implicit-compare.json")}
    assert list(compared) == ["popularity", "als-fixed", "als-learnt", "als-grid", "match"]
    assert all(0 < measured["new_ndcg@10"] <= 1 for measured in compared.values())
    events = {row["name"]: row for row in chain.read("implicit-events.json")}
    assert list(events) == ["statuses", "favourite", "all"]
    assert events["favourite"]["count"] > 0
    learnt = [row["name"] for row in chain.read("implicit-strengths.json")]
    assert learnt == ["popularity", "als-fixed", "als-learnt"]
    predictors = {row["name"]: row["told"] for row in chain.read("neural.json")}
    assert list(predictors) == ["base", "svd"]
    assert 0 < predictors["svd"]["rmse"] < 5


def test_a_part_is_what_the_command_prints(chain: Shop, capsys: Capture) -> None:
    data = ("--interactions", chain.folder / "interactions.parquet", "--seed", 7, "--json")
    words = ("implicit", "strengths", "--factors", 2, "--iterations", 1, *data)
    assert main(list(map(str, (*words, "--out", chain.folder / "by-hand.json")))) == 0
    printed = json.loads(capsys.readouterr().out)
    assert untimed(printed) == untimed(chain.read("implicit-strengths.json"))
    assert json.loads((chain.folder / "by-hand.json").read_text("utf-8")) == (
        chain.read("strengths.json")
    )


def untimed(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{**row, "train_seconds": 0} for row in rows]


def test_trackers_have_all_of_it(chain: Shop) -> None:
    with closing(sqlite3.connect(chain.work / "mlflow.db")) as database:
        ((place,),) = database.execute("select artifact_uri from runs").fetchall()
        measured = dict(database.execute("select key, value from metrics").fetchall())
        configured = dict(database.execute("select key, value from params").fetchall())
    (popular, *_, hakken) = chain.read("implicit-compare.json")
    for row in (popular, hakken):
        found = measured[f"implicit.compare.{row['name']}.new_ndcg_at_10"]
        assert found == pytest.approx(row["measured"]["new_ndcg@10"])
    best = max(run["measured"]["map@10"] for run in chain.read("implicit-grid.json"))
    assert measured["implicit.grid.best.map_at_10"] == pytest.approx(best)
    (_, svd) = chain.read("neural.json")
    assert measured["neural.svd.rmse"] == pytest.approx(svd["told"]["rmse"])
    assert configured["implicit.grid.iterations"] == "(1, 2)"
    assert configured["neural.models"] == "('svd',)"
    folder = Path(place.removeprefix("file://"))
    parts = ("implicit-strengths", "implicit-events", "implicit-grid", "implicit-compare", "neural")
    for part in parts:
        assert json.loads((folder / f"{part}.json").read_text("utf-8")) == chain.read(
            f"{part}.json"
        )
        table = json.loads((folder / f"{part}-table.json").read_text("utf-8"))
        assert len(table["data"]) == len(chain.read(f"{part}.json"))
    assert {"strengths.json", "grid.csv"} <= {file.name for file in folder.iterdir()}
    (run,) = (chain.work / "wandb").glob("offline-run-*")
    kept = {file.name.partition("_")[0] for file in run.rglob("*.table.json")}
    assert set(parts) <= kept


def test_it_runs_alone_without_ratings_or_a_model(tmp_path: Path, capsys: Capture) -> None:
    text = f'[data]\ninteractions = "interactions.parquet"\n[implicit.compare]\n{QUICK}'
    shop = make_shop(tmp_path / "shop", text)
    did(shop.folder)
    assert shop.build(capsys) == {"implicit-compare": "not done yet"}
    assert set(shop.build(capsys).values()) == {"up to date"}
    told = shop.build(capsys, "--set", "implicit.compare.factors=3")
    assert told == {"implicit-compare": "factors is 3, was 2"}
    line = shop.refused(capsys, "--set", "neural.fans=5")
    assert "neural: needs ratings; set data.ratings" in line
    line = shop.refused(capsys, "--set", "implicit.lattice.x=5")
    assert "implicit.lattice is not known; expected strengths, events, grid, compare" in line


def test_a_grid_goes_on_and_begins_again_where_what_it_is_on_changed(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = "[implicit.grid]\nfactors = [2]\nregularization = [0.1]\niterations = [1]\n"
    shop = make_shop(tmp_path / "shop", f'[data]\ninteractions = "interactions.parquet"\n{grid}')
    did(shop.folder)
    shop.build(capsys)
    (before,) = shop.read("implicit-grid.json")
    shop.build(capsys, "--set", "implicit.grid.iterations=[1,2]")
    assert shop.read("implicit-grid.json")[0] == before, "measured once, its seconds included"
    shop.build(capsys, "--set", "implicit.grid.alpha=2")
    (other,) = shop.read("implicit-grid.json")
    assert other["measured"] != before["measured"]

    measured = []
    evaluate = als_grid.evaluate_iterations

    def counted(*given: Any) -> None:
        measured.append(given)
        evaluate(*given)

    monkeypatch.setattr(als_grid, "evaluate_iterations", counted)
    (shop.work / "state" / "implicit-grid.json").unlink()  # as after a kill
    options = ("--set", "implicit.grid.alpha=2")
    assert shop.build(capsys, *options) == {"implicit-grid": "not done yet"}
    assert not measured
    shop.build(capsys, *options, "--force")
    assert len(measured) == 1
    monkeypatch.setattr("model_build.pipeline.runner.code_digest", lambda _: "new")
    assert shop.build(capsys, *options) == {"implicit-grid": "its code changed"}
    assert len(measured) == 2
    (shop.work / "grid" / "grid.csv").write_text("mine\n", "utf-8")
    shop.build(capsys, *options)
    assert len(measured) == 3
    alone = ("implicit", "grid", "--interactions", shop.folder / "interactions.parquet")
    assert main(list(map(str, (*alone, "--table", shop.work / "grid")))) == 2
    assert "name another folder, or add --start-over" in capsys.readouterr().err


def test_a_run_of_the_grid_that_measured_nothing_is_not_the_best(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop", '[data]\ninteractions = "i.parquet"\n[implicit.grid]\n')
    config = read_config(shop.config)
    found = [None, 0.25, 0.0]
    (shop.work / "grid").mkdir(parents=True)
    (shop.work / "implicit-grid.json").write_text(
        json.dumps([{"name": f"{at}", "measured": {"map@10": x}} for at, x in enumerate(found)])
    )
    told: list[dict[str, float]] = []
    tracker = SimpleNamespace(log_metrics=told.append, start_run=lambda _: None)
    tracking = Tracking({"ours": lambda: cast("ExperimentTracker", tracker)})
    tracking.start_run({})
    track_results(tracking, config, plan_tasks(config))
    assert told == [{"implicit.grid.best.map@10": 0.25}]


def test_what_a_section_sets_goes_before_what_was_found(tmp_path: Path) -> None:
    text = (
        '[data]\ninteractions = "i.parquet"\nratings = "r.csv"\n[train]\n'
        '[engines.als]\nstrengths = "mine.json"\n[implicit.strengths]\n[implicit.grid]\n'
    )
    shop = make_shop(tmp_path / "shop", text)
    tasks = {task.name: task for task in plan_tasks(read_config(shop.config))}
    assert list(tasks) == ["implicit-strengths", "implicit-grid", "train", "engines-als"]
    assert tasks["engines-als"].inputs() == {
        "model": [str(shop.work / "steps" / "train")],
        "interactions": [str(shop.folder / "i.parquet")],
        "strengths": [str(shop.folder / "mine.json")],
        "grid": [str(shop.work / "grid")],
    }
    assert tasks["implicit-grid"].inputs()["strengths"] == [str(shop.work / "strengths.json")]
