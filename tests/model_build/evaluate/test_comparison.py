"""The comparison, as an operator runs it, against the commands that it puts together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from model_build.cli import main
from model_build.engines.registry import NEURAL_ENGINES
from model_build.evaluate.comparison import ABLATIONS, DEFAULT_NAMES, RECOMMENDER_NAMES, SCORE_PARTS
from tests.model_build.worlds import random_frame, rated_frame

SPLIT = ["--fans", "15", "--seed", "3"]
MEASURES = ("rmse", "ndcg@10", "recall@10", "new_ndcg@10", "coverage", "diversity", "novelty")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare")
    frame = random_frame(71, 90, 60, 0.5)
    frame.write_parquet(folder / "all.parquet")
    ids = frame["anime_id"].unique().sort().to_list()
    pl.DataFrame(
        {
            "anime_id": ids,
            "title": [f"Title {anime}" for anime in ids],
            "genres": [("Drama", "Drama;Comedy", "Action")[anime % 3] for anime in ids],
            "franchise_id": [anime % 23 or None for anime in ids],
        }
    ).write_parquet(folder / "anime.parquet")
    return folder


def compared(files: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    capsys.readouterr()
    inputs = ["--ratings", str(files / "all.parquet"), "--catalogue", str(files / "anime.parquet")]
    assert main(["compare", *inputs, *SPLIT, *options]) == 0
    return capsys.readouterr().out


def test_hakken_is_measured_as_evaluate_measures_it(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """split, train, engine and evaluate on the same seed give the same figures."""
    asked = ("engine-hybrid", "score", "match")
    rows = json.loads(compared(files, capsys, "--json", "--models", *asked))
    assert [row["name"] for row in rows] == ["match", "score", "engine-hybrid"]
    split, served = tmp_path / "split", str(tmp_path / "served")
    assert (
        main(["split", "--ratings", str(files / "all.parquet"), *SPLIT, "--out", str(split)]) == 0
    )
    ratings, model = ["--ratings", str(split / "ratings.parquet")], str(tmp_path / "model")
    catalogue = ["--catalogue", str(files / "anime.parquet")]
    assert main(["train", *ratings, *catalogue, "--out", model, "--quiet"]) == 0
    assert main(["engine", "hybrid", *ratings, "--model", model, "--out", served]) == 0
    held = ["--lists", str(split / "lists.parquet"), "--holdout", str(split / "holdout.parquet")]
    ways = (["--order", "match"], ["--order", "score"], ["--engine", "hybrid"])
    for row, way in zip(rows, ways, strict=True):
        capsys.readouterr()
        assert main(["evaluate", "--model", served, *held, *way, "--json"]) == 0
        alone: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert {name: row["measured"][name] for name in MEASURES} == pytest.approx(
            {name: alone[name] for name in MEASURES}
        )
        assert row["measured"]["ci"]["ndcg@10"] == pytest.approx(alone["ci"]["ndcg@10"])


def test_the_table_has_a_row_for_everyone(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head, rule, *rows = compared(files, capsys).splitlines()
    columns = [cell.strip() for cell in head.strip("|").split("|")]
    assert len(rows) == len(DEFAULT_NAMES) == 12
    assert rule.count("|") == head.count("|") == len(columns) + 1
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert all(len(row) == len(columns) for row in cells)
    at = columns.index("RMSE")
    scoring = [row[0] for row in cells if row[at] != "-"]
    assert scoring == [
        "KNN with baseline, predicted score",
        "Hakken, match by affinity alone",
        *(f"Hakken, {order}" for order in ("match", "score", "discover")),
        "Hakken, engine als",
    ]
    gains = {row[0]: float(row[1]) for row in cells}
    assert all(0 < gain < 1 for gain in gains.values())


def test_every_network_and_ablation_can_be_asked_for() -> None:
    networks = {f"engine-{name}" for name in NEURAL_ENGINES}
    assert networks | SCORE_PARTS.keys() | ABLATIONS.keys() == set(RECOMMENDER_NAMES) - set(
        DEFAULT_NAMES
    )


def test_parts_and_ablations_are_rows(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """90 fans are too few for a second stage to take something from."""
    names = ("first-stage", "match", *SCORE_PARTS, "without-age")
    rows = json.loads(compared(files, capsys, "--json", "--models", *names))
    assert [row["name"] for row in rows] == list(names)
    plain, match, *parts, without = (row["measured"].get("rmse") for row in rows)
    assert len({plain, *parts}) == 3
    assert plain == match
    assert without is None
    assert rows[-1]["missing"] == "there are too few fans to fit a second stage"
    table = compared(files, capsys, "--models", "without-age").splitlines()
    assert "too few fans" in table[-1]


def test_only_those_asked_for_are_trained(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(compared(files, capsys, "--json", "--models", "ease", "popularity"))
    assert [row["name"] for row in rows] == ["popularity", "ease"]
    assert all(row["measured"]["users"] == 15 for row in rows)
    assert all(row["measured"]["rmse"] is None for row in rows)


@pytest.mark.parametrize("split", ["fans", "pairs"])
def test_what_leaves_nothing_to_measure_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], split: str
) -> None:
    """No anime is on two lists."""
    path = tmp_path / "ratings.parquet"
    rows = [(user, 10 * user + place, 8.0) for user in range(1, 9) for place in range(5)]
    rated_frame(rows).write_parquet(path)
    asked = ["neural", "--ratings", str(path), "--models", "svd", "--fans", "2", "--split", split]
    assert main(asked) == 2
    assert "so there is nothing to measure; ask for more fans" in capsys.readouterr().err


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_too_many_fans_are_refused(
    files: Path, capsys: pytest.CaptureFixture[str], option: list[str]
) -> None:
    arguments = ["compare", "--ratings", str(files / "all.parquet"), "--fans", "90", *option]
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    assert line.startswith("model_build compare: 90 fans cannot be taken out of")


def test_an_unknown_recommender_is_refused(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["compare", "--ratings", str(files / "all.parquet"), "--models", "oracle"])
    assert stopped.value.code == 2
    assert "oracle" in capsys.readouterr().err
