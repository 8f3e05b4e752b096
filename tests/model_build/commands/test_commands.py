"""The command line, as an operator's script runs it.

Training, an answer in words and a refusal are in processes of their own; the others call `main`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import polars as pl
import pytest

from app.recommender import Model
from model_build.cli import main
from model_build.data.holdout import join_holdout
from model_build.data.ratings import read_evaluation_ratings
from model_build.evaluate.evaluation import evaluate
from tests.model_build.worlds import every_31st_a_series, random_frame, run_command, run_process

HEADER = "user_id,anime_id,rating\n"
MEASURES = {"rmse", "mae", "ndcg@10", "recall@10", "new_ndcg@10", "coverage", "users", "pairs"}


@dataclass(frozen=True)
class Shop:
    """A folder with split ratings, a catalogue and a model trained on them."""

    folder: Path
    ids: list[int]

    @property
    def model(self) -> Path:
        return self.folder / "model"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    frame = random_frame(41, 60, 80, 0.5)
    ids = frame["anime_id"].unique().sort().to_list()
    frame.write_csv(folder / "all.csv")
    pl.DataFrame(
        {
            "anime_id": ids,
            "title": [f"Title {anime}" for anime in ids],
            "type": ["TV"] * len(ids),
            "relations": every_31st_a_series(ids),
            "adult": [place % 10 == 0 for place in range(len(ids))],
        }
    ).write_parquet(folder / "anime.parquet")
    split = run_command(
        "split", "--ratings", folder / "all.csv", "--fans", 12, "--out", folder / "s"
    )
    assert split.returncode == 0, split.stderr
    files = [folder / "s" / "ratings.parquet", "--catalogue", folder / "anime.parquet"]
    trained = run_process("train", "--ratings", *files, "--out", folder / "model")
    assert (trained.returncode, trained.stderr) == (0, "")
    assert Model.open(folder / "model").version in trained.stdout
    return Shop(folder, ids)


def answer_of(shop: Shop, listed: Path, *options: object) -> dict[str, object]:
    done = run_command("recommend", "--model", shop.model, "--list", listed, "--json", *options)
    assert (done.returncode, done.stderr) == (0, "")
    return dict(json.loads(done.stdout))


def test_evaluate_prints_one_object_of_measures(shop: Shop) -> None:
    lists, holdout = shop.folder / "s" / "lists.parquet", shop.folder / "s" / "holdout.parquet"
    files = ["--lists", lists, "--holdout", holdout]
    done = run_command("evaluate", "--model", shop.model, *files, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    measured = json.loads(done.stdout)
    assert set(measured) >= MEASURES
    model = Model.open(shop.model)
    franchise = np.array([anime % 31 for anime in model.anime_id.tolist()])
    fans = join_holdout(read_evaluation_ratings(lists), read_evaluation_ratings(holdout))
    expected = evaluate(model, franchise, fans)
    flat = {name: value for name, value in expected.items() if isinstance(value, int | float)}
    numbers = {name: value for name, value in flat.items() if value == value}
    assert {name: measured[name] for name in numbers} == pytest.approx(numbers)
    assert all(measured[name] is None for name in flat.keys() - numbers)
    assert measured["ci"].keys() == expected["ci"].keys()
    assert measured["users"] == 12
    # What was measured can be recorded in the model that is then trained on everyone.
    (shop.folder / "measured.json").write_text(done.stdout)
    train = ["--ratings", shop.folder / "all.csv", "--metrics", shop.folder / "measured.json"]
    out = shop.folder / "final"
    assert main(["train", *map(str, train), "--out", str(out), "--quiet"]) == 0
    assert Model.open(out).manifest.metrics == pytest.approx(numbers)
    assert "| rmse |" in (out / "MODEL_CARD.md").read_text("utf-8")


def test_what_could_not_be_measured_is_not_recorded(shop: Shop, tmp_path: Path) -> None:
    """No fan scored a held-out anime 8 or more: there is no ranking to measure."""
    lists, holdout = tmp_path / "lists.csv", tmp_path / "holdout.csv"
    lists.write_text(HEADER + f"1,{shop.ids[0]},9\n")
    holdout.write_text(HEADER + f"1,{shop.ids[1]},5\n")
    files = ["--lists", lists, "--holdout", holdout]
    done = run_command("evaluate", "--model", shop.model, *files, "--json")
    measured = json.loads(done.stdout)
    assert measured["ndcg@10"] is None
    (tmp_path / "measured.json").write_text(done.stdout)
    train = ["--ratings", shop.folder / "all.csv", "--metrics", tmp_path / "measured.json"]
    out = tmp_path / "model"
    assert main(["train", *map(str, train), "--out", str(out), "--quiet"]) == 0
    numbers = {k: value for k, value in measured.items() if isinstance(value, int | float)}
    assert numbers
    assert Model.open(out).manifest.metrics == pytest.approx(numbers)


@pytest.mark.parametrize("order", ["match", "score", "discover"])
def test_recommend_prints_what_the_api_answers(shop: Shop, tmp_path: Path, order: str) -> None:
    listed = tmp_path / "list.csv"
    seen = shop.ids[1:40:2]
    rows = "".join(f"{anime},{1 + place % 10}\n" for place, anime in enumerate(seen))
    listed.write_text("anime_id,rating\n" + rows)
    answer = answer_of(shop, listed, "--top", 7, "--order", order)
    assert answer["order"] == order
    assert answer["model"] == Model.open(shop.model).version
    shown = answer["recommendations"]
    assert isinstance(shown, list)
    assert [item["rank"] for item in shown] == list(range(1, 8))
    adult = set(shop.ids[::10])
    for item in shown:
        assert set(item) >= {"anime_id", "title", "rank", "match", "predicted_score", "because"}
        assert item["title"] == f"Title {item['anime_id']}"
        assert item["anime_id"] not in {*seen, *adult}
        assert item["because"]
        for reason in item["because"]:
            assert set(reason) >= {"anime_id", "title", "score", "weight"}
            assert reason["title"] == f"Title {reason['anime_id']}"
            assert reason["score"] == 1 + seen.index(reason["anime_id"]) % 10
    assert answer == answer_of(shop, listed, "--top", 7, "--order", order)


def test_recommend_in_words(shop: Shop, tmp_path: Path) -> None:
    listed = tmp_path / "list.parquet"
    pl.DataFrame({"anime_id": shop.ids[:30], "rating": [8] * 30}).write_parquet(listed)
    done = run_process("recommend", "--model", shop.model, "--list", listed, "--top", 3)
    assert (done.returncode, done.stderr) == (0, "")
    assert sum("Title" in line and "because" not in line for line in done.stdout.splitlines()) == 3


def test_adult_anime_are_shown_to_who_asks(shop: Shop, tmp_path: Path) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text("anime_id,rating\n" + "".join(f"{anime},8\n" for anime in shop.ids[1:60:2]))
    adult = set(shop.ids[::10])
    for options, shown in (([], False), (["--adult"], True)):
        answer = answer_of(shop, listed, "--top", 80, *options)
        ids = {item["anime_id"] for item in answer["recommendations"]}  # type: ignore[attr-defined]
        assert bool(ids & adult) is shown


def assert_refused(
    place: Path, *arguments: object, run: Callable[..., CompletedProcess[str]] = run_command
) -> str:
    """The command says one line, exits with 2 and leaves the place as it was."""
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    done = run(*arguments)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"model_build {arguments[0]}: ")
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before
    return str(line)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEADER + "1,10,7\n2,10,seven\n", "row 3, column rating: 'seven'"),
        (HEADER + "1,10,7\n2,10,8\n1,10,7\n", "row 4: user_id 1 and anime_id 10"),
        ("user_id,rating\n1,7\n", "column anime_id is missing"),
        (None, "no such file"),
    ],
)
def test_bad_ratings_are_refused(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "bad.csv").write_text(content)
    line = assert_refused(
        tmp_path, "train", "--ratings", tmp_path / "bad.csv", "--out", tmp_path / "new" / "model"
    )
    assert f"{tmp_path / 'bad.csv'}" in line
    assert said in line


def test_a_place_that_cannot_be_written_is_refused(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    out = tmp_path / "file" / "model"
    line = assert_refused(tmp_path, "train", "--ratings", shop.folder / "all.csv", "--out", out)
    assert str(tmp_path / "file") in line


def test_a_model_that_is_none_is_refused(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("anime_id,rating\n1,7\n")
    arguments = ["recommend", "--model", tmp_path, "--list", tmp_path / "list.csv", "--json"]
    line = assert_refused(tmp_path, *arguments, run=run_process)
    assert "manifest.json: not found" in line


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--neighbours", "0", "at least 1"),
        ("--neighbours", "many", "whole number"),
        ("--shrinkage", "-1", "at least 0"),
        ("--shrinkage", "nan", "at least 0"),
        ("--epochs", "2.5", "whole number"),
        ("--precision", "half", "compact"),
    ],
)
def test_a_wrong_option_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, option: str, value: str, said: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["train", "--ratings", "x.csv", "--out", str(tmp_path / "model"), option, value])
    assert stopped.value.code == 2
    told = capsys.readouterr().err
    assert option in told
    assert said in told
    assert not (tmp_path / "model").exists()


def test_a_folder_in_use_is_not_split_into(shop: Shop) -> None:
    arguments = ["split", "--ratings", shop.folder / "all.csv", "--fans", 5, "--out", shop.folder]
    assert "not empty" in assert_refused(shop.folder, *arguments)


def test_interactions_that_cannot_be_read_leave_nothing_half_done(
    shop: Shop, tmp_path: Path
) -> None:
    file = tmp_path / "interactions.parquet"
    file.write_text("no table\n")
    arguments = ["--ratings", shop.folder / "all.csv", "--fans", 5, "--out", tmp_path / "s"]
    said = assert_refused(shop.folder, "split", *arguments, "--interactions", file)
    assert f"{file}: cannot be read as interactions" in said
    assert not (tmp_path / "s").exists()


def test_only_late_lists_are_taken_out_if_asked_for(shop: Shop, tmp_path: Path) -> None:
    dated, out = tmp_path / "dated.csv", tmp_path / "s"
    year = 2016 + 7 * (pl.col("user_id") % 2)
    pl.read_csv(shop.folder / "all.csv").with_columns(collected=year).write_csv(dated)
    options = ["--fans", 5, "--collected-since", 2023, "--out", out]
    assert run_command("split", "--ratings", dated, *options).returncode == 0
    taken = pl.read_parquet(out / "holdout.parquet")
    assert taken["user_id"].n_unique() == 5
    assert set(taken["collected"]) == {2023}
    undated = ["split", "--ratings", shop.folder / "all.csv", *options[:-1], tmp_path / "t"]
    assert "no column collected" in assert_refused(shop.folder, *undated)
