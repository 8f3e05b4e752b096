"""A folder with made-up ratings and a configuration, to be built."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from app.recommender.artifact import Manifest, read_manifest
from model_build.cli import main
from tests.model_build.worlds import every_31st_a_series, random_frame

FANS, ANIME = 80, 50
CONFIG = """\
seed = 7

[data]
ratings = "ratings.csv"
catalogue = "anime.parquet"

[train]
shrinkage = 10
k = 8
name = "made-up"

[engines.als]
factors = 4
iterations = 3

[evaluate]
fans = 15

[compare]
fans = 15
models = ["popularity"]
"""


@dataclass(frozen=True)
class Shop:
    """The folder; ``work`` is where the pipeline builds."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "build.toml"

    @property
    def work(self) -> Path:
        return self.folder / "build"

    @property
    def model(self) -> Manifest:
        return read_manifest(self.work / "model")

    def read(self, name: str) -> Any:
        """A result in the work folder."""
        return json.loads((self.work / name).read_text("utf-8"))

    def command(self, *options: object) -> list[str]:
        return ["pipeline", "--config", str(self.config), *map(str, options)]

    def build(self, capsys: pytest.CaptureFixture[str], *options: object) -> dict[str, str]:
        """Run the pipeline; what it said of each task, in their order."""
        capsys.readouterr()
        status = main(self.command(*options))
        told = capsys.readouterr()
        assert status == 0, told.err
        return said(told.out)

    def refused(self, capsys: pytest.CaptureFixture[str], *options: object) -> str:
        """Run what cannot be run; the one line that says why."""
        capsys.readouterr()
        assert main(self.command(*options)) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("model_build pipeline: ")
        return str(line.removeprefix("model_build pipeline: "))


TOLD = (": runs (", ": would run (", ": up to date")


def said(output: str) -> dict[str, str]:
    """What is said of each task: ``up to date``, or why it runs."""
    found = {}
    for line in output.splitlines():
        for mark in TOLD:
            name, there, why = line.partition(mark)
            if there and " " not in name:
                found[name] = why.removesuffix(")") or "up to date"
    return found


def make_shop(folder: Path, config: str = CONFIG, seed: int = 3) -> Shop:
    """Write the files that a build needs."""
    folder.mkdir(parents=True, exist_ok=True)
    frame = random_frame(seed, FANS, ANIME, 0.5)
    frame.write_csv(folder / "ratings.csv")
    ids = frame["anime_id"].unique().sort().to_list()
    pl.DataFrame(
        {
            "anime_id": ids,
            "title": [f"Title {anime}" for anime in ids],
            "type": ["TV"] * len(ids),
            "relations": every_31st_a_series(ids),
        }
    ).write_parquet(folder / "anime.parquet")
    (folder / "build.toml").write_text(config, "utf-8")
    return Shop(folder)
