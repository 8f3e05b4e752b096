"""A weekly release, in each of its forms, and the table that it brings up to date."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard

from app.pictures import MAL_PICTURE_BASE
from model_build.cli import main
from model_build.data.anime_database import read_anime_database, update_catalogue
from model_build.data.watch_order import add_series
from model_build.util.errors import InputError

SERIES = ("anime_id", "franchise_id", "is_inferred")
MAL = "https://myanimelist.net/anime/"
HEAD = {
    "$schema": "https://example.org/schema.json",
    "license": {"name": "ODbL-1.0", "url": "https://example.org"},
    "repository": "https://example.org",
    "scoreRange": {"minInclusive": 1.0, "maxInclusive": 10.0},
    "lastUpdate": "2026-10-19",
}


def entry(number: int, title: str = "Frieren", **changes: Any) -> dict[str, Any]:
    return {
        "sources": [f"https://anilist.co/anime/{number + 1000}", f"{MAL}{number}"],
        "title": title,
        "type": "TV",
        "episodes": 28,
        "status": "FINISHED",
        "animeSeason": {"season": "FALL", "year": 2023},
        "picture": f"{MAL_PICTURE_BASE}1015/138006.jpg",
        "thumbnail": f"{MAL_PICTURE_BASE}1015/138006t.jpg",
        "duration": {"value": 1440, "unit": "SECONDS"},
        "score": {"arithmeticGeometricMean": 8.9, "arithmeticMean": 8.9, "median": 8.9},
        "synonyms": ["Frieren: Beyond Journey's End"],
        "studios": ["madhouse"],
        "producers": [],
        "relatedAnime": [],
        "tags": ["adventure", "fantasy", "science fiction", "travel"],
        **changes,
    }


def write(path: Path, *entries: dict[str, Any]) -> Path:
    if ".jsonl" in path.name:
        text = "\n".join(json.dumps(line) for line in (HEAD, *entries)) + "\n"
    else:
        text = json.dumps({**HEAD, "data": entries})
    packed = path.suffix == ".zst"
    path.write_bytes(zstandard.compress(text.encode()) if packed else text.encode())
    return path


@pytest.mark.parametrize("ending", ["-minified.json", "-minified.json.zst", ".jsonl", ".jsonl.zst"])
def test_every_form_of_a_release_is_read(tmp_path: Path, ending: str) -> None:
    path = write(
        tmp_path / f"anime-offline-database{ending}",
        entry(52991),
        entry(7, "Unknown", type="UNKNOWN", episodes=0, animeSeason={"season": "UNDEFINED"}),
        entry(8, "Elsewhere", sources=["https://anidb.net/anime/8"]),
    )
    first, frieren = read_anime_database(path).to_dicts()
    assert frieren == {
        "anime_id": 52991,
        "anilist_id": 53991,
        "kitsu_id": None,
        "title": "Frieren",
        "synonyms": "Frieren: Beyond Journey's End",
        "type": "TV",
        "episodes": 28,
        "season": "fall",
        "year": 2023,
        "genres": "Adventure;Fantasy;Sci-Fi",
        "themes": None,
        "demographics": None,
        "studios": "Madhouse",
        "picture": f"{MAL_PICTURE_BASE}1015/138006.jpg",
        "adult": False,
        "related": [],
    }
    unknown = [first[name] for name in ("type", "episodes", "season", "year")]
    assert unknown == [None] * 4


def test_the_thumbnail_stands_in_for_a_picture_that_pages_do_not_show(tmp_path: Path) -> None:
    none = "https://raw.githubusercontent.com/manami-project/x/master/pics/no_pic.png"
    thumbnail = "https://cdn.myanimelist.net/images/anime/9/87t.jpg"
    path = write(
        tmp_path / "a.json",
        entry(1, picture=none, thumbnail=thumbnail),
        entry(2, picture=none, thumbnail=none),
    )
    pictures = read_anime_database(path)["picture"].to_list()
    assert pictures == [f"{MAL_PICTURE_BASE}9/87.jpg", None]


def test_synonyms_are_other_names_each_once(tmp_path: Path) -> None:
    names = ["フリーレン", "Frieren", "SnF", "SnF", "A|B"]
    path = write(tmp_path / "a.json", entry(1, synonyms=names), entry(2, synonyms=["Frieren"]))
    assert read_anime_database(path)["synonyms"].to_list() == ["フリーレン|SnF|A/B", None]


def test_synonyms_of_the_table_and_of_the_release_stand_together(tmp_path: Path) -> None:
    known = pl.DataFrame(
        {"anime_id": [1, 2, 3], "title": ["a", "b", "c"], "synonyms": ["SnF|Own", None, None]}
    )
    path = write(tmp_path / "a.json", entry(1, synonyms=["SnF", "Also"]), entry(2, synonyms=["B"]))
    updated = update_catalogue(known, read_anime_database(path))
    assert updated["synonyms"].to_list() == ["SnF|Own|Also", "B", None]


def test_known_facts_stay_and_missing_ones_are_filled_in(tmp_path: Path) -> None:
    known = pl.DataFrame(
        {
            "anime_id": [1, 2],
            "title": ["Ours", "Alone"],
            "title_english": ["Theirs", None],
            "episodes": [12, 3],
            "year": [None, 1999],
            "genres": ["Drama", None],
            "synopsis": ["Long.", None],
        },
        schema_overrides={"year": pl.Int32},
    )
    path = write(tmp_path / "a.json", entry(1, "Another"), entry(3, "New"))
    first, second, new = update_catalogue(known, read_anime_database(path)).to_dicts()
    assert (first["title"], first["title_english"], first["genres"]) == ("Ours", "Theirs", "Drama")
    assert (first["episodes"], first["year"], first["anilist_id"]) == (28, 2023, 1001)
    assert (second["title"], second["episodes"], second["type"]) == ("Alone", 3, None)
    assert (new["title"], new["title_english"], new["synopsis"]) == ("New", None, None)


def test_studios_are_spelled_as_in_the_table(tmp_path: Path) -> None:
    known = pl.DataFrame(
        {"anime_id": [1, 9], "title": ["A", "B"], "studios": [None, "MAPPA;J.C.Staff"]}
    )
    path = write(
        tmp_path / "a.json",
        entry(1, studios=["mappa", "studio pierrot"]),
        entry(3, studios=["j.c. staff"]),
        entry(4, studios=[]),
    )
    found = update_catalogue(known, read_anime_database(path))
    assert dict(found.select("anime_id", "studios").iter_rows()) == {
        1: "MAPPA;Studio Pierrot",
        3: "J.C.Staff",
        4: None,
        9: "MAPPA;J.C.Staff",
    }


def test_what_is_related_joins_the_series_that_its_title_names(tmp_path: Path) -> None:
    known = pl.DataFrame(
        {
            "anime_id": [1, 2, 3],
            "title": ["Hunter", "Tale", "Hunter 2nd Season"],
            "type": ["TV", "TV", "TV"],
            "relations": [None, None, "prequel:1"],
        }
    )
    related = {
        3: ("Hunter 2nd Season", [1, 4]),
        4: ("Chibi Hunter Corner", [3]),
        5: ("Hunter meets Tale", [1, 2]),
        6: ("Elsewhere", [1]),
    }
    path = write(
        tmp_path / "a.json",
        *(
            entry(n, title, type="SPECIAL", relatedAnime=[f"{MAL}{other}" for other in others])
            for n, (title, others) in related.items()
        ),
    )
    found = update_catalogue(known, read_anime_database(path))
    relations = dict(found.select("anime_id", "relations").iter_rows())
    assert relations[3] == "prequel:1;related:4", "what is known of a pair stays"
    assert relations[1] == "related:5;related:6", "and each stands with both"
    series = {row[0]: row[1:] for row in add_series(found).select(*SERIES).iter_rows()}
    assert series[1] == series[3] == (1, False)
    assert series[4] == (1, True), "one series, and a word of its title"
    assert series[5] == (None, False), "a crossover is of neither"
    assert series[6] == (None, False), "no word in common"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.json", b"{}", "data: Field required"),
        ("a.json", b"<html>", "Invalid JSON"),
        ("a.json", b'{"data": [{"title": "x"}]}', r"data\.0\.sources"),
        ("a.jsonl", b'{}\n{"title": 1}\n', "sources"),
        ("a.json", b'{"data": []}', "holds no anime"),
        ("a.json.zst", zstandard.compress(b'{"data": []}' * 99)[:-9], "cut off|Invalid JSON"),
        ("a.json.zst", b"", "cut off or not a zstd file"),
        ("a.json.zst", b"{}", "cut off or not a zstd file"),
    ],
)
def test_what_is_no_release_is_told(tmp_path: Path, name: str, text: bytes, told: str) -> None:
    path = tmp_path / name
    path.write_bytes(text)
    with pytest.raises(InputError, match=told) as raised:
        read_anime_database(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_the_command_brings_a_table_up_to_date(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    release = write(tmp_path / "a.json", entry(1), entry(2, "Other"))
    table = tmp_path / "tables" / f"anime{suffix}"
    command = ["catalogue", "--database", str(release), "--out", str(table)]
    assert main(command) == 0
    assert "2 anime, 2 of them new" in capsys.readouterr().out
    write(release, entry(1), entry(2), entry(3))
    assert main([*command, "--catalogue", str(table)]) == 0
    assert "3 anime, 1 of them new" in capsys.readouterr().out
    before = table.read_bytes()
    release.write_text("{")
    assert main([*command, "--catalogue", str(table)]) == 2
    assert str(release) in capsys.readouterr().err
    assert table.read_bytes() == before
    assert [each.name for each in table.parent.iterdir()] == [table.name]


def test_a_table_whose_name_says_no_form_is_refused_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, missing = tmp_path / "anime.xlsx", tmp_path / "none.json"
    assert main(["catalogue", "--database", str(missing), "--out", str(table)]) == 2
    said = capsys.readouterr().err
    assert f"{table}: a table is written as CSV or Parquet" in said
    assert not table.exists()
    nested = tmp_path / "nested.parquet"
    pl.DataFrame({"anime_id": [1], "title": ["a"], "staff": [["b"]]}).write_parquet(nested)
    out = tmp_path / "anime.csv"
    assert main(["catalogue", "--catalogue", str(nested), "--out", str(out)]) == 2
    assert f"{out}: cannot be written (CSV format does not support nested data" in (
        capsys.readouterr().err
    )
