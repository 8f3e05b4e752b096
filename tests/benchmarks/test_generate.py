"""The generator of dumps: the published columns, the size asked for, and structure to be found."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from benchmarks.generate import population as worlds
from benchmarks.generate.__main__ import main, write_dump
from benchmarks.generate.population import SyntheticPopulation, generate_lists, make_population
from tests.model_build.worlds import ROOT

HEADERS = {
    "cooperunion2016": {
        "rating.csv": "user_id,anime_id,rating",
        "anime.csv": "anime_id,name,genre,type,episodes,rating,members",
    },
    "azathoth2018": {
        "UserAnimeList.csv": "username,anime_id,my_watched_episodes,my_start_date,my_finish_date,"
        "my_score,my_status,my_rewatching,my_rewatching_ep,my_last_updated,my_tags",
        "AnimeList.csv": "anime_id,title,title_english,title_japanese,title_synonyms,image_url,"
        "type,source,episodes,status,airing,aired_string,aired,duration,rating,score,scored_by,"
        "rank,popularity,members,favorites,background,premiered,broadcast,related,producer,"
        "licensor,studio,genre,opening_theme,ending_theme",
    },
    "hernan2020": {
        "animelist.csv": "user_id,anime_id,rating,watching_status,watched_episodes",
        "rating_complete.csv": "user_id,anime_id,rating",
        "anime.csv": "MAL_ID,Name,Score,Genres,English name,Japanese name,Type,Episodes,Aired,"
        "Premiered,Producers,Licensors,Studios,Source,Duration,Rating,Ranked,Popularity,Members,"
        "Favorites,Watching,Completed,On-Hold,Dropped,Plan to Watch,Score-10,Score-9,Score-8,"
        "Score-7,Score-6,Score-5,Score-4,Score-3,Score-2,Score-1",
    },
    "dbdmobile2023": {
        "users-score-2023.csv": "user_id,Username,anime_id,Anime Title,rating",
        "anime-dataset-2023.csv": "anime_id,Name,English name,Other name,Score,Genres,Synopsis,"
        "Type,Episodes,Aired,Premiered,Status,Producers,Licensors,Studios,Source,Duration,Rating,"
        "Rank,Popularity,Favorites,Scored By,Members,Image URL",
    },
}
SIZE = ("--ratings", "3000", "--fans", "70", "--anime", "400")


def generate(*arguments: object) -> tuple[object, str, str]:
    """How it ends, and what it says on both streams."""
    out, err, status = StringIO(), StringIO(), None
    with redirect_stdout(out), redirect_stderr(err), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["generate", *map(str, arguments)])
        try:
            main()
        except SystemExit as stopped:
            status = stopped.code
    return status, out.getvalue(), err.getvalue()


@pytest.mark.parametrize("dataset", list(HEADERS))
def test_the_files_are_those_of_the_dump(tmp_path: Path, dataset: str) -> None:
    status, out, err = generate("--dataset", dataset, *SIZE, "--out", tmp_path / "dump")
    assert (status, err) == (None, "")
    told = json.loads(out)
    assert {file.name for file in (tmp_path / "dump").iterdir()} == set(HEADERS[dataset])
    for name, header in HEADERS[dataset].items():
        text = (tmp_path / "dump" / name).read_text("utf-8")
        assert text.splitlines()[0] == header
        rows = list(csv.reader(io.StringIO(text)))[1:]
        assert {len(row) for row in rows} == {len(header.split(","))}
        assert len(rows) == told[name]
    lists = next(iter(HEADERS[dataset]))
    assert told[lists] == 3000 + told["repeated"]


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    for name, seed in (("one", 7), ("two", 7), ("three", 8)):
        (tmp_path / name).mkdir()
        write_dump(make_population(3000, 70, 400, seed), "hernan2020", tmp_path / name)
    one, two, three = (
        (tmp_path / name / "animelist.csv").read_bytes() for name in ("one", "two", "three")
    )
    assert one == two
    assert one != three


@pytest.mark.parametrize("arguments", [("70", "3000", "20"), ("70", "60", "400")])
def test_what_is_impossible_is_refused(tmp_path: Path, arguments: tuple[str, str, str]) -> None:
    fans, ratings, anime = arguments
    size = ("--ratings", ratings, "--fans", fans, "--anime", anime)
    status, out, err = generate("--dataset", "hernan2020", *size, "--out", tmp_path / "dump")
    assert isinstance(status, str), "which is then said, with the status 1"
    assert "are possible" in status
    assert (out, err) == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.generate", "--dataset", "hernan2020", *SIZE]
    done = subprocess.run(
        [*command, "--out", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "exists" in done.stderr


@pytest.fixture(scope="module")
def world() -> SyntheticPopulation:
    return make_population(400_000, 2500, 3000, seed=2)


def lists_of(
    world: SyntheticPopulation, threads: int = 2
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    chunks = list(generate_lists(world, threads))
    fan, anime, score = (
        np.concatenate([getattr(chunk, name) for chunk in chunks])
        for name in ("user", "anime", "score")
    )
    return fan, anime, score


def test_lists_are_as_long_as_asked_and_hold_nothing_twice(world: SyntheticPopulation) -> None:
    fan, anime, _ = lists_of(world)
    assert len(fan) == 400_000
    np.testing.assert_array_equal(np.bincount(fan), world.list_length)
    assert len(np.unique(fan.astype(np.int64) * 3000 + anime)) == len(fan)
    # Log-normal: the logarithm is about symmetric, and the longest are far from the middle.
    logs = np.log(world.list_length)
    assert abs(np.mean(logs) - np.median(logs)) < 0.1
    assert world.list_length.max() > 8 * np.median(world.list_length)


def test_few_anime_are_on_most_lists(world: SyntheticPopulation) -> None:
    _, anime, _ = lists_of(world)
    count = np.sort(np.bincount(anime, minlength=3000))[::-1]
    assert count[:300].sum() > 0.5 * count.sum()
    assert count[1500:].sum() < 0.05 * count.sum()
    assert count[0] < 0.8 * len(world.list_length)


def test_tastes_are_shared(world: SyntheticPopulation) -> None:
    """Two anime that continue one another are listed together and scored alike."""
    fan, anime, score = lists_of(world)
    first = np.flatnonzero(world.sequel >= 0)[:60]
    residual = score - np.bincount(anime, score)[anime] / np.bincount(anime)[anime]
    residual -= (np.bincount(fan, residual) / np.bincount(fan))[fan]
    table = np.full((2500, 3000), np.nan, np.float32)
    table[fan, anime] = residual

    def together(other: np.ndarray) -> tuple[float, float]:
        """How often listed together beyond chance, and how alike the scores then are."""
        lift, alike = [], []
        for one, two in zip(first, other, strict=True):
            has, has_other = ~np.isnan(table[:, one]), ~np.isnan(table[:, two])
            both = has & has_other
            lift.append(both.mean() / (has.mean() * has_other.mean()))
            alike.append(float(np.mean(table[both, one] * table[both, two])))
        return float(np.mean(lift)), float(np.mean(alike))

    lift, alike = together(world.sequel[first])
    usual_lift, usual_alike = together(np.roll(world.sequel[first], 7))
    assert lift > 1.15 * usual_lift
    assert alike > usual_alike + 0.2


def test_threads_and_pieces_do_not_change_the_lists(
    world: SyntheticPopulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = lists_of(world, threads=1)
    monkeypatch.setattr(worlds, "CHUNK_ENTRIES", 33_333)
    for whole, pieced in zip(one, lists_of(world, threads=3), strict=True):
        np.testing.assert_array_equal(whole, pieced)
