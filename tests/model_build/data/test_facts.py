"""Tables of facts, names and relations that complete a catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from model_build.cli import main
from model_build.data.facts import (
    FACT_COLUMNS,
    MIN_YEAR_ANIME,
    NAME_COLUMNS,
    RELATION_COLUMNS,
    merge_facts,
    merge_names,
    merge_relations,
)
from model_build.data.labels import (
    DEMOGRAPHICS,
    GENRES,
    OTHER_NAMES,
    THEMES,
    select_tags,
    sort_labels,
)

CATALOGUE = pl.DataFrame(
    {
        "anime_id": [1, 2],
        "title": ["Mobile Suit Gundam", "Totoro"],
        "type": ["TV", None],
        "year": [1979, 1988],
        "genres": ["Action;Mecha;Military", None],
        "members": [1000, 3000],
    }
)


def facts(*rows: dict[str, Any]) -> pl.DataFrame:
    defaults = {"collected": "2026-01-01", "licence": "MIT"}
    texts = dict.fromkeys(FACT_COLUMNS, pl.String)
    numbers = {"anime_id": pl.Int64, "episodes": pl.Int64, "year": pl.Int64, "members": pl.Float64}
    schema = {**texts, **numbers, "mean": pl.Float64}
    return pl.DataFrame([defaults | row for row in rows], schema=schema)


def merged(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    return merge_facts(CATALOGUE, facts(*rows)).to_dicts()


def test_what_the_catalogue_says_stays_and_gaps_are_filled_by_the_latest() -> None:
    gundam, totoro = merged(
        {"anime_id": 1, "type": "OVA", "studios": "Sunrise", "collected": "2026-03-01"},
        {"anime_id": 1, "studios": "Nippon Sunrise", "collected": "2020-01-01"},
        {"anime_id": 2, "type": "MOVIE", "source_material": "original", "year": 1990},
        {"anime_id": 3, "type": "TV"},
    )
    assert (gundam["type"], gundam["studios"]) == ("TV", "Sunrise")
    assert (totoro["type"], totoro["source"], totoro["year"]) == ("MOVIE", "Original", 1988)


def test_an_earlier_year_counts_where_two_sources_agree_on_it() -> None:
    """Such as the first season of a Chinese series, dated by when it came to Japan."""
    catalogue = CATALOGUE.with_columns(
        year=pl.Series([2025, 2026]), season=pl.Series(["fall", "winter"])
    )

    def dated(*years: tuple[int, int, str | None]) -> list[tuple[int, str | None]]:
        rows = [{"anime_id": n, "year": year, "season": season} for n, year, season in years]
        found = merge_facts(catalogue, facts(*rows))
        return [*found.select("year", "season").iter_rows()]

    kept = [(2025, "fall"), (2026, "winter")]
    assert dated((1, 2020, "WINTER"), (1, 2020, None)) == [(2020, "winter"), kept[1]]
    assert dated((1, 2020, None), (1, 2021, None)) == kept, "they do not agree"
    assert dated((1, 2026, None), (1, 2026, None)) == kept, "a later one may be another release"
    assert dated((1, 2020, None), (1, 2020, None), *[(1, 2025, "FALL")] * 3) == kept
    assert dated((2, 2025, "FALL"), (2, 2025, None)) == kept, "winter begins in December"


def test_numbers_on_other_sites_come_along_where_the_facts_have_them() -> None:
    assert "tvdb_id" not in merged({"anime_id": 1})[0]
    table = facts(
        {"anime_id": 1, "collected": "2026-03-01"},
        {"anime_id": 1, "collected": "2026-02-01"},
        {"anime_id": 1, "collected": "2026-01-01"},
    ).with_columns(tvdb_id=pl.Series([None, 70973.0, 5.0]))
    gundam, totoro = merge_facts(CATALOGUE, table).to_dicts()
    assert (gundam["tvdb_id"], totoro["tvdb_id"]) == (70973, None)
    kept = CATALOGUE.with_columns(tvdb_id=pl.Series([3, None]))
    assert merge_facts(kept, table)["tvdb_id"].to_list() == [3, None]


def test_a_studio_is_spelt_in_one_way() -> None:
    gundam, totoro = merged(
        {"anime_id": 1, "studios": "J.C.Staff;OLM", "collected": "2026-03-01"},
        {"anime_id": 2, "studios": "Olm;J.C. Staff"},
    )
    assert (gundam["studios"], totoro["studios"]) == ("J.C.Staff;OLM", "OLM;J.C.Staff")


def test_words_stand_in_one_column_each_and_tags_come_last() -> None:
    gundam, totoro = merged(
        {"anime_id": 1, "genres": "Drama", "demographics": "Shounen", "tags": "Space;Real Robot"},
        {"anime_id": 2, "genres": "Slice Of Life;Thriller", "tags": "Iyashikei;Kids;Coming of Age"},
    )
    assert gundam["genres"] == "Action", "ours come first"
    assert gundam["themes"] == "Mecha;Military"
    assert gundam["demographics"] == "Shounen"
    assert (totoro["genres"], totoro["themes"]) == ("Slice of Life;Suspense", "Iyashikei")
    assert totoro["demographics"] == "Kids"


def test_an_animal_is_no_pet() -> None:
    """AniList's tag is as much about wolves and boars that talk."""
    mononoke, _ = merged({"anime_id": 1, "tags": "Animals;Ninja"})
    assert mononoke["themes"] == "Mecha;Military"
    assert sort_labels(["Animals"]) == ([], [], [])
    assert select_tags(["Animals", "Ninja"]) == ["Animals", "Ninja"]


def test_every_label_has_one_column() -> None:
    labels = [*GENRES, *THEMES, *DEMOGRAPHICS]
    assert len(set(labels)) == len(labels)
    for label in {*labels, *OTHER_NAMES, *map(str.lower, labels)}:
        assert sum(map(len, sort_labels([label]))) == 1


def test_members_are_those_of_today() -> None:
    """Of a hundred anime half were counted again, and those of 2020 have grown tenfold."""
    n = 4 * MIN_YEAR_ANIME
    new = [at % 2 == 0 for at in range(n)]
    catalogue = pl.DataFrame(
        {
            "anime_id": range(1, n + 1),
            "title": ["x"] * n,
            "year": [2020 if each else 2000 for each in new],
            "members": [100] * n,
            "scored_by": [500 if each else 90 for each in new],
        }
    )
    growth = {2020: 10, 2000: 1.5}
    counted = [
        {"anime_id": row["anime_id"], "members": growth[row["year"]] * row["members"]}
        for row in catalogue.head(n // 2).to_dicts()
    ]
    found = merge_facts(catalogue, facts(*counted))["members"].to_list()
    assert found[:2] == [1000, 150]
    assert found[-1] == 150, "counted long ago, when it was known already"
    ratio = sorted([2.0] * (n // 4) + [150 / 90] * (n // 4))
    assert found[-2] == round(500 * (ratio[n // 4 - 1] + ratio[n // 4]) / 2), (
        "counted before most had seen it: by those who scored it"
    )


def test_members_are_no_fewer_than_those_who_scored() -> None:
    """A film was counted when it came; those who scored it since say what it has."""
    n = MIN_YEAR_ANIME
    catalogue = pl.DataFrame(
        {
            "anime_id": range(1, n + 5),
            "title": ["x"] * (n + 4),
            "year": [2020] * (n + 4),
            "members": [1000] * n + [1000, 1000, 50, None],
            "scored_by": [800] * n + [5000, 100, 3000, None],
        }
    )
    counted = [{"anime_id": at, "members": 1600.0} for at in range(1, n + 1)]
    counted.append({"anime_id": n + 3, "members": 70.0})
    found = merge_facts(catalogue, facts(*counted))["members"].to_list()
    assert found[n:] == [10_000, 1600, 6000, None], "who nobody counted is not known"


def test_of_a_pair_one_relation_counts() -> None:
    rows = [
        (1, 2, "sequel", "order"),
        (1, 3, "side_story", "order"),
        (1, 2, "alternative", "typed"),
        (2, 1, "alternative", "typed"),
        (2, 4, "summary", "typed"),
        (2, 4, "character", "typed"),
    ]
    relations = pl.DataFrame(rows, schema=list(RELATION_COLUMNS[:4]), orient="row")
    found = merge_relations(CATALOGUE, relations)["relations"].to_list()
    assert found == ["alternative:2;side_story:3", "alternative:1;summary:4"]


def test_relations_that_the_table_has_stay() -> None:
    """What an earlier source, AniList or a release said is not lost to a file with less in it."""
    known = CATALOGUE.with_columns(relations=pl.Series(["prequel:7;related:2", "related:1"]))
    rows = [(1, 7, "alternative", "new"), (1, 2, "sequel", "new"), (2, 9, "manga", "new")]
    relations = pl.DataFrame(rows, schema=list(RELATION_COLUMNS[:4]), orient="row")
    found = merge_relations(known, relations)["relations"].to_list()
    assert found == ["sequel:2;prequel:7", "prequel:1"]


def test_names_fill_gaps() -> None:
    names = pl.DataFrame(
        [(1, "機動戦士ガンダム", None, None, "MIT"), (1, "ガンダム", "MSG", None, "MIT")],
        schema=dict.fromkeys(NAME_COLUMNS, pl.String) | {"anime_id": pl.Int64},
        orient="row",
    )
    gundam, totoro = merge_names(CATALOGUE, names).to_dicts()
    assert (gundam["title_native"], gundam["synonyms"]) == ("機動戦士ガンダム", "MSG")
    assert totoro["title_native"] is None


@pytest.mark.parametrize("any_licence", [False, True])
def test_only_free_rows_unless_told(tmp_path: Path, *, any_licence: bool) -> None:
    CATALOGUE.write_parquet(tmp_path / "anime.parquet")
    rows = facts(
        {"anime_id": 1, "studios": "Free"},
        {"anime_id": 2, "studios": "Asked", "licence": "none stated"},
    )
    rows.write_parquet(tmp_path / "facts.parquet")
    arguments = ["--catalogue", str(tmp_path / "anime.parquet")]
    arguments += [
        "--facts",
        str(tmp_path / "facts.parquet"),
        "--out",
        str(tmp_path / "new.parquet"),
    ]
    assert main(["catalogue", *arguments, *(["--any-licence"] if any_licence else [])]) == 0
    found = pl.read_parquet(tmp_path / "new.parquet")["studios"].to_list()
    assert found == ["Free", "Asked" if any_licence else None]


def test_a_table_without_a_licence_column_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    CATALOGUE.write_csv(tmp_path / "anime.csv")
    for table, expected in ((CATALOGUE, "column episodes is missing"), (None, "no such file")):
        path = tmp_path / "facts.csv"
        path.unlink(missing_ok=True)
        if table is not None:
            table.write_csv(path)
        arguments = ["--catalogue", str(tmp_path / "anime.csv"), "--facts", str(path)]
        assert main(["catalogue", *arguments, "--out", str(tmp_path / "new.parquet")]) == 2
        assert expected in capsys.readouterr().err
        assert not (tmp_path / "new.parquet").exists()


def test_without_any_table_to_begin_with(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalogue", "--out", "new.parquet"]) == 2
    assert "give --database, --catalogue or both" in capsys.readouterr().err
