"""Rounds of refreshes against the demo's sites: what is new comes in, what is worse stays out."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import time_machine
import yaml

from app.model_store import open_model_source
from app.recommender import Model
from app.recommender.artifact import read_manifest
from demo.data import DemoEntry
from demo.fake_upstream import FakeUpstream
from demo.http_server import FakeResponse, FakeServer
from demo.kitsu_users import KitsuUsers, make_kitsu_user
from model_build.artifact.metrics import annotate_model
from model_build.cli import main
from model_build.data.dumps.prepared import open_prepared_dataset
from model_build.util.errors import InputError
from tests.model_build.collect.crowds import listed
from tests.model_build.pipeline.shop import said
from tests.model_build.worlds import random_frame

ROOT = Path(__file__).parents[3]
Capture = pytest.CaptureFixture[str]
NEW_ANIME, UPCOMING = 90_001, 90_002
FANS, A_ROUND = 90, 30
CONFIG = """\
seed = 7
[catalogue]
database = "{releases}/anime.jsonl"
anilist = 1
[collect]
service = "kitsu"
users = 30
rate = 0
[train]
shrinkage = 10
k = 8
keep_sums = true
as_of = 2026
[evaluate]
fans = 8
[publish]
to = "place"
allow_drop = 0.3
"""
TASKS = ["catalogue", "collect", "split", "prepare", "train", "evaluate", "annotate", "publish"]


@dataclass
class World:
    """The folder of the refreshes, the sites, and what a release of the database holds."""

    folder: Path
    upstream: FakeUpstream
    anime: list[int]
    status: int = 200

    @property
    def latest(self) -> str:
        return (self.folder / "place" / "latest").read_text("utf-8").strip()

    def model(self, number: int) -> Path:
        return self.folder / "build" / "rounds" / str(number) / "model"

    def recommendable(self, number: int) -> set[int]:
        return set(Model.open(self.model(number)).anime_id.tolist())

    def page(self, number: int) -> str:
        return (self.model(number).parent / "changes.html").read_text("utf-8")

    def refresh(self, *options: str) -> int:
        return main(["refresh", "--config", str(self.folder / "refresh.toml"), *options])

    def releases(self, _: object) -> FakeResponse:
        lines = [
            {
                "sources": [f"https://myanimelist.net/anime/{number}"],
                "title": f"Title {number}",
                "type": "TV",
                "animeSeason": {"season": "FALL", "year": 2026 if number >= NEW_ANIME else 2020},
                "tags": ["drama", "action"],
            }
            for number in self.anime
        ]
        text = "\n".join(json.dumps(line) for line in [{}, *lines])
        return FakeResponse(self.status, text.encode())

    def give_everybody(self, anime_id: int | None = None) -> None:
        """Users of Kitsu, with another anime on every list from now on."""
        frame, more = random_frame(3, FANS, 40, 0.5), [] if anime_id is None else [anime_id]
        members = [
            make_kitsu_user(
                place,
                [
                    *(entry(anime, score) for anime, score in rows[["anime_id", "rating"]].rows()),
                    *(entry(anime, 8.0) for anime in more),
                ],
                minutes_watched=60 + place,
            )
            for place, (_, rows) in enumerate(frame.group_by("user_id", maintain_order=True))
        ]
        self.upstream.data.kitsu_users = KitsuUsers(members)


def entry(anime_id: int, score: float) -> DemoEntry:
    return listed(anime_id, score=score, status="completed" if score else "plan_to_watch")


@pytest.fixture
def world(
    upstream: FakeUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    for name, value in upstream.environment().items():
        monkeypatch.setenv(name, value)
    anime = random_frame(3, FANS, 40, 0.5)["anime_id"].unique().sort().to_list()
    made = World(tmp_path, upstream, anime)
    made.give_everybody()
    with FakeServer(made.releases) as releases:
        (tmp_path / "refresh.toml").write_text(CONFIG.format(releases=releases.url), "utf-8")
        yield made


def test_a_month_later_new_anime_and_new_fans_come_in(world: World, capsys: Capture) -> None:
    now = datetime(2026, 11, 1, 4, tzinfo=UTC)
    with time_machine.travel(now, tick=True):
        assert world.refresh("--dry-run") == 0
        assert said(capsys.readouterr().out) == dict.fromkeys(TASKS, "not done yet") | {
            "split": "collect runs before it",
            "prepare": "split runs before it",
            "train": "prepare runs before it",
            "evaluate": "train runs before it",
            "annotate": "train runs before it",
            "publish": "annotate runs before it",
        }
        assert not (world.folder / "build").exists()
        assert world.refresh() == 0
    first = read_manifest(world.model(1))
    assert first.version == world.latest
    assert first.counts["fans"] == A_ROUND - 8
    assert "This is the first refresh" in world.page(1)
    asked, known = len(world.upstream.requests), world.recommendable(1)

    world.anime += [NEW_ANIME, UPCOMING]
    world.give_everybody(NEW_ANIME)
    capsys.readouterr()
    with time_machine.travel(now + timedelta(days=30), tick=True):
        assert world.refresh() == 0
    told = capsys.readouterr().out
    assert list(said(told)) == [name for name in TASKS if name != "split"]
    new = world.recommendable(2) - known
    assert {NEW_ANIME, UPCOMING} <= new
    assert f"new         {len(new)} anime\nfigures     ndcg@10 " in told
    second = read_manifest(world.model(2))
    assert second.version == world.latest > first.version
    assert second.created.startswith("2026-12-01")
    assert second.counts["fans"] == 2 * A_ROUND - 8, "those of both rounds, but who is measured on"
    page = world.page(2)
    assert set(re.findall(r"Title (\d+)</a>", page)) == set(map(str, new))
    assert f"the model that was live, {first.version}" in page
    for manifest in (first, second):
        assert f"<td>{manifest.metrics['ndcg@10']:,.4g}</td>" in page
        assert f"<td>{manifest.counts['ratings']:,}</td>" in page
    # The lists that came before are neither asked for nor read again.
    libraries = [r for r in world.upstream.requests[asked:] if "library" in r.path]
    assert len(libraries) == A_ROUND
    assert sorted(path.name for path in world.model(1).parent.iterdir()) == [
        "changes.html",
        "round.json",
    ]
    live = open_model_source(str(world.folder / "place"), world.folder).latest()
    assert live.version == second.version


def test_what_measures_worse_is_not_published_and_the_next_round_goes_on(
    world: World, capsys: Capture
) -> None:
    assert world.refresh() == 0
    better = world.folder / "better"
    live = annotate_model(world.model(1), {"ndcg@10": 0.99}, better).version
    assert main(["publish", "--model", str(better), "--to", str(world.folder / "place")]) == 0
    capsys.readouterr()
    assert world.refresh() == 2
    told = capsys.readouterr()
    *_, line = told.err.splitlines()
    assert line.startswith("model_build refresh: publish: ndcg@10 ")
    assert "it fell by more than 0.3" in line
    assert "It was not published: ndcg@10 " in told.out
    assert "It was not published: ndcg@10 " in world.page(2)
    assert world.latest == live
    # Kitsu has no more fans than these: the catalogue may still bring something.
    for number in (3, 4):
        capsys.readouterr()
        assert world.refresh("--set", "publish.force=true") == 0
        assert world.latest == read_manifest(world.model(number)).version
    assert "nothing was added" in capsys.readouterr().out
    assert read_manifest(world.model(4)).counts["fans"] == FANS - 8


def test_what_stopped_goes_on_in_the_same_round(world: World, capsys: Capture) -> None:
    world.status = 503
    assert world.refresh() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "/anime.jsonl: could not be downloaded (503 Server Error" in line
    world.status = 200
    assert world.refresh("--set", "evaluate.fans=29") == 2
    *_, line = capsys.readouterr().err.splitlines()
    assert line.startswith("model_build refresh: split: 29 fans taken out")
    asked = len(world.upstream.requests)
    assert world.refresh() == 0
    told = said(capsys.readouterr().out)
    assert (told["catalogue"], told["collect"]) == ("up to date", "up to date")
    assert told["split"] == "not done yet"
    assert len(world.upstream.requests) == asked
    assert not (world.folder / "build" / "rounds" / "2").exists()


def test_ratings_that_there_are_come_first(world: World, capsys: Capture) -> None:
    frame = random_frame(5, 50, 40, 0.5, step=0.5)
    named = frame.with_columns(pl.format("fan {}", "user_id").alias("user_id"))
    named.write_parquet(world.folder / "ratings.parquet")
    begin = ["--set", "data.ratings=ratings.parquet", "--set", "train.keep_sums=false"]
    assert world.refresh(*begin) == 0
    assert "collect" not in said(capsys.readouterr().out)
    assert read_manifest(world.model(1)).counts["fans"] == 42
    halves = pl.read_parquet(world.folder / "build" / "prepared" / "ratings" / "000000.parquet")
    assert set(halves["rating"]) <= set(range(11))
    assert world.refresh(*begin) == 0
    assert read_manifest(world.model(2)).counts["fans"] == 42 + A_ROUND


def test_names_are_trained_on_once_however_a_round_ends(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Names are appended while a round is stopped: they belong to the next one."""

    def out_of_memory(_: object) -> str:
        raise InputError("killed")

    monkeypatch.setattr("model_build.train.job.train", out_of_memory)
    random_frame(5, 50, 40, 0.5).write_parquet(world.folder / "ratings.parquet")
    file, names = world.folder / "refresh.toml", world.folder / "names.txt"
    kitsu = 'service = "kitsu"\nusers = 30\nrate = 0'
    by_name = 'service = "myanimelist"\nusernames = "names.txt"'
    text = file.read_text("utf-8").replace(kitsu, by_name).replace("keep_sums = true", "")
    file.write_text(text, "utf-8")
    build = world.folder / "build"

    def fans(said: str = "") -> int:
        assert world.refresh("--set", "data.ratings=ratings.parquet") == 2
        told = capsys.readouterr()
        assert "train: killed" in told.err
        assert said in told.out
        return open_prepared_dataset(build / "prepared").counts["fans"]

    def end_round(number: int) -> None:
        (build / "rounds" / str(number) / "changes.html").touch()

    for length, name in enumerate(("Hana", "Ryo", "Sora", "Yuki"), 10):
        world.upstream.add_user(name, [entry(anime, 8.0) for anime in world.anime[:length]])

    def append(*more: str) -> None:
        with names.open("a", encoding="utf-8") as file:
            file.writelines(f"{name}\n" for name in more)

    append("Gone")
    assert fans() == 42, "the first round has the ratings that there are"
    end_round(1)
    assert fans("nothing was added") == 42
    end_round(2)
    append("Hana", "Ryo")
    assert fans() == 44
    append("Sora", "Yuki")
    assert fans() == 44
    # Where what was answered is lost, a list may be another than it was, and the round's file, too.
    shutil.rmtree(build / "collected")
    world.upstream.add_user("Ryo", [entry(anime, 7.0) for anime in world.anime[:20]])
    assert fans() == 44
    end_round(3)
    assert fans() == 46
    append("Left")
    end_round(4)
    assert fans("nothing was added") == 46


def refresh_lines() -> list[list[str]]:
    """What the unit, the compose file, the workflow and the docs run, without the program."""
    unit = (ROOT / "deploy" / "hakken-refresh.service").read_text("utf-8")
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    steps = yaml.safe_load((ROOT / ".github" / "workflows" / "refresh.yml").read_text("utf-8"))
    (step,) = [each["run"] for each in steps["jobs"]["refresh"]["steps"] if "run" in each]
    docs = (ROOT / "docs" / "refreshing.md").read_text("utf-8")
    lines = [
        *re.findall(r"^ExecStart=.* refresh (.*)$", unit, re.M),
        shlex.join(compose["services"]["refresh"]["command"]),
        *re.findall(r"scripts/refresh (.*)$", f"{step}\n{docs}".replace("\\\n", " "), re.M),
    ]
    assert len(lines) >= 5
    return [shlex.split(line, comments=True) for line in lines]


@pytest.mark.parametrize("line", refresh_lines(), ids=" ".join)
def test_what_is_deployed_can_be_run(line: list[str], tmp_path: Path, capsys: Capture) -> None:
    line[line.index("--config") + 1] = str(ROOT / "deploy" / "refresh.toml")
    more = ["--set", f"work={tmp_path / 'build'}", "--set", f"publish.to={tmp_path}", "--dry-run"]
    assert main(["refresh", *line, *more]) == 0
    assert list(said(capsys.readouterr().out)) == TASKS


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[catalogue]\ndatabase = 'x'\n", "[collect] is missing; a refresh needs catalogue, "),
        (CONFIG + "[compare]\n", "compare: belongs to a pipeline; a refresh has no such step."),
        (CONFIG.replace("k = 8", "since = 'm'"), "train.since: is settled by a refresh itself"),
        (
            CONFIG.replace("fans = 8", "full_knn = 3"),
            "evaluate.full_knn: is measured by a pipeline",
        ),
        (CONFIG.replace("database", "#"), "catalogue: needs a table to begin with; set "),
        (CONFIG.replace("fans = 8", "fans = 30"), "collect.users: 30 are too few, as 30 are taken"),
    ],
)
def test_what_a_refresh_cannot_do_is_said_first(
    tmp_path: Path, capsys: Capture, text: str, wanted: str
) -> None:
    file = tmp_path / "refresh.toml"
    file.write_text(text, "utf-8")
    assert main(["refresh", "--config", str(file)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"model_build refresh: {file}: {wanted}")
    assert not (tmp_path / "build").exists()
