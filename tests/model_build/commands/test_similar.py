"""`similar`, and the filters of `recommend`, as an operator runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_build.cli import main
from tests.tiny_model import anime_ids, tiny_ratings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds ``list.csv``."""
    folder = tmp_path_factory.mktemp("similar")
    rows = "".join(f"{anime_id},9\n" for anime_id in anime_ids()[20:28])
    (folder / "list.csv").write_text(f"anime_id,rating\n{rows}", "utf-8")
    return folder


def answered(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, object]:
    capsys.readouterr()
    assert main([*map(str, arguments), "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_anime_like_an_anime(
    crowded_model: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("similar", "--model", crowded_model, "--engine", "als", "--anime", anime_ids()[10])
    body = answered(capsys, *asked, "--top", 4, "--type", "movie")
    rows = body["similar"]
    assert isinstance(rows, list)
    assert [row["rank"] for row in rows] == [1, 2, 3, 4]
    assert {row["type"] for row in rows} == {"Movie"}
    assert main(list(map(str, asked))) == 0
    assert "by als" in capsys.readouterr().out


def test_anime_like_an_anime_by_what_every_model_has(
    tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("similar", "--model", tiny_model, "--anime", anime_ids()[10], "--top", 3)
    found = {}
    for source in ("similarity", "affinity"):
        body = answered(capsys, *asked, "--engine", source)
        assert body["engine"] == source
        rows = body["similar"]
        assert isinstance(rows, list)
        assert [row["rank"] for row in rows] == [1, 2, 3]
        found[source] = [(row["anime_id"], row["likeness"]) for row in rows]
    assert found["similarity"] != found["affinity"]


def test_fans_like_a_list(
    crowded_model: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("similar", "--model", crowded_model, "--engine", "als")
    body = answered(capsys, *asked, "--list", folder / "list.csv", "--genre", "drama")
    assert body["nearest"] == 50
    rows = body["recommendations"]
    assert isinstance(rows, list)
    assert rows
    assert all("Drama" in row["genres"] for row in rows)
    assert main(list(map(str, (*asked, "--list", folder / "list.csv")))) == 0
    assert "sources  Light Novel " in capsys.readouterr().out


def test_recommend_has_the_same_filters(
    crowded_model: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("recommend", "--model", crowded_model, "--list", folder / "list.csv")
    body = answered(capsys, *asked, "--type", "ova", "--genre", "Comedy")
    rows = body["recommendations"]
    assert isinstance(rows, list)
    assert rows
    assert {row["type"] for row in rows} == {"OVA"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--engine", "als", "--anime", "999999"), "--anime 999999: model"),
        (("--engine", "affinity", "--list", "list.csv"), "--engine affinity: knows anime, no fans"),
        (("--engine", "als", "--anime", "1", "--genre", "Cooking"), "--genre Cooking: the model"),
    ],
)
def test_what_cannot_be_answered_is_said(
    crowded_model: Path,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    said: str,
) -> None:
    assert main(["similar", "--model", str(crowded_model), *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_model_without_fans_says_how_to_make_one_with(
    tiny_model: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ratings = tmp_path / "ratings.parquet"
    tiny_ratings().write_parquet(ratings)
    told = ("engine", "als", "--model", tiny_model, "--ratings", ratings)
    chosen = ("--out", tmp_path / "model", "--factors", "2", "--iterations", "1")
    assert main(list(map(str, (*told, *chosen)))) == 0
    asked = ("similar", "--model", tmp_path / "model", "--engine", "als")
    assert main(list(map(str, (*asked, "--list", folder / "list.csv")))) == 2
    assert (
        "keeps no fans; `python -m model_build engine als --with-fans`" in capsys.readouterr().err
    )
