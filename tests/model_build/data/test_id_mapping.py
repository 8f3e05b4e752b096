"""Mappings of ids between sites, as Fribb/anime-lists writes them, and what a table takes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from app.catalogue import Catalogue
from demo.http_server import FakeResponse, FakeServer, RecordedRequest
from model_build.cli import main
from model_build.data.catalogue import encode_catalogue
from model_build.data.id_mapping import read_id_mapping
from model_build.util.errors import InputError

FULL: dict[str, Any] = {
    "type": "TV",
    "anidb_id": 1,
    "anilist_id": 290,
    "animecountdown_id": 36462,
    "anime-planet_id": "crest-of-the-stars",
    "imdb_id": ["tt0286390"],
    "kitsu_id": 265,
    "mal_id": 290,
    "themoviedb_id": {"tv": 26209},
    "tvdb_id": 72025,
    "season": {"tvdb": 1, "tmdb": 1},
}
SECOND_SEASON = FULL | {"mal_id": 396, "anilist_id": 396, "kitsu_id": 363, "season": {"tvdb": 2}}
OLDER = {"livechart_id": 5549, "thetvdb_id": 210291, "mal_id": 7669, "type": "OVA"}


def write(path: Path, *rows: object) -> Path:
    path.write_text(json.dumps(list(rows)))
    return path


def test_both_forms_are_read_and_seasons_share_the_number_of_their_series(tmp_path: Path) -> None:
    elsewhere = {"type": "ONA", "anilist_id": 142278, "tvdb_id": 5}
    again = FULL | {"tvdb_id": 1}
    found = read_id_mapping(
        write(tmp_path / "anime-list-full.json", FULL, SECOND_SEASON, OLDER, elsewhere, again)
    )
    assert found.rows() == [
        (290, 290, 265, 72025),
        (396, 396, 363, 72025),
        (7669, None, None, 210291),
    ]


@pytest.mark.parametrize("odd", ["unknown", "", [1], {"tv": 1}, 0, -4, 2**40, 1.5, True, None])
def test_an_odd_number_is_none_and_costs_nothing_else(tmp_path: Path, odd: object) -> None:
    found = read_id_mapping(write(tmp_path / "ids.json", FULL | {"tvdb_id": odd}, OLDER))
    assert found.rows() == [(290, 290, 265, None), (7669, None, None, 210291)]
    assert read_id_mapping(write(tmp_path / "ids.json", FULL | {"tvdb_id": "72025"})).rows() == [
        (290, 290, 265, 72025)
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[{", "cannot be read as a mapping of ids"),
        ("{}", "cannot be read as a mapping of ids"),
        ("[1]", "cannot be read as a mapping of ids"),
        ("[]", "has no mal_id"),
        ('[{"anilist_id": 5}]', "has no mal_id"),
    ],
)
def test_another_file_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "ids.json"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_id_mapping(path)
    with pytest.raises(InputError, match="there is no such file"):
        read_id_mapping(tmp_path / "nothing.json")


def test_a_table_takes_what_it_lacks_from_a_file_or_an_address(tmp_path: Path) -> None:
    table = tmp_path / "anime.parquet"
    pl.DataFrame(
        {"anime_id": [290, 396, 5], "title": ["A", "B", "C"], "anilist_id": [1, None, None]}
    ).write_parquet(table)
    ids = write(tmp_path / "ids.json", FULL, SECOND_SEASON, OLDER)

    def answer(_: RecordedRequest) -> FakeResponse:
        return FakeResponse(200, ids.read_bytes())

    with FakeServer(answer) as server:
        for location in (str(ids), f"{server.url}/anime-list-full.json"):
            out = tmp_path / "out.parquet"
            options = ["--catalogue", str(table), "--ids", location, "--out", str(out)]
            assert main(["catalogue", *options]) == 0
            rows = pl.read_parquet(out).sort("anime_id")
            assert rows["anime_id"].to_list() == [5, 290, 396]
            assert rows["anilist_id"].to_list() == [None, 1, 396], "what the table says stays"
            assert rows["tvdb_id"].to_list() == [None, 72025, 72025]
    packed = tmp_path / "catalogue.json.gz"
    packed.write_bytes(encode_catalogue(rows, rows["anime_id"].cast(pl.Int32).to_numpy()))
    catalogue = Catalogue.open(packed)
    assert catalogue.has_tvdb_ids
    assert catalogue.get_anime(396).tvdb_id == 72025
    assert catalogue.get_anime(5).tvdb_id is None
