"""Which anime `recommend` shows, against the facts of the catalogue."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_build.cli import main
from tests.tiny_model import ALL_AGES, anime_ids, tiny_catalogue

IDS = anime_ids()
FACTS = {row["anime_id"]: row for row in tiny_catalogue().to_dicts()}
CHILDREN = [n for n in IDS if FACTS[n]["age_rating"] == ALL_AGES]
LISTED = IDS[10:14]
Answer = Callable[..., dict[str, Any]]


@pytest.fixture
def answer(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Answer:
    """What `recommend` answers for some anime and options."""

    def recommend(listed: list[int], *options: object) -> dict[str, Any]:
        rows = "".join(f"{anime_id},8\n" for anime_id in listed)
        (tmp_path / "list.csv").write_text(f"anime_id,rating\n{rows}")
        files = ("--model", tiny_model, "--list", tmp_path / "list.csv", "--top", 60, "--json")
        assert main(list(map(str, ("recommend", *files, *options)))) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    return recommend


@pytest.mark.parametrize(
    ("options", "passes"),
    [
        (("--genre", "mecha"), lambda a: "Mecha" in a["themes"]),
        (("--without", "Mecha", "drama"), lambda a: "Mecha" not in (a["themes"] or "")),
        (("--tag", "time skip"), lambda a: "Time Skip" in a["tags"]),
        (("--without-tag", "ninja"), lambda a: "Ninja" not in (a["tags"] or "")),
        (("--studio", "J.C.Staff"), lambda a: a["studios"] == "J.C.Staff"),
        (("--material", "manga", "original"), lambda a: a["source"] != "Light Novel"),
    ],
)
def test_a_filter_leaves_what_it_says(
    answer: Answer, options: tuple[str, ...], passes: Callable[[dict[str, Any]], bool]
) -> None:
    everything = answer(LISTED)["recommendations"]
    found = answer(LISTED, *options)["recommendations"]
    assert 0 < len(found) < len(everything)
    assert all(passes(FACTS[item["anime_id"]]) for item in found)


def test_a_least_score_is_kept_to(answer: Answer) -> None:
    found = answer(LISTED, "--min-score", "6.5")["recommendations"]
    assert 0 < len(found) < len(answer(LISTED)["recommendations"])
    assert all(item["predicted_score"] >= 6.5 for item in found)


def test_ratings_have_a_ceiling_that_is_asked_for_or_fits_a_childs_list(answer: Answer) -> None:
    asked = answer(LISTED, "--rating", "g")
    assert asked["ceiling"] == {"rating": "g", "reason": "asked"}
    assert {item["anime_id"] for item in asked["recommendations"]} <= set(CHILDREN)
    child = answer(CHILDREN[:3])
    assert child["ceiling"] == {"rating": "pg13", "reason": "childrens_list"}
    assert {item["age_rating"] for item in child["recommendations"]} <= {"g", "pg", "pg13"}
    assert "ceiling" not in answer(CHILDREN[:3], "--adult")


def test_a_word_that_there_is_not_is_answered_with_the_nearest(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "list.csv").write_text(f"anime_id,rating\n{IDS[0]},8\n")
    files = ["--model", str(tiny_model), "--list", str(tmp_path / "list.csv")]
    for options, told in (
        (["--tag", "time-skipp"], "--tag time-skipp: did you mean Time Skip?"),
        (["--studio", "zzz"], "--studio zzz: the model's catalogue has Madhouse, "),
    ):
        assert main(["recommend", *files, *options]) == 2
        assert told in capsys.readouterr().err
