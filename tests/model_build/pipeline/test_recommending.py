"""The pipeline recommends, in each of its ways, and says so to trackers."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from model_build.cli import main
from tests.model_build.pipeline.shop import CONFIG, Shop, make_shop
from tests.model_build.worlds import ROOT

STEPS = """
[by_ratings]
list = "list.csv"
top = 4
type = ["tv"]

[similar_anime]
title = "TITLE"
engine = "als"
top = 3

[similar_users]
list = "list.csv"
prefer = ["genres"]
top = 5
"""


@pytest.fixture
def recommending(shop: Shop) -> Shop:
    """The build, with a list and the three steps; its engine knows centres of fans."""
    ids = shop_ids(shop)
    rows = "".join(f"{anime_id},9\n" for anime_id in ids[5:12])
    (shop.folder / "list.csv").write_text(f"anime_id,rating\n{rows}", "utf-8")
    steps = STEPS.replace("TITLE", f"title {ids[8]}")
    config = CONFIG.replace("[engines.als]", "[engines.als]\nwith_centres = true")
    shop.config.write_text(config + steps, "utf-8")
    return shop


def shop_ids(shop: Shop) -> list[int]:
    import polars as pl

    ids: list[int] = pl.read_parquet(shop.folder / "anime.parquet")["anime_id"].to_list()
    return ids


def test_each_way_is_a_step_with_a_file(
    recommending: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    done = recommending.build(capsys)
    assert {"by_ratings", "similar_anime", "similar_users"} <= done.keys()
    ids = shop_ids(recommending)
    picks = recommending.read("by-ratings.json")["recommendations"]
    assert [row["rank"] for row in picks] == [1, 2, 3, 4]
    assert not {row["anime_id"] for row in picks} & set(ids[5:12])
    alike = recommending.read("similar-anime.json")
    assert (alike["engine"], alike["anime_id"], len(alike["similar"])) == ("als", ids[8], 3)
    fans = recommending.read("similar-users.json")
    assert fans["nearest"] >= 50
    assert 0 < len(fans["recommendations"]) <= 5
    # The same as by hand.
    model, file = recommending.work / "model", recommending.folder / "list.csv"
    asked = ["recommend", "--model", str(model), "--list", str(file), "--top", "4", "--type", "tv"]
    assert main([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == recommending.read("by-ratings.json")


def test_a_step_runs_alone_and_only_if_what_it_reads_changed(
    recommending: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    recommending.build(capsys)
    assert set(recommending.build(capsys).values()) == {"up to date"}
    (recommending.folder / "list.csv").write_text(
        f"anime_id,rating\n{shop_ids(recommending)[0]},10\n", "utf-8"
    )
    alone = recommending.build(capsys, "--only", "by_ratings")
    assert list(alone) == ["by_ratings"]
    assert alone["by_ratings"] != "up to date"
    rest = recommending.build(capsys, "--from", "by_ratings")
    assert rest["by_ratings"] == "up to date"
    assert rest["similar_anime"] == "up to date"
    assert rest["similar_users"] != "up to date"


def test_settings_are_searched_and_trained_with(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    tune = '\n[tune]\nfolds = 2\ntrials = 2\nfans = 40\nonly = ["k"]\n'
    config = CONFIG.replace("k = 8\n", "")
    shop.config.write_text(config + tune, "utf-8")
    done = shop.build(capsys)
    assert list(done).index("tune") < list(done).index("train")
    found = shop.read("settings.json")["settings"]
    assert shop.model.hyperparameters["k"] == found["k"]
    assert "settings.json" in str(shop.model.hyperparameters["settings_file"])
    refused = shop.refused(capsys, "--set", "train.pretrained=bundled")
    assert "tune: finds the settings to train with, so it does not go with" in refused


def test_a_search_goes_on_and_begins_again_where_it_is_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tune = '[tune]\nparts = "knn"\nonly = ["k"]\ntrials = 1\nfans = 15\n'
    shop = make_shop(tmp_path / "shop", CONFIG.partition("[train]")[0] + tune)

    def found_before(*options: str) -> bool:
        assert main(shop.command(*options)) == 0
        return "trials were done before" in capsys.readouterr().out

    assert not found_before()
    assert found_before("--set", "tune.trials=2")
    assert not found_before("--set", "tune.trials=2", "--force")
    # What is new is judged with the franchises of the catalogue.
    assert not found_before("--set", "tune.objective=new_ndcg@10")


def test_what_a_step_lacks_is_said_before_anything_runs(
    recommending: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    recommending.config.write_text('[by_ratings]\nlist = "list.csv"\n', "utf-8")
    assert "by_ratings: needs a model; add [train]" in recommending.refused(capsys)
    recommending.config.write_text("[train]\n[data]\nratings = 'r.csv'\n[similar_anime]\n", "utf-8")
    assert "[similar_anime]: the following arguments are required: --title" in (
        recommending.refused(capsys)
    )


def test_trackers_have_the_recommendations_as_files_and_tables(
    recommending: Shop, tmp_path: Path
) -> None:
    with recommending.config.open("a", encoding="utf-8") as file:
        file.write('\n[mlflow]\nmodel_files = false\n\n[wandb]\nmode = "offline"\n')
    done = subprocess.run(
        [sys.executable, "-m", "model_build", *recommending.command()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    with closing(sqlite3.connect(recommending.work / "mlflow.db")) as database:
        ((place,),) = database.execute("select artifact_uri from runs").fetchall()
        tags = dict(database.execute("select key, value from tags").fetchall())
    folder = Path(place.removeprefix("file://"))
    logged = {each["path"] for each in json.loads(tags["mlflow.loggedArtifacts"])}
    for step in ("by_ratings", "similar_anime", "similar_users"):
        name = f"{step.replace('_', '-')}.json"
        answer = recommending.read(name)
        assert json.loads((folder / name).read_text("utf-8")) == answer
        table = json.loads((folder / f"{step}-table.json").read_text("utf-8"))
        rows = answer.get("recommendations", answer.get("similar"))
        at = table["columns"].index("anime_id")
        assert [row[at] for row in table["data"]] == [row["anime_id"] for row in rows]
        assert f"{step}-table.json" in logged
    (run,) = (recommending.work / "wandb").glob("offline-run-*")
    kept = {file.name.partition("_")[0] for file in run.rglob("*.table.json")}
    assert {"by", "similar", "compare"} <= kept
