"""`recommend` for users whose interactions were collected: their favourites beside the picks."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib.image
import polars as pl
import pytest

from app.catalogue import Catalogue
from app.recommender import Model
from model_build.cli import main
from tests.tiny_model import tiny_ratings


@pytest.fixture(scope="module")
def interactions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the tiny model's fans did, as `collect` writes it; user 3 calls nothing a favourite."""
    path = tmp_path_factory.mktemp("did") / "interactions.parquet"
    frame = tiny_ratings().with_columns(
        favourite=(pl.col("rating") >= 9) & (pl.col("user_id") != 3),
        commented=pl.col("rating") >= 10,
        reviewed=pl.lit(value=False),
        minutes=pl.lit(100),
    )
    frame.write_parquet(path)
    return path


def run(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    assert main(["recommend", *map(str, words)]) == 0
    return capsys.readouterr().out


def table(said: str) -> list[list[str]]:
    """The cells of a table in Markdown, without its head."""
    lines = [line for line in said.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


@pytest.mark.parametrize("engine", ["hakken", "als"])
def test_favourites_stand_beside_recommendations(
    tiny_model_with_als: Path, interactions: Path, engine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--model", tiny_model_with_als, "--interactions", interactions, "--user", 7)
    said = run(capsys, *asked, "--engine", engine, "--top", 8)
    own = pl.read_parquet(interactions).filter(pl.col("user_id") == 7)
    assert said.startswith(f"user 7, {len(own):,} anime\n")
    head, _, *rows = table(said)
    assert head == ["favourites", "recommendations", "match"]
    catalogue = Catalogue.open(Model.open(tiny_model_with_als).catalogue_path)
    loved = own.filter("favourite").sort(["rating", "anime_id"], descending=[True, False])
    titles = [catalogue.title(number) for number in loved["anime_id"].to_list()]
    assert [row[0] for row in rows if row[0]] == titles[: len(rows)]
    seen = {catalogue.title(number) for number in own["anime_id"].to_list()}
    assert rows
    for _, pick, match in rows:
        assert pick not in seen
        assert 0 <= int(match.removesuffix(" %")) <= 100
        assert not match.startswith("-")


def test_the_most_active_are_shown_and_drawn(
    tiny_model: Path, interactions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--model", tiny_model, "--interactions", interactions, "--top-users", 5, "--top", 4)
    count = pl.read_parquet(interactions).group_by("user_id").len()
    active = count.sort(["len", "user_id"], descending=[True, False]).head(5)
    wanted = [f"user {user}, {n:,} anime" for user, n in active.iter_rows()]
    png, svg = tmp_path / "favourites.png", tmp_path / "favourites.svg"
    said = run(capsys, *asked, "--picture", png)
    assert [line for line in said.splitlines() if line.startswith("user ")] == wanted
    assert run(capsys, *asked, "--picture", svg) == said
    height, width, _ = matplotlib.image.imread(png).shape
    assert width > 1000
    assert height > 500
    drawn = svg.read_text("utf-8")
    assert drawn.count("recommendations, match in percent") == 5
    for line in wanted:
        assert f"{line}: favourites" in drawn
    again = tmp_path / "again.svg"
    run(capsys, *asked, "--picture", again)
    assert again.read_text("utf-8") == drawn
    lines = run(capsys, *asked, "--json").splitlines()
    answers = [json.loads(line) for line in lines]
    assert [answer["user_id"] for answer in answers] == [str(n) for n in active["user_id"]]
    assert all(answer["favourites"] and answer["recommendations"] for answer in answers)


def test_without_favourites_the_best_scored_stand_there(
    tiny_model: Path, interactions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = run(capsys, "--model", tiny_model, "--interactions", interactions, "--user", 3)
    assert table(said)[0][0] == "best scored"
    assert table(said)[2][0]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "name either one list (--list) or --interactions."),
        (["--interactions", "DID"], "name either --user or --top-users"),
        (["--interactions", "DID", "--user", "1", "--top-users", "2"], "either --user or"),
        (["--interactions", "DID", "--user", "nobody"], "--user nobody: no such user in these"),
        (["--list", "DID", "--user", "1"], "--picture go with --interactions"),
        (["--interactions", "DID", "--user", "1", "--picture", "a.gif"], "in .png or .svg"),
    ],
)
def test_what_does_not_go_together_is_said(
    tiny_model: Path,
    interactions: Path,
    options: list[str],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = [str(interactions) if word == "DID" else word for word in options]
    assert main(["recommend", "--model", str(tiny_model), *asked]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        (pl.lit("yes").alias("commented"), "expected a column commented of true and false"),
        (pl.lit(value=True).alias("minutes"), "expected a column minutes of numbers"),
        (pl.lit(-3).alias("minutes"), "minutes is -3"),
    ],
)
def test_interactions_that_cannot_be_read_are_named(
    tiny_model: Path,
    interactions: Path,
    tmp_path: Path,
    column: pl.Expr,
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    odd = tmp_path / "odd.parquet"
    pl.read_parquet(interactions).with_columns(column).write_parquet(odd)
    asked = ["recommend", "--model", str(tiny_model), "--interactions", str(odd), "--user", "1"]
    assert main(asked) == 2
    assert sentence in capsys.readouterr().err
