"""Builds of made-up ratings: what runs, what does not run again, and what stops a build."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from filelock import FileLock

from app.catalogue import Catalogue
from app.model_store import open_model_source
from app.recommender import Model
from app.recommender.artifact import read_manifest
from demo.fake_upstream import FakeUpstream
from model_build.cli import main
from model_build.pipeline.config import read_config
from model_build.pipeline.plan import plan_tasks
from tests.model_build.artifact.publisher import start
from tests.model_build.collect.crowds import crowd_of
from tests.model_build.pipeline.shop import CONFIG, Shop, make_shop, said
from tests.models import flip

TASKS = [
    *("train", "engines-als", "split", "train-without-them", "als-without-them"),
    *("evaluate", "evaluate-als", "annotate", "compare"),
]
TUNE = '[data]\nratings = "r"\n[tune]\n'
Capture = pytest.CaptureFixture[str]


def results(shop: Shop) -> dict[str, object]:
    """All that was measured, without how long it took."""
    rows = [{"name": row["name"], **row["measured"]} for row in shop.read("comparison.json")]
    measures = {name: shop.read(f"{name}.json") for name in ("measures", "measures-als")}
    return {"rows": rows, **measures}


def arrays(model: Path) -> dict[str, str]:
    return {
        name: facts.sha256
        for name, facts in read_manifest(model).files.items()
        if name.endswith(".npy")
    }


def times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_every_task_is_done_once_in_its_order(shop: Shop, capsys: Capture) -> None:
    before = times(shop.work)
    told = shop.build(capsys)
    assert list(told) == TASKS
    assert set(told.values()) == {"up to date"}, "in a folder that was moved, too"
    after = times(shop.work)
    assert {path: after[path] for path in before if "state" not in path.parts} == {
        path: time for path, time in before.items() if "state" not in path.parts
    }


def test_the_result_is_that_of_the_commands_one_by_one(shop: Shop, tmp_path: Path) -> None:
    """The lines that the dry run shows, as an operator would type them."""
    work = tmp_path / "by-hand"
    config = read_config(shop.config, [f"work={work}"])
    for task in plan_tasks(config):
        _, _, _, *line = shlex.split(task.command_line().partition(" >")[0])
        if task.stdout_path is None:
            assert main(line) == 0
        else:
            shutil.copyfile(shop.work / task.stdout_path.name, task.stdout_path)
    assert arrays(work / "model") == arrays(shop.work / "model")
    assert arrays(work / "twin" / "als") == arrays(shop.work / "twin" / "als")
    assert read_manifest(work / "model").metrics == shop.model.metrics


def test_the_model_has_the_measures_of_its_twin(shop: Shop) -> None:
    measures = shop.read("measures.json")
    numbers = {k: v for k, v in measures.items() if isinstance(v, int | float)}
    assert shop.model.metrics == numbers
    assert shop.read("measures-als.json")["ndcg@10"] not in (None, numbers["ndcg@10"])
    assert measures["users"] == 15
    assert shop.model.counts["fans"] == 80
    assert read_manifest(shop.work / "twin" / "train").counts["fans"] == 65
    assert "| ndcg@10 |" in (shop.work / "model" / "MODEL_CARD.md").read_text("utf-8")
    trained = read_manifest(shop.work / "steps" / "train")
    assert trained.metrics == {}
    assert trained.version != shop.model.version
    assert "als" in Model.open(shop.work / "model").engines


def test_the_same_configuration_gives_the_same_metrics(built: Shop, tmp_path: Path) -> None:
    again = make_shop(tmp_path / "again")
    assert main(again.command()) == 0
    assert results(again) == results(built)
    assert arrays(again.work / "model") == arrays(built.work / "model")


def test_another_seed_draws_other_fans(shop: Shop, capsys: Capture) -> None:
    before = results(shop)
    told = shop.build(capsys, "--set", "seed=8")
    assert told["train"] == "up to date"
    assert told["split"] == "seed is 8, was 7"
    assert results(shop) != before


def test_only_what_depends_on_a_change_runs_again(shop: Shop, capsys: Capture) -> None:
    told = shop.build(capsys, "--set", "compare.fans=16")
    assert told == dict.fromkeys(TASKS, "up to date") | {"compare": "fans is 16, was 15"}
    told = shop.build(capsys, "--set", "train.shrinkage=11", "--set", "compare.fans=16")
    assert told == {
        "train": "shrinkage is 11.0, was 10.0",
        "engines-als": "its model changed",
        "split": "up to date",
        "train-without-them": "shrinkage is 11.0, was 10.0",
        "als-without-them": "its model changed",
        "evaluate": "its model changed",
        "evaluate-als": "its model changed",
        "annotate": "its model changed",
        "compare": "up to date",
    }
    assert shop.model.hyperparameters["shrinkage"] == 11


def test_content_counts_and_not_the_time_of_a_file(shop: Shop, capsys: Capture) -> None:
    os.utime(shop.folder / "ratings.csv")
    assert set(shop.build(capsys).values()) == {"up to date"}
    with (shop.folder / "ratings.csv").open("a") as file:
        file.write("999,20,7.0,2\n")
    told = shop.build(capsys, "--dry-run")
    assert told["train"] == told["split"] == told["compare"] == "its ratings changed"
    assert told["evaluate"] == "als-without-them runs before it"


def test_what_is_damaged_or_gone_is_made_again(shop: Shop, capsys: Capture) -> None:
    flip(shop.work / "model" / "item_bias.npy", 200)
    (shop.work / "comparison.json").unlink()
    told = shop.build(capsys)
    assert told == dict.fromkeys(TASKS, "up to date") | {
        "annotate": f"{shop.work}/model was changed since",
        "compare": f"{shop.work}/comparison.json is missing",
    }
    assert set(shop.build(capsys).values()) == {"up to date"}


def test_force_runs_what_is_up_to_date(shop: Shop, capsys: Capture) -> None:
    told = shop.build(capsys, "--only", "compare", "--force")
    assert told == {"compare": "as --force says"}


def test_steps_alone_and_from_one_on(shop: Shop, capsys: Capture) -> None:
    shutil.rmtree(shop.work)
    told = shop.build(capsys, "--only", "train")
    assert told == {"train": "not done yet"}
    told = shop.build(capsys, "--from", "compare")
    assert told == {"compare": "not done yet"}
    line = shop.refused(capsys, "--only", "evaluate", "--set", "data.ratings=none.csv")
    assert "none.csv" in line
    line = shop.refused(capsys, "--only", "report")
    assert line == (
        f"--only report: expected a step of {shop.config}: train, engines, evaluate, compare."
    )


def test_a_step_whose_input_is_not_there_says_so(shop: Shop, capsys: Capture) -> None:
    shutil.rmtree(shop.work)
    line = shop.refused(capsys, "--only", "publish", "--set", "publish.to=place")
    assert line == f"publish: {shop.work}/model is not there, which it reads as its model."


def test_a_dry_run_says_what_would_run_and_does_nothing(shop: Shop, capsys: Capture) -> None:
    shutil.rmtree(shop.work)
    assert main(shop.command("--dry-run")) == 0
    output = capsys.readouterr().out
    assert list(said(output)) == TASKS
    assert said(output)["annotate"] == "engines-als runs before it"
    assert "python -m model_build train --name=made-up --shrinkage=10.0 --k=8 " in output
    assert not shop.work.exists()


def test_a_build_that_is_killed_goes_on(built: Shop, tmp_path: Path, capsys: Capture) -> None:
    shop = make_shop(tmp_path / "killed")
    process = start(shop.command(), tmp_path / "log", kill_at=70)
    process.join()
    assert process.exitcode == -9
    done = [name for name in TASKS if (shop.work / "state" / f"{name}.json").exists()]
    told = shop.build(capsys)
    assert [name for name in TASKS if told[name] == "up to date"] == done
    assert 0 < len(done) < len(TASKS)
    assert results(shop) == results(built)


def test_a_folder_of_something_else_is_left_alone(shop: Shop, capsys: Capture) -> None:
    work = shop.folder / "mine"
    work.mkdir()
    (work / "notes.txt").write_text("mine")
    line = shop.refused(capsys, "--set", f"work={work}")
    assert line.startswith(f"{work}: holds something else; set work to a new folder")
    assert [file.name for file in work.iterdir()] == ["notes.txt"]


def test_two_pipelines_do_not_share_a_folder(shop: Shop, capsys: Capture) -> None:
    with FileLock(shop.work / "state" / "lock"):
        assert "another pipeline is at work there" in shop.refused(capsys)


def test_a_model_is_published_once_and_a_worse_one_refused(shop: Shop, capsys: Capture) -> None:
    to = ["--set", "publish.to=place"]
    assert shop.build(capsys, *to)["publish"] == "not done yet"
    live = open_model_source(str(shop.folder / "place"), shop.folder).latest()
    assert live.version == shop.model.version
    record = json.loads((shop.work / "state" / "publish.json").read_text("utf-8"))["facts"]
    assert {name: record[name] for name in record if name != "inputs"} == {
        "command": ["publish"],
        "options": {"to": str(shop.folder / "place")},
        "code": "",
        "else": None,
    }
    assert list(record["inputs"]) == ["model"]
    (shop.folder / "place" / "latest").write_text("earlier\n")  # rolled back, by hand
    assert shop.build(capsys, *to)["publish"] == "up to date"
    assert (shop.folder / "place" / "latest").read_text() == "earlier\n"
    (shop.folder / "place" / "latest").write_text(f"{live.version}\n")
    worse = [*to, "--set", "train.affinity_ridge=100000000", "--set", "train.affinity_dropout=50"]
    line = shop.refused(capsys, *worse, "--set", "publish.allow_drop=0")
    assert line.startswith("publish: ndcg@10 ")
    assert "it fell by more than 0" in line
    assert (shop.folder / "place" / "latest").read_text() == f"{live.version}\n"
    assert shop.build(capsys, *worse, "--set", "publish.force=true")["train"] == "up to date"


@pytest.mark.parametrize("version", [None, "named"])
def test_a_published_model_is_fetched_instead_of_trained(
    shop: Shop, tmp_path: Path, capsys: Capture, version: str | None
) -> None:
    place = tmp_path / "place"
    assert main(["publish", "--model", str(shop.work / "model"), "--to", str(place)]) == 0
    text = f'[train]\npretrained = "{place}"\n[publish]\nto = "mirror"\n'
    if version:
        text = text.replace("[publish]", f'version = "{shop.model.version}"\n[publish]')
    other = make_shop(tmp_path / "other", text)
    assert other.build(capsys) == dict.fromkeys(("train", "publish"), "not done yet")
    assert other.model == shop.model
    assert set(other.build(capsys).values()) == {"up to date"}
    mirror = open_model_source(str(other.folder / "mirror"), tmp_path).latest()
    assert mirror.version == shop.model.version
    line = other.refused(capsys, "--set", "train.version=v1")
    assert "v1" in line


def test_a_fetched_model_is_measured_on_fans_it_does_not_know_only(
    shop: Shop, tmp_path: Path, capsys: Capture
) -> None:
    text = CONFIG.partition("[train]")[0] + f'[train]\npretrained = "{shop.work / "model"}"\n'
    text += "[evaluate]\nfans = 15\n"
    same = make_shop(tmp_path / "same", text)
    assert "the fetched model was trained on these ratings" in same.refused(capsys)
    others = make_shop(tmp_path / "others", text, seed=4)
    assert list(others.build(capsys)) == ["train", "split", "evaluate"]
    assert others.read("measures.json")["users"] == 15
    assert others.model == shop.model
    # Nor do its engines, those of this build, when they are measured.
    others.config.write_text(text + "[engines.als]\nfactors = 3\niterations = 2\n", "utf-8")
    told = others.build(capsys)
    assert list(told) == [
        *("train", "engines-als", "split", "als-without-them", "evaluate", "evaluate-als")
    ]
    lists = pl.read_parquet(others.work / "split" / "lists.parquet")["user_id"]
    rest = pl.read_parquet(others.work / "split" / "ratings.parquet")["user_id"]
    assert not set(lists) & set(rest)
    (measured,) = (t for t in plan_tasks(read_config(others.config)) if t.name == "evaluate-als")
    assert measured.inputs()["model"] == [str(others.work / "twin" / "als")]
    factors = {
        folder: np.load(others.work / folder / "als_item_factors.npy")
        for folder in ("model", "twin/als")
    }
    assert not np.array_equal(factors["model"], factors["twin/als"])


def test_it_may_be_measured_on_late_lists_alone(tmp_path: Path, capsys: Capture) -> None:
    text = CONFIG.partition("[train]")[0] + '[train]\npretrained = "bundled"\n'
    shop = make_shop(tmp_path / "shop", text + "[evaluate]\nfans = 9\ncollected_since = 2023\n")
    line = shop.refused(capsys)
    assert "lists of 2023 or later cannot be told from others" in line
    year = 2016 + 7 * (pl.col("user_id") % 2)
    ratings = pl.read_csv(shop.folder / "ratings.csv").with_columns(collected=year)
    ratings.write_csv(shop.folder / "ratings.csv")
    shop.build(capsys)
    assert set(pl.read_parquet(shop.work / "split" / "lists.parquet")["collected"]) == {2023}


def test_the_bundled_model_is_fetched(tmp_path: Path, capsys: Capture) -> None:
    shop = make_shop(tmp_path / "shop", '[train]\npretrained = "bundled"\n')
    assert shop.build(capsys) == {"train": "not done yet"}
    bundled = Path(__file__).parents[3] / "bundled_model"
    assert shop.model == read_manifest(bundled)


def test_a_dump_is_prepared_and_reported(built: Shop, tmp_path: Path, capsys: Capture) -> None:
    from tests.model_build.data.dumps.dump_files import generated

    generated(tmp_path / "dump", "hernan2020")
    text = '[prepare]\ndataset = "hernan2020"\nfrom = "../dump"\n[train]\n[report]\nfans = 20\n'
    shop = make_shop(tmp_path / "shop", text)
    assert list(shop.build(capsys)) == ["prepare", "train", "report"]
    assert shop.model.dataset.fingerprint != built.model.dataset.fingerprint
    titles = (shop.work / "report.html").read_text("utf-8")
    assert shop.model.version in titles
    assert set(shop.build(capsys).values()) == {"up to date"}


def test_lists_are_collected_once(
    upstream: FakeUpstream, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in upstream.environment().items():
        monkeypatch.setenv(name, value)
    upstream.data.kitsu_users = crowd_of(40)
    text = '[collect]\nservice = "kitsu"\nusers = 30\nrate = 0\n[train]\n'
    shop = make_shop(tmp_path / "shop", text)
    assert shop.build(capsys) == dict.fromkeys(("collect", "train"), "not done yet")
    assert shop.model.counts["fans"] == 30
    asked = len(upstream.requests)
    assert asked > 0
    assert set(shop.build(capsys).values()) == {"up to date"}
    assert len(upstream.requests) == asked
    # As earlier versions wrote it: what they collected is not asked for again.
    assert json.loads((shop.work / "state" / "collect.json").read_text("utf-8"))["facts"] == {
        "command": ["collect", "kitsu"],
        "options": {"users": 30, "rate": 0, "seed": 0},
        "inputs": {},
        "code": "",
        "else": None,
    }
    assert shop.build(capsys, "--only", "collect", "--force") == {"collect": "as --force says"}
    assert len(upstream.requests) == 2 * asked, "from the beginning"
    line = shop.refused(capsys, "--set", "collect.service=mal")
    assert line.endswith('collect.service is "mal"; expected one of kitsu, myanimelist.')


def test_a_catalogue_is_brought_up_to_date_and_trained_with(
    tmp_path: Path, capsys: Capture
) -> None:
    shop = make_shop(tmp_path / "shop", CONFIG.partition("[train]")[0] + "[catalogue]\n[train]\n")
    release = shop.folder / "anime.jsonl"
    number = pl.read_parquet(shop.folder / "anime.parquet")["anime_id"][0]
    source = f"https://myanimelist.net/anime/{number}"
    facts = {"sources": [source], "title": "A", "type": "TV", "studios": ["house"]}
    release.write_text(f"{{}}\n{json.dumps(facts)}\n", "utf-8")
    options = ["--set", f"catalogue.database={release}"]
    assert list(shop.build(capsys, *options)) == ["catalogue", "train"]
    found = Catalogue.open(Model.open(shop.work / "model").catalogue_path).get_anime(number)
    assert (found.title, found.studios) == (f"Title {number}", ("House",))
    assert set(shop.build(capsys, *options).values()) == {"up to date"}


def test_als_learns_from_what_was_collected_but_of_those_measured_on(
    upstream: FakeUpstream, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in upstream.environment().items():
        monkeypatch.setenv(name, value)
    upstream.data.kitsu_users = crowd_of(40)
    text = '[collect]\nservice = "kitsu"\nusers = 30\nrate = 0\n[train]\n[evaluate]\nfans = 4\n'
    shop = make_shop(tmp_path / "shop", text + "[engines.als]\nfactors = 2\niterations = 2\n")
    shop.build(capsys)
    collected = pl.read_parquet(shop.work / "collected" / "interactions.parquet")
    assert collected["favourite"].any()
    rest = pl.read_parquet(shop.work / "split" / "interactions.parquet")
    taken = set(pl.read_parquet(shop.work / "split" / "lists.parquet")["user_id"])
    assert len(taken) == 4
    assert set(rest["user_id"]) == set(collected["user_id"]) - taken
    assert rest.equals(collected.filter(~pl.col("user_id").is_in(list(taken))))
    assert "ndcg@10" in shop.read("measures-als.json")
    # The same as by hand, with favourites; not the same without.
    did = ("--interactions", shop.work / "collected" / "interactions.parquet")
    scored = ("--ratings", shop.work / "collected" / "ratings.parquet")
    factors = []
    for number, data in enumerate((did, scored)):
        out = tmp_path / f"by-hand-{number}"
        model = ("engine", "als", "--model", shop.work / "steps" / "train", "--out", out)
        assert main(list(map(str, (*model, *data, "--factors", 2, "--iterations", 2)))) == 0
        factors.append(np.load(out / "als_item_factors.npy"))
    ours = np.load(shop.work / "model" / "als_item_factors.npy")
    np.testing.assert_allclose(ours, factors[0], atol=1e-3)
    assert ours.shape != factors[1].shape or not np.allclose(ours, factors[1], atol=1e-2)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[train]\n", "train: needs ratings; set data.ratings, or collect or prepare some."),
        ("[compare]\n", "compare: needs ratings"),
        ('[publish]\nto = "x"\n', "publish: needs a model; add [train]"),
        ('[data]\nratings = "r"\n[report]\n', "report: needs a model"),
        ('[train]\npretrained = "bundled"\nk = 3\n', "train.k: a model that is fetched has its"),
        ('[data]\nratings = "r"\n[train]\nversion = "v"\n', "train.version: goes with"),
        (
            '[data]\nratings = "r"\n[prepare]\ndataset = "d"\n[train]\n',
            "prepare and data.ratings: ratings come from one of them",
        ),
        ('[data]\nratings = "r"\n[train]\n[publish]\n', "[publish]: the following arguments are"),
        ('[data]\nratings = "gs://b/p"\n[train]\n[compare]\n', "compare: cannot read gs://b/p"),
        (
            '[data]\nratings = "r"\n[train]\nscheduler = "tcp://h:1"\nlocal_cluster = 2\n',
            "[train]: argument --local-cluster: not allowed with argument --scheduler.",
        ),
        (
            '[data]\nratings = "r"\n[train]\npretrained = "bundled"\n[evaluate]\nfull_knn = 3\n',
            "evaluate.full_knn: needs what a model was trained on, which no fetched one has.",
        ),
        (TUNE + "folds = 3\nthreads = 2\n", "[tune]: argument --threads: not allowed with"),
        (TUNE + 'objective = "beauty"\n', "tune.objective beauty: expected one of rmse, mae"),
        (TUNE + 'only = ["kk"]\n', "tune.only kk: not a setting that --parts all searches"),
        (TUNE + 'folds = 3\nonly = ["kk"]\n', "tune.only kk: not a setting that --folds searches"),
        (TUNE + 'objective = "new_ndcg@10"\n', "tune.objective: new_ndcg@10 needs franchises;"),
        (
            '[data]\nratings = "r"\n[implicit.grid]\nfactors = []\n',
            "[implicit.grid]: argument --factors: expected at least one argument.",
        ),
    ],
)
def test_sections_that_do_not_go_together_are_refused_before_anything_is_done(
    tmp_path: Path, capsys: Capture, text: str, wanted: str
) -> None:
    shop = make_shop(tmp_path / "shop", text)
    line = shop.refused(capsys, "--dry-run")
    assert line.startswith(f"{shop.config}: {wanted}")
    assert not shop.work.exists()
