"""Fans to measure on must not have been trained on, under their own id or another."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from model_build.cli import main
from model_build.data.holdout import check_no_leakage, split_users, user_list_fingerprints
from model_build.data.ratings import Ratings, index_ratings
from model_build.util.errors import InputError
from tests.model_build.worlds import random_frame, train_model


def entries(rows: list[tuple[object, int, float]]) -> Ratings:
    frame = pl.DataFrame(rows, schema=["user_id", "anime_id", "rating"], orient="row")
    types = {"anime_id": pl.Int32, "rating": pl.Float64}
    return index_ratings(frame.cast(types).with_columns(status=pl.lit(2, pl.Int8)))  # type: ignore[arg-type]


TRAINING = entries([(1, 10, 7), (1, 11, 8), (2, 10, 9), (2, 12, 0)])


def test_equal_lists_have_equal_fingerprints_and_only_they() -> None:
    lists = entries(
        [
            *[("a", 10, 7), ("a", 11, 8)],
            *[("b", 11, 8), ("b", 10, 7)],  # another order
            *[("c", 10, 8), ("c", 11, 7)],  # scores swapped
            *[("d", 10, 7)],
            *[("e", 10, 7), ("e", 11, 8.5)],
            *[("f", 10, 7), ("f", 11, 8), ("f", 12, 0)],
        ]
    )
    a, b, *others = user_list_fingerprints(lists).tolist()
    assert a == b
    assert len({a, *others}) == 5


def test_strangers_are_no_leak() -> None:
    check_no_leakage(TRAINING, entries([("1x", 10, 7)]), entries([("1x", 11, 9), (3, 10, 7)]))


@pytest.mark.parametrize("user", [2, "2"])
def test_a_fan_trained_on_is_named(user: object) -> None:
    with pytest.raises(InputError, match="user 2 is to be measured on and is among the training"):
        check_no_leakage(TRAINING, entries([(user, 30, 7)]), entries([(user, 31, 9)]))
    check_no_leakage(
        TRAINING, entries([(user, 30, 7)]), entries([(user, 31, 9)]), compare_ids=False
    )


def test_a_list_trained_on_under_another_id_is_named() -> None:
    """What is seen and what is hidden are one list."""
    with pytest.raises(InputError, match=r"user nn: the same list .* as that of user 1;"):
        check_no_leakage(TRAINING, entries([("nn", 11, 8)]), entries([("nn", 10, 7)]))


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("leaks")
    parts = split_users(
        index_ratings(random_frame(8, 60, 30, 0.5).cast({"anime_id": pl.Int32})), 10, seed=1
    )
    for name in ("lists", "holdout"):
        parts[name].write_parquet(folder / f"{name}.parquet")
    train_model(parts["ratings"], folder)
    return folder


def evaluate(folder: Path, ratings: Path) -> int:
    arguments = ["--model", "model", "--lists", "lists.parquet", "--holdout", "holdout.parquet"]
    files = [part if part.startswith("--") else str(folder / part) for part in arguments]
    return main(["evaluate", *files, "--ratings", str(ratings), "--json"])


def test_evaluate_verifies_what_the_model_was_trained_on(
    trial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(trial, trial / "ratings.parquet") == 0
    in_order = capsys.readouterr().out
    assert in_order.startswith("{")
    shuffled = tmp_path / "shuffled.parquet"
    ratings = pl.read_parquet(trial / "ratings.parquet")
    ratings.sample(fraction=1, shuffle=True, seed=1).write_parquet(shuffled)
    assert evaluate(trial, shuffled) == 0
    assert capsys.readouterr().out == in_order
    fewer = tmp_path / "fewer.parquet"
    ratings[5:].write_parquet(fewer)
    assert evaluate(trial, fewer) == 2
    out, (line,) = (capture := capsys.readouterr()).out, capture.err.splitlines()
    assert out == ""
    assert "was trained on other ratings than these" in line


def test_evaluate_refuses_to_measure_on_fans_trained_on(
    trial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("lists", "holdout"):
        (tmp_path / f"{name}.parquet").write_bytes((trial / f"{name}.parquet").read_bytes())
    lists, holdout = (pl.read_parquet(trial / f"{n}.parquet") for n in ("lists", "holdout"))
    fan = holdout["user_id"][0]
    twin = pl.concat([lists, holdout]).filter(pl.col("user_id") == fan).with_columns(user_id=9000)
    leaking = pl.concat(
        [pl.read_parquet(trial / "ratings.parquet"), twin.select(lists.columns)],
        how="vertical_relaxed",
    )
    train_model(leaking, tmp_path)
    capsys.readouterr()
    assert evaluate(tmp_path, tmp_path / "ratings.parquet") == 2
    out, (line,) = (capture := capsys.readouterr()).out, capture.err.splitlines()
    assert out == ""
    assert f"user {fan}: the same list" in line
    assert "user 9000" in line
