"""The grid: what one fit tells of several runs, and that it goes on where it was stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from app.recommender.engines.als import Strengths
from model_build.engines.als import Settings
from model_build.errors import InputError
from model_build.implicit_feedback.fitting import measured_once
from model_build.implicit_feedback.grid import (
    STATE,
    TABLE,
    Axes,
    Grid,
    Row,
    best_of,
    read_rows,
)
from model_build.implicit_feedback.masking import Masked, mask
from model_build.implicit_feedback.strengths import GAIN, Trial, halves, learn

AXES = Axes(factors=(3, 5), regularization=(0.0, 0.1), iterations=(1, 2, 4))
SETTINGS = Settings(alpha=2.0, seed=3)


class KilledError(Exception):
    pass


def measured(row: Row) -> dict[str, float]:
    return {name: value for name, value in row.items() if name != "fit_seconds"}


def test_there_are_64_runs() -> None:
    assert len(Axes()) == 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("grid")


@pytest.fixture(scope="module")
def whole(masked: Masked, folder: Path) -> list[Row]:
    return Grid(folder, masked, SETTINGS, AXES).run()


def test_a_shared_fit_gives_what_a_fit_of_its_own_does(
    masked: Masked, whole: list[Row], folder: Path
) -> None:
    assert len(whole) == len(AXES) == 12
    for row in whole[1::5]:
        own = replace(
            SETTINGS,
            factors=int(row["factors"]),
            regularization=float(row["regularization"]),
            iterations=int(row["iterations"]),
        )
        _, alone = measured_once(masked, own)
        assert {name: row[name] for name in alone} == dict(alone)
    best = best_of(*read_rows(folder))
    assert max(row["map@10"] for row in whole) == next(
        row["map@10"]
        for row in whole
        if (row["factors"], row["regularization"], row["iterations"])
        == (best.factors, best.regularization, best.iterations)
    )
    assert (best.alpha, best.seed) == (2.0, 3)


def test_a_killed_grid_goes_on(masked: Masked, whole: list[Row], tmp_path: Path) -> None:
    told: list[Row] = []

    def kill_at_fifth(row: Row) -> None:
        told.append(row)
        if len(told) == 5:
            raise KilledError

    grid = Grid(tmp_path / "killed", masked, SETTINGS, AXES)
    with pytest.raises(KilledError):
        grid.run(kill_at_fifth)
    assert len(pl.read_csv(tmp_path / "killed" / TABLE)) == 5
    rest: list[Row] = []
    rows = grid.run(rest.append)
    assert len(rest) == len(AXES) - 5
    assert [measured(row) for row in rows] == [measured(row) for row in whole]
    assert grid.run(lambda row: pytest.fail(f"{row} was there")) == rows


def test_runs_on_something_else_are_not_gone_on_with(masked: Masked, tmp_path: Path) -> None:
    few = Axes((2,), (0.1,), (1,))
    Grid(tmp_path, masked, SETTINGS, few).run()
    others = (
        Grid(tmp_path, masked, replace(SETTINGS, alpha=3.0), few),
        Grid(tmp_path, masked, replace(SETTINGS, strengths=Strengths(dropped=2)), few),
        Grid(tmp_path, mask(masked.interactions, seed=2), SETTINGS, few),
    )
    for other in others:
        with pytest.raises(InputError, match="other interactions, another seed, alpha or"):
            other.run()
    (tmp_path / STATE).write_text("[]", "utf-8")
    with pytest.raises(InputError, match="not the runs of a grid"):
        others[0].run()


def test_strengths_are_learnt_only_from_what_helps(masked: Masked) -> None:
    validation, test = halves(masked.new)
    assert len(validation) + len(test) == len(masked.new)
    assert validation.visible.nnz + test.visible.nnz == masked.new.visible.nnz
    assert {*validation.rows.tolist(), *test.rows.tolist()} == set(masked.new.rows.tolist())
    trials: list[Trial] = []
    best = learn(masked, Settings(factors=4, iterations=2), validation, trials.append)
    assert trials[0].strengths == Strengths()
    assert best in trials
    assert best.value >= trials[0].value
    better = [trials[0].value]
    for trial in trials[1:]:
        if trial.value > better[-1] * (1 + GAIN):
            better.append(trial.value)
    assert best.value == better[-1]
