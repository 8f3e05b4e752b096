"""Every command line of the documentation runs, on made-up data and with smaller figures."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from contextlib import chdir
from importlib import import_module
from pathlib import Path

import polars as pl
import pytest

from app.settings import PROJECT_ROOT
from benchmarks.generate.__main__ import write_dump
from benchmarks.generate.population import make_population
from demo.data import DemoEntry
from demo.fake_upstream import FakeUpstream
from model_build.cli import main
from tests.model_build.collect.crowds import crowd_of
from tests.model_build.data.test_anime_database import entry as release_entry
from tests.model_build.data.test_anime_database import write as write_release
from tests.model_build.data.test_facts import facts
from tests.model_build.pipeline.shop import CONFIG
from tests.model_build.worlds import run_command
from tests.storage_emulator import StorageEmulator
from tests.test_docs import PAGES
from tests.tiny_model import anime_ids, tiny_catalogue, tiny_ratings


def command_lines() -> list[str]:
    """Every command in a block or in a sentence, once; what is in brackets may be left out."""
    found = []
    for page in PAGES:
        if page.name == "CHANGELOG.md":
            continue
        text = page.read_text("utf-8").replace("\\\n", " ")
        command = r"(?:python -m model_build|hakken) (?=[a-z])"
        blocks = re.findall(rf"^ *(?:\w+=\S+ +)?{command}(.*)$", text, re.M)
        sentences = re.findall(r"`python\s+-m\s+model_build ([^`]* --[^`]*)`", text)
        found += [re.sub(r"\[[^]]*\]|[>|].*", "", line) for line in blocks + sentences]
    return list(dict.fromkeys(shlex.join(shlex.split(line, comments=True)) for line in found))


ELSEWHERE = {
    "--scheduler ": "tests/model_build/train/test_dask_statistics.py",
    "--from models:/": "tests/model_build/pipeline/test_registries.py",
    "--from wandb:": "tests/model_build/pipeline/test_registries.py",
    " hf://": "tests/model_build/artifact/test_hub.py",
    "serve ": "tests/test_wheel.py",
}
"""What needs a server of its own, and the tests that start one."""
LINES = command_lines()
NETWORKS = "--epochs 1 --size 8 --validation 10"
ALS = "--factors 2 --iterations 1"
SMALLER = {
    "calibrate": "--fans 20 --compare-fans 20 --rounds 1 --steps 1 --only weight_decay_length",
    "collect kitsu": "--users 20 --rate 0",
    "compare": "--fans 20",
    "cold": "--fans 20 --hide 5",
    **{f"engine {name}": NETWORKS for name in ("cosine", "hybrid", "kernel", "mf", "mlp")},
    "implicit compare": ALS,
    "implicit events": ALS,
    "implicit grid": "--factors 2 --regularization 0.1 --iterations 1 --start-over",
    "implicit strengths": ALS,
    "neural": f"--fans 20 {NETWORKS}",
    "report": "--fans 20",
    "split": "--fans 20",
    "tune": "--fans 40 --trials 1",
}
"""What is added to a command: of an option that is named twice the last counts."""
BEFORE = {
    "--since ": (
        "train --ratings prepared --out model --keep-sums",
        "prepare --dataset hernan2020 --from week2.zip --out prepared --add",
    ),
    " --at gs://": (
        "publish --model model --to gs://bucket/models",
        "publish --model model-als --to gs://bucket/models --force",
    ),
}
"""What a command goes on from."""
RESULTS = ("--out", "--picture")
HUNTER = 11061


def run(line: str) -> str:
    """Run a command; what it printed."""
    done = run_command(*shlex.split(line))
    assert done.returncode == 0, f"{line}: {done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that the documentation takes to be there."""
    folder = tmp_path_factory.mktemp("docs")
    number = {anime_ids()[10]: HUNTER}
    ratings = tiny_ratings().with_columns(
        pl.col("anime_id").replace(number), collected=pl.lit(2024)
    )
    catalogue = tiny_catalogue().with_columns(
        pl.col("anime_id").replace(number),
        title=pl.when(pl.col("anime_id") == anime_ids()[10])
        .then(pl.lit("Hunter x Hunter (2011)"))
        .otherwise("title"),
    )
    interactions = ratings.with_columns(
        favourite=pl.col("rating") >= 9,
        commented=pl.col("rating") >= 10,
        reviewed=pl.lit(value=False),
        minutes=pl.lit(100),
    )
    (folder / "kitsu").mkdir()
    for name in ("ratings", "statuses", "kitsu/ratings"):
        ratings.write_parquet(folder / f"{name}.parquet")
    for name in ("interactions", "kitsu/interactions"):
        interactions.write_parquet(folder / f"{name}.parquet")
    for name in ("catalogue", "anime"):
        catalogue.write_parquet(folder / f"{name}.parquet")
    ratings.filter(pl.col("user_id") == 3).select("anime_id", "rating").write_csv(
        folder / "list.csv"
    )
    licence = {"source": "somebody", "licence": "MIT"}
    names = {"anime_id": HUNTER, "title_native": "猟人", "synonyms": "HxH", "picture": None}
    related = {"anime_id": HUNTER, "related_id": anime_ids()[11], "kind": "sequel"}
    for name, row in (("names", names), ("relations", related)):
        pl.DataFrame([row | licence]).write_parquet(folder / f"{name}.parquet")
    facts({"anime_id": HUNTER, "studios": "Madhouse"}).write_parquet(folder / "facts.parquet")
    (folder / "names.txt").write_text("Aki\n", "utf-8")
    (folder / "build.toml").write_text(CONFIG.replace("ratings.csv", "ratings.parquet"), "utf-8")
    (folder / "anime-list-full.json").write_text(
        json.dumps([{"mal_id": HUNTER, "anilist_id": HUNTER, "kitsu_id": 6448}]), "utf-8"
    )
    write_release(folder / "anime-offline-database-minified.json.zst", release_entry(HUNTER))
    for seed, name in enumerate(("archive", "week1", "week2")):
        dump = folder / f"{name}-files"
        dump.mkdir()
        write_dump(make_population(2000, 60, 150, seed=seed), "hernan2020", dump)
        shutil.make_archive(str(folder / name), "zip", dump)
    (folder / "model_build").symlink_to(PROJECT_ROOT / "model_build")
    for name in ("best", "knn_search"):
        shutil.copy(PROJECT_ROOT / "model_build/tuning/knn_search.json", folder / f"{name}.json")
    shutil.copy(PROJECT_ROOT / "model_build/train/parameters.json", folder)
    with chdir(folder):
        run("split --ratings ratings.parquet --fans 20 --seed 7 --out split")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SOURCE_DATE_EPOCH", "1750000000")  # before what is made of it
            run("train --ratings split/ratings.parquet --catalogue anime.parquet --out model")
        run("prepare --dataset hernan2020 --from archive.zip --out prepared")
        added = "engine als --model model --ratings ratings.parquet --factors 4 --iterations 2"
        for out in ("model-als", "model-with-centres"):
            run(f"{added} --with-centres --out {out}")
        shutil.copytree("model-with-centres", "model-centres")
        run(f"engine cosine --model model --ratings ratings.parquet --out model-cosine {NETWORKS}")
        strengths = "implicit strengths --interactions interactions.parquet"
        run(f"{strengths} --out strengths.json {ALS}")
        run(f"implicit grid --ratings statuses.parquet --table grid {SMALLER['implicit grid']}")
        compared = run("compare --ratings ratings.parquet --fans 20 --models popularity --json")
        Path("compared.json").write_text(compared, "utf-8")
    return folder


@pytest.mark.parametrize(
    "line", [line for line in LINES if not any(part in line for part in ELSEWHERE)], ids=str
)
def test_a_command_line_of_the_documentation_runs(
    line: str,
    made: Path,
    tmp_path: Path,
    upstream: FakeUpstream,
    emulator: StorageEmulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = shutil.copytree(made, tmp_path / "here", symlinks=True)
    monkeypatch.chdir(here)
    for name, value in upstream.environment().items():
        monkeypatch.setenv(name, value)
    upstream.data.kitsu_users = crowd_of(60)
    upstream.add_user("Aki", [DemoEntry(HUNTER, 9)])
    emulator.create_bucket("BUCKET")
    for part, lines in BEFORE.items():
        if part in line:
            for before in lines:
                run(before)
    words = shlex.split(line)
    results = [words[at + 1] for at, word in enumerate(words) if word in RESULTS]
    for result in results:
        if words[1:].count(result) == 1 and "--add" not in words:
            shutil.rmtree(result, ignore_errors=True)
    longest = max((name for name in SMALLER if line.startswith(name)), key=len, default=None)
    run(f"{line} {SMALLER[longest] if longest else ''}")
    assert all(Path(result).exists() for result in results)


@pytest.mark.parametrize("part", ELSEWHERE)
def test_what_needs_a_server_of_its_own_is_taken_and_run_elsewhere(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [line for line in LINES if part in line]
    assert lines
    assert (PROJECT_ROOT / ELSEWHERE[part]).is_file()
    for line in lines:
        words = shlex.split(line)
        command = import_module(f"model_build.commands.{words[0]}")
        monkeypatch.setattr(command, "run", lambda _: None, raising=False)
        assert main(words) == 0
