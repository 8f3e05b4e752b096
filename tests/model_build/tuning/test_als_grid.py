"""The grid: what one fit tells of several runs, and that it goes on where it was stopped."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix

from app.recommender.engines.als import InteractionStrengths
from app.recommender.user_list import EntryActivity
from model_build.data.interactions import Interactions, MaskedInteractions, mask_interactions
from model_build.data.ratings import index_ratings
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
    measure_events,
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


def test_what_an_event_adds_is_measured_on_others(masked: MaskedInteractions) -> None:
    trials: list[StrengthTrial] = []
    chosen = AlsSettings(factors=4, iterations=2, alpha=2.0)
    values = {each.name: each for each in measure_events(masked, chosen, trials.append)}
    # Nobody wrote a review.
    assert list(values) == ["statuses", "favourite", "commented", "time", "all"]
    alone = replace(chosen.strengths, favourite=0, commented=0, reviewed=0, time=0)
    _, test = split_in_half(masked.new_users)
    _, plain = fit_and_evaluate(
        masked, replace(chosen, strengths=alone), new_users=test, measure_known=False
    )
    assert values["statuses"].metrics == plain
    assert values["commented"].count == int(masked.interactions.activity.commented.sum())
    # An eighth of a completed anime's is where a strength is searched for first.
    assert next(time for trial in trials if (time := trial.strengths.time)) == 6 / 8
    # What does not help the fans that are searched with is left at nothing.
    best = {trial.strengths: trial.map_at_10 for trial in trials}
    for name in ("favourite", "commented", "time"):
        found = replace(alone, **{name: values[name].strength})
        assert best[found] >= best[alone]
    together = replace(alone, **{n: values[n].strength for n in ("favourite", "commented", "time")})
    _, everything = fit_and_evaluate(
        masked, replace(chosen, strengths=together), new_users=test, measure_known=False
    )
    assert values["all"].metrics == everything


def test_comments_that_say_something_are_found_to_be_worth_something() -> None:
    """Two camps of users list everything alike; only what they write about tells them apart."""
    rng = np.random.default_rng(4)
    users, anime = 240, 60
    camp = np.arange(users) % 2
    listed = rng.random((users, anime)) < 0.3
    mine = (np.arange(anime) % 2)[None, :] == camp[:, None]
    listed[mine & (rng.random((users, anime)) < 0.3)] = True
    user, item = np.nonzero(listed)
    frame = pl.DataFrame({"user_id": user, "anime_id": item + 1}).with_columns(
        rating=pl.lit(0.0), status=pl.lit(2, pl.Int8)
    )
    wrote = mine[user, item] & (rng.random(len(user)) < 0.5)
    nothing = np.zeros(len(user), bool)
    activity = EntryActivity(wrote, nothing, np.zeros(len(user)))
    masked = mask_interactions(
        Interactions(index_ratings(frame), nothing, activity), seed=0, new_user_share=0.3
    )
    values = {
        each.name: each for each in measure_events(masked, AlsSettings(factors=2, iterations=5))
    }
    assert values["commented"].strength > 0
    assert values["commented"].metrics["new_map@10"] > values["statuses"].metrics["new_map@10"]


def test_strengths_are_learnt_only_from_what_helps(masked: MaskedInteractions) -> None:
    validation, test = split_in_half(masked.new_users)
    assert len(validation) + len(test) == len(masked.new_users)
    assert validation.visible.nnz + test.visible.nnz == masked.new_users.visible.nnz
    assert {*validation.visible_rows.tolist(), *test.visible_rows.tolist()} == set(
        masked.new_users.visible_rows.tolist()
    )
    trials: list[StrengthTrial] = []
    chosen = AlsSettings(factors=4, iterations=2)
    best = search_strengths(masked, chosen, validation, trials.append)
    assert trials[0].strengths == InteractionStrengths()
    assert best in trials
    assert best.map_at_10 >= trials[0].map_at_10
    so_far, moved_alone = trials[0], set()
    for trial in trials[1:]:
        moved = asdict(trial.strengths).items() - asdict(so_far.strengths).items()
        if len(moved) == 1:
            moved_alone |= {name for name, _ in moved}
        if trial.map_at_10 > so_far.map_at_10 * (1 + MIN_GAIN):
            so_far = trial
    assert best is so_far
    # Hours were spent on every entry, more than have any status; what sets the scale is completed.
    events = {"favourite", "commented", "time"}
    assert moved_alone == {"watching", "planned", "on_hold", "dropped", *events}
    nothing = replace(validation, hidden=csr_matrix(validation.hidden.shape, dtype=bool))
    with pytest.raises(InputError, match="nothing is hidden of the fans to search with"):
        search_strengths(masked, chosen, nothing)
