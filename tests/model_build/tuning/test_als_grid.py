"""The grid: what one fit tells of several runs, and that it goes on where it was stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from app.recommender.engines.als import InteractionStrengths
from model_build.data.masking import MaskedInteractions, mask_interactions
from model_build.engines.als import AlsSettings
from model_build.evaluate.implicit import fit_and_evaluate
from model_build.tuning.als_grid import (
    STATE_FILE,
    TABLE_FILE,
    GridRow,
    GridSearch,
    ParameterGrid,
    best_settings,
    read_grid,
)
from model_build.tuning.strength_search import (
    MIN_GAIN,
    StrengthTrial,
    search_strengths,
    split_in_half,
)
from model_build.util.errors import InputError

AXES = ParameterGrid(factors=(3, 5), regularization=(0.0, 0.1), iterations=(1, 2, 4))
SETTINGS = AlsSettings(alpha=2.0, seed=3)


class KilledError(Exception):
    pass


def measured(row: GridRow) -> dict[str, float]:
    return {name: value for name, value in row.items() if name != "fit_seconds"}


def test_there_are_64_runs() -> None:
    assert len(ParameterGrid()) == 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("grid")


@pytest.fixture(scope="module")
def whole(masked: MaskedInteractions, folder: Path) -> list[GridRow]:
    return GridSearch(folder, masked, SETTINGS, AXES).run()


def test_a_shared_fit_gives_what_a_fit_of_its_own_does(
    masked: MaskedInteractions, whole: list[GridRow], folder: Path
) -> None:
    assert len(whole) == len(AXES) == 12
    for row in whole[1::5]:
        own = replace(
            SETTINGS,
            factors=int(row["factors"]),
            regularization=float(row["regularization"]),
            iterations=int(row["iterations"]),
        )
        _, alone = fit_and_evaluate(masked, own)
        assert {name: row[name] for name in alone} == dict(alone)
    best = best_settings(*read_grid(folder))
    assert max(row["map@10"] for row in whole) == next(
        row["map@10"]
        for row in whole
        if (row["factors"], row["regularization"], row["iterations"])
        == (best.factors, best.regularization, best.iterations)
    )
    assert (best.alpha, best.seed) == (2.0, 3)


def test_a_killed_grid_goes_on(
    masked: MaskedInteractions, whole: list[GridRow], tmp_path: Path
) -> None:
    told: list[GridRow] = []

    def kill_at_fifth(row: GridRow) -> None:
        told.append(row)
        if len(told) == 5:
            raise KilledError

    grid = GridSearch(tmp_path / "killed", masked, SETTINGS, AXES)
    with pytest.raises(KilledError):
        grid.run(kill_at_fifth)
    assert len(pl.read_csv(tmp_path / "killed" / TABLE_FILE)) == 5
    rest: list[GridRow] = []
    rows = grid.run(rest.append)
    assert len(rest) == len(AXES) - 5
    assert [measured(row) for row in rows] == [measured(row) for row in whole]
    assert grid.run(lambda row: pytest.fail(f"{row} was there")) == rows


def test_runs_on_something_else_are_not_gone_on_with(
    masked: MaskedInteractions, tmp_path: Path
) -> None:
    few = ParameterGrid((2,), (0.1,), (1,))
    GridSearch(tmp_path, masked, SETTINGS, few).run()
    others = (
        GridSearch(tmp_path, masked, replace(SETTINGS, alpha=3.0), few),
        GridSearch(
            tmp_path, masked, replace(SETTINGS, strengths=InteractionStrengths(dropped=2)), few
        ),
        GridSearch(tmp_path, mask_interactions(masked.interactions, seed=2), SETTINGS, few),
    )
    for other in others:
        with pytest.raises(InputError, match="other interactions, another seed, alpha or"):
            other.run()
    (tmp_path / STATE_FILE).write_text("[]", "utf-8")
    with pytest.raises(InputError, match="not the runs of a grid"):
        others[0].run()


def test_strengths_are_learnt_only_from_what_helps(masked: MaskedInteractions) -> None:
    validation, test = split_in_half(masked.new_users)
    assert len(validation) + len(test) == len(masked.new_users)
    assert validation.visible.nnz + test.visible.nnz == masked.new_users.visible.nnz
    assert {*validation.visible_rows.tolist(), *test.visible_rows.tolist()} == set(
        masked.new_users.visible_rows.tolist()
    )
    trials: list[StrengthTrial] = []
    best = search_strengths(masked, AlsSettings(factors=4, iterations=2), validation, trials.append)
    assert trials[0].strengths == InteractionStrengths()
    assert best in trials
    assert best.map_at_10 >= trials[0].map_at_10
    better = [trials[0].map_at_10]
    for trial in trials[1:]:
        if trial.map_at_10 > better[-1] * (1 + MIN_GAIN):
            better.append(trial.map_at_10)
    assert best.map_at_10 == better[-1]
