"""Relations of anime, from each form in which they are published."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from model_build.cli import main
from model_build.data.relations import (
    Relation,
    add_relations,
    decode_relations,
    parse_anilist_relations,
    parse_anime_relations,
    relation_of,
)
from model_build.util.errors import InputError

RULES = """# This file is in the public domain.
::meta
- version: 1.3.0
::rules
# Sailor Moon: the seasons are numbered on from the first
- 530|489|530:90-127 -> 532|491|532:1-38!
- 530|489|530:47-89 -> 740|664|740:1-43!
# a special after a season, and one before it
- 6682|4662|6682:13 -> 7739|5102|7739:1
- 11111|6462|11111:0 -> 11701|6569|11701:1
# films in a row
- 2593|2357|2593:2 -> 3782|3248|3782:1
- 2593|2357|2593:3 -> 3783|3249|3783:1
# two specials; still running; known elsewhere only; itself; nobody knows
- 2251|2039|2251:14-15 -> 3901|3334|3901:1-2
- 40192|42585|110786:14-? -> 40942|43144|114233:1-?!
- ?|7205|15061:51-101 -> ?|7972|20181:1-50
- 33820|12478|21898:0 -> ~|~|~:1
- ?|?|?:1-2 -> 5|?|?:1-2
"""


def test_rules_of_anime_relations_say_what_continues() -> None:
    elsewhere = pl.DataFrame(
        {"anime_id": [15061, 20181], "kitsu_id": [7205, None], "anilist_id": [None, 20181]}
    )
    found = parse_anime_relations(RULES, "rules.txt", elsewhere)
    assert found == sorted(
        [
            Relation(740, "sequel", 530),
            Relation(532, "sequel", 740),
            Relation(7739, "side_story", 6682),
            Relation(11701, "side_story", 11111),
            Relation(3782, "sequel", 2593),
            Relation(3783, "sequel", 3782),
            Relation(3901, "side_story", 2251),
            Relation(40942, "sequel", 40192),
            Relation(20181, "sequel", 15061),
        ]
    )
    without = parse_anime_relations(RULES, "rules.txt")
    assert [each for each in found if each not in without] == [Relation(20181, "sequel", 15061)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "rules.txt: holds no rules"),
        ("::rules\n# none\n", "rules.txt: holds no rules"),
        ("::rules\n- 1|2|3 -> 4|5|6\n", "rules.txt:2: no rule of anime-relations: '- 1"),
    ],
)
def test_what_is_no_file_of_rules_is_told(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_anime_relations(text, "rules.txt")


def test_anilist_says_what_the_related_anime_is() -> None:
    media = {
        "idMal": 16498,
        "relations": {
            "edges": [
                {"relationType": "SEQUEL", "node": {"idMal": 25777, "type": "ANIME"}},
                {"relationType": "SIDE_STORY", "node": {"idMal": 18397}},
                {"relationType": "COMPILATION", "node": {"idMal": 23775, "type": "ANIME"}},
                {"relationType": "SPIN_OFF", "node": {"idMal": 31374, "type": "ANIME"}},
                {"relationType": "ADAPTATION", "node": {"idMal": 23390, "type": "MANGA"}},
                {"relationType": "SOURCE", "node": {"idMal": 1, "type": "ANIME"}},
                {"relationType": "PREQUEL", "node": {"idMal": None, "type": "ANIME"}},
                {"relationType": None, "node": None},
                None,
            ]
        },
    }
    assert parse_anilist_relations(media) == [
        Relation(18397, "side_story", 16498),
        Relation(23775, "summary", 16498),
        Relation(25777, "sequel", 16498),
        Relation(31374, "spin_off", 16498),
    ]
    parent = {"relationType": "PARENT", "node": {"idMal": 16498, "type": "ANIME"}}
    assert parse_anilist_relations({"idMal": 18397, "relations": {"edges": [parent]}}) == [
        Relation(18397, "side_story", 16498)
    ]
    for nothing in ({}, {"idMal": 5}, {"idMal": None, "relations": None}, {"idMal": 5} | parent):
        assert parse_anilist_relations(nothing) == []


def test_both_ways_of_saying_it_are_one() -> None:
    assert relation_of(1, 2, "Prequel") == relation_of(2, 1, "sequel") == Relation(1, "sequel", 2)
    assert relation_of(1, 2, "full_story") == Relation(1, "summary", 2)
    assert relation_of(1, 2, "side story") == Relation(2, "side_story", 1)
    assert relation_of(1, 2, "adaptation") is relation_of(1, 1, "sequel") is None


def test_a_table_keeps_what_says_more() -> None:
    table = pl.DataFrame(
        {"anime_id": [1, 2, 3], "title": "abc", "relations": [None, "related:3", None]}
    )
    new = [Relation(2, "related", 1), Relation(2, "sequel", 3), Relation(2, "other", 3)]
    kept = add_relations(table, [*new, Relation(2, "side_story", 9)])
    cells = dict(kept.select("anime_id", "relations").iter_rows())
    assert cells == {1: "related:2", 2: "related:1;prequel:3;parent_story:9", 3: "sequel:2"}
    assert set(decode_relations(2, cells[2])) == {
        Relation(1, "related", 2),
        Relation(2, "sequel", 3),
        Relation(2, "side_story", 9),
    }
    assert decode_relations(1, None) == decode_relations(1, "") == []
    with pytest.raises(InputError, match="relations of anime 4: 'sequel' is not like prequel:1535"):
        decode_relations(4, "sequel")


def test_an_operator_brings_the_series_up_to_date(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rules.txt").write_text(RULES)
    rows = [(530, 740, "sequel"), (740, 530, "prequel"), (740, 999, "side_story")]
    pl.DataFrame(
        [(*row, "somebody", "MIT") for row in rows],
        schema=["anime_id", "related_id", "kind", "source", "licence"],
        orient="row",
    ).write_csv(tmp_path / "pairs.csv")
    pl.DataFrame(
        {
            "anime_id": [530, 532, 740, 999],
            "title": ["Sailor Moon", "Sailor Moon S", "Sailor Moon R", "Luna"],
            "type": ["TV", "TV", "TV", "MOVIE"],
        }
    ).write_parquet(tmp_path / "anime.parquet")
    files = [str(tmp_path / name) for name in ("pairs.csv", "rules.txt")]
    table = str(tmp_path / "anime.parquet")
    assert main(["catalogue", "--catalogue", table, "--relations", *files, "--out", table]) == 0
    assert (
        "4 anime, 0 of them new; 4 in 1 series, 0 of them by their titles"
        in capsys.readouterr().out
    )
    found = pl.read_parquet(table).sort("watch_order")
    assert found["anime_id"].to_list() == [530, 740, 532, 999]
    assert found["franchise_id"].to_list() == [530] * 4
    assert found["relation_kind"].to_list() == [None, "sequel", "sequel", "side_story"]


def test_a_missing_file_of_rules_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pl.DataFrame({"anime_id": [1], "title": ["a"]}).write_csv(tmp_path / "anime.csv")
    out, missing = str(tmp_path / "out.parquet"), str(tmp_path / "none.txt")
    options = ["--catalogue", str(tmp_path / "anime.csv"), "--relations", missing, "--out", out]
    assert main(["catalogue", *options]) != 0
    assert "none.txt" in capsys.readouterr().err
