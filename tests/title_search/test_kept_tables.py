"""Indexes that are kept answer as those that are made, and never stand in for others."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from app.catalogue import COLUMN_DEFAULTS, Catalogue
from app.title_search import TitleIndex, index, kept_tables
from app.title_search.kept_tables import MAX_KEPT, Tables, keep_tables

TITLES = ("Shingeki no Kyojin", "One Piece", "Fullmetal Alchemist: Brotherhood", "進撃の巨人")
ENGLISH = ("Attack on Titan", None, "Fullmetal Alchemist", None)
SYNONYMS = ("AoT|SnK", "", "Hagane no Renkinjutsushi", "")
SEARCHES = (
    "attack",
    "snk",
    "one pice",
    "fullmetal",
    "ワンピース",
    "進撃",
    "hagane no",
    "aot",
    "nothing",
)


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(kept_tables, "FOLDER", tmp_path)
    monkeypatch.setattr(kept_tables, "MIN_NAMES", 1)
    return tmp_path


def opened() -> TitleIndex:
    columns = {name: [empty] * len(TITLES) for name, empty in COLUMN_DEFAULTS.items()}
    columns |= {
        "anime_id": [1, 2, 3, 4],
        "title": list(TITLES),
        "title_english": list(ENGLISH),
        "synonyms": list(SYNONYMS),
        "members": [900, 800, 700, 10],
    }
    return TitleIndex(Catalogue(columns), columns["anime_id"])


def answers(titles: TitleIndex) -> list[list[int]]:
    return [titles.search(text, 5) for text in SEARCHES]


def made_of(*names: str | None) -> int:
    """How often an index of these names is made."""
    made = []

    def make() -> Tables:
        made.append(names)
        return {"a": np.arange(3)}

    assert keep_tables(names, make, {"a"})["a"].tolist() == [0, 1, 2]
    return len(made)


def test_an_index_that_was_kept_answers_as_the_one_that_was_made(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = answers(opened())
    assert [found[:1] for found in made] == [[1], [1], [2], [3], [2], [4], [3], [1], []]
    (file,) = kept.iterdir()
    monkeypatch.setattr(index, "_make_tables", None)
    assert answers(opened()) == made
    assert list(kept.iterdir()) == [file]


def test_it_stands_in_for_no_other_names() -> None:
    assert made_of("a", "b") == 1
    assert made_of("a", "b") == 0
    assert made_of("b", "a") == made_of("a\n", "b") == made_of("", "ab") == 1
    assert made_of("ab", "") == 1
    assert made_of("ab", None) == 0


def test_it_stands_in_for_nothing_that_other_code_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    made_of("a")
    monkeypatch.setattr(kept_tables, "_code_digest", lambda: "of newer code")
    assert made_of("a") == 1
    assert made_of("a") == 0


@pytest.mark.parametrize("content", [b"", b"PK", b"nothing of the kind", b"\0" * 500])
def test_what_is_damaged_is_made_again(content: bytes, kept: Path) -> None:
    made_of("a")
    (file,) = kept.iterdir()
    for damaged in (content, file.read_bytes()[:-30]):
        file.write_bytes(damaged)
        assert made_of("a") == 1
        assert made_of("a") == 0


def test_a_changed_bit_is_made_again_or_harmless_wherever_it_is(kept: Path) -> None:
    made_of("a")
    (file,) = kept.iterdir()
    content, made = file.read_bytes(), 0
    for at in range(len(content)):
        damaged = bytearray(content)
        damaged[at] ^= 1 << at % 8
        file.write_bytes(damaged)
        made += made_of("a")
    assert made > len(content) // 2


def test_what_lacks_a_table_is_made_again(kept: Path) -> None:
    made_of("a")
    (file,) = kept.iterdir()
    with file.open("wb") as stream:
        np.savez(stream, b=np.arange(3))
    assert made_of("a") == 1


def test_only_the_latest_are_kept(kept: Path) -> None:
    for number in range(MAX_KEPT + 3):
        made_of(str(number))
    assert len(list(kept.iterdir())) == MAX_KEPT
    assert made_of(str(MAX_KEPT + 2)) == 0


def test_nothing_is_kept_where_nothing_can_be_written_or_nothing_should(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (kept / "no folder").touch()
    monkeypatch.setattr(kept_tables, "FOLDER", kept / "no folder")
    assert made_of("a") == made_of("a") == 1
    monkeypatch.setattr(kept_tables, "FOLDER", kept)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert made_of("a") == made_of("a") == 1
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(kept_tables, "MIN_NAMES", 2)
    assert made_of("a") == made_of("a") == 1
    assert [file.name for file in kept.iterdir()] == ["no folder"]
