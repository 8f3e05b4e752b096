"""`prepare` on made-up dumps in the published formats, held to a few lines of plain Python."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from app.recommender import Model
from model_build.cli import main
from model_build.data.dumps import cleaning
from model_build.data.dumps.formats import DUMP_FORMATS
from model_build.data.dumps.prepared import open_prepared_dataset, read_partition
from model_build.data.ratings import ratings_fingerprint, read_ratings
from tests.model_build.data.dumps.dump_files import expected, found, generated, lists_of

PUBLISHED = [name for name, dump in DUMP_FORMATS.items() if dump.kaggle_slug]


def prepare(dataset: str, path: Path, out: Path, *options: object) -> int:
    arguments = ["prepare", "--dataset", dataset, "--from", str(path), "--out", str(out)]
    return main([*arguments, *map(str, options)])


@pytest.mark.parametrize("dataset", PUBLISHED)
def test_a_dump_becomes_cleaned_lists(
    tmp_path: Path,
    dataset: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cleaning, "USERS_PER_PARTITION", 16)
    monkeypatch.setattr(cleaning, "BUFFERED_ENTRIES", 500)
    told = generated(tmp_path / "dump", dataset)
    lists = lists_of(dataset)
    text = (tmp_path / "dump" / lists.file).read_text("utf-8")
    assert prepare(dataset, tmp_path / "dump", tmp_path / "out") == 0
    assert found(tmp_path / "out") == expected(text, lists)

    prepared = open_prepared_dataset(tmp_path / "out")
    assert prepared.sources[0].rows == told[lists.file]
    assert sum(loss.entries for loss in prepared.dropped) == (
        prepared.sources[0].rows - prepared.counts["entries"]
    )
    by_reason = {loss.why: loss.entries for loss in [*prepared.dropped, *prepared.mended]}
    planted = {
        "a score other than 1 to 10": "score out of range",
        "the same anime again; the last entry counts": "repeated",
        "a stray status code, taken as not known": "stray status",
    }
    for why, name in planted.items():
        assert by_reason.get(why, 0) == told.get(name, 0)
    report = (tmp_path / "out" / "report.txt").read_text("utf-8")
    assert capsys.readouterr().out == report
    assert all(f"{loss.entries:,}" in report for loss in prepared.dropped)
    published = lists.published_rows
    assert published is not None
    assert f"{published:,}" in report


def test_partitions_hold_whole_fans_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaning, "USERS_PER_PARTITION", 16)
    generated(tmp_path / "dump", "hernan2020")
    assert prepare("hernan2020", tmp_path / "dump", tmp_path / "out") == 0
    prepared = open_prepared_dataset(tmp_path / "out")
    assert len(prepared.partitions) > 4
    source = tmp_path / "dump" / "animelist.csv"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    assert prepared.sources[0].sha256 == digest
    before = -1
    for partition in prepared.partitions:
        file = tmp_path / "out" / partition.file
        assert partition.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
        assert partition.source == digest
        columns = read_partition(tmp_path / "out", partition)
        assert len(columns) == partition.rows
        assert (columns.rating > 0).sum() == partition.scored
        assert len(np.unique(columns.user_id)) == partition.fans
        assert (columns.user_id[0], columns.user_id[-1]) == (
            partition.first_fan,
            partition.last_fan,
        )
        assert partition.first_fan > before
        before = partition.last_fan
        order = columns.user_id.astype(np.int64) * 2**24 + columns.anime_id
        assert (np.diff(order) > 0).all()


def rows_of(text: str) -> tuple[str, list[str]]:
    header, *rows = text.splitlines(keepends=True)
    return header, rows


def scattered(text: str) -> str:
    """The rows of all fans mixed, each fan's in their order."""
    header, rows = rows_of(text)
    mixed = random.Random(3)
    places = sorted((mixed.random(), at) for at in range(len(rows)))
    turns = [rows[at].split(",")[0] for _, at in places]
    queues: dict[str, list[str]] = {}
    for row in rows:
        queues.setdefault(row.split(",")[0], []).append(row)
    return header + "".join(queues[fan].pop(0) for fan in turns)


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "Windows line ends": lambda text: text.replace("\n", "\r\n"),
    "a byte order mark": lambda text: "\ufeff" + text,
    "fans mixed": scattered,
    "empty lines": lambda text: text.replace("\n", "\n\n"),
    "scores with a point": lambda text: (
        rows_of(text)[0]
        + "".join(
            ",".join([*row.split(",")[:2], row.split(",")[2].strip() + ".0", *row.split(",")[3:]])
            for row in rows_of(text)[1]
        )
    ),
}


@pytest.mark.parametrize("form", list(FORMS))
def test_how_a_file_is_written_does_not_matter(tmp_path: Path, form: str) -> None:
    generated(tmp_path / "dump", "hernan2020", ratings=1000, fans=40, anime=120)
    file = tmp_path / "dump" / "animelist.csv"
    text = file.read_text("utf-8")
    file.write_bytes(FORMS[form](text).encode())
    assert prepare("hernan2020", file, tmp_path / "out") == 0
    assert found(tmp_path / "out") == expected(text, lists_of("hernan2020"))


def test_a_fan_may_be_called_anything(tmp_path: Path) -> None:
    header = "username,anime_id,my_score,my_status,my_tags\n"
    names = ['"Doe, Jane"', "17", "Ana-María", "null", "NaN", '"a ""quoted"" one"', "jane"]
    rows = [f'{name},{anime},7,2,"seen\ntwice"\n' for name in names for anime in range(1, 7)]
    (tmp_path / "UserAnimeList.csv").write_text(header + "".join(rows) + ",1,7,2,\n", "utf-8")
    assert prepare("azathoth2018", tmp_path, tmp_path / "out") == 0
    prepared = open_prepared_dataset(tmp_path / "out")
    assert prepared.counts["fans"] == len(names)
    assert [(loss.why, loss.entries) for loss in prepared.dropped] == [("no fan", 1)]
    # Nothing that is written has a name in it.
    for file in (tmp_path / "out").rglob("*"):
        assert file.is_dir() or b"jane" not in file.read_bytes().lower()


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("fans", [["007", "7", "Jane"], [7, 70, 8]])
def test_lists_are_of_names_or_of_numbers(tmp_path: Path, suffix: str, fans: list[object]) -> None:
    """As they are in the ratings that `split` was given; 007 and 7 are two names."""
    rows = [(fan, anime, anime + 0.5, 2) for fan in fans for anime in range(1, 6)]
    frame = pl.DataFrame(rows, ["user_id", "anime_id", "rating", "status"], orient="row")
    path = tmp_path / f"ratings.{suffix}"
    (frame.write_csv if suffix == "csv" else frame.write_parquet)(path)
    assert prepare("lists", path, tmp_path / "out", "--min-anime-entries", 0) == 0
    counts = {"entries": 15, "ratings": 15, "fans": 3, "anime": 5}
    prepared = open_prepared_dataset(tmp_path / "out")
    assert prepared.counts == counts
    scores = read_partition(tmp_path / "out", prepared.partitions[0]).rating.tolist()
    assert scores == [2, 3, 4, 5, 6] * 3, "half points round up"


@pytest.mark.parametrize("how", ["gz", "zip", "zip of one", "zip in a folder", "deep folder"])
def test_it_may_be_packed(tmp_path: Path, how: str) -> None:
    generated(tmp_path / "dump", "hernan2020", ratings=1000, fans=40, anime=120)
    text = (tmp_path / "dump" / "animelist.csv").read_text("utf-8")
    place = tmp_path / "packed"
    (place / "deep" / "er").mkdir(parents=True)
    path = place
    if how == "gz":
        path = place / "animelist.csv.gz"
        path.write_bytes(gzip.compress(text.encode()))
    elif how == "deep folder":
        (place / "deep" / "er" / "animelist.csv").write_text(text, "utf-8")
    else:
        archive = place / "archive.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            if how != "zip of one":
                packed.write(tmp_path / "dump" / "anime.csv", "data/anime.csv")
                packed.writestr("data/rating_complete.csv", "user_id,anime_id,rating\n")
            packed.writestr("data/animelist.csv", text)
        path = archive if how.startswith("zip") and how != "zip in a folder" else place
    assert prepare("hernan2020", path, tmp_path / "out") == 0
    assert found(tmp_path / "out") == expected(text, lists_of("hernan2020"))


def test_the_smaller_file_of_a_dump_may_be_named(tmp_path: Path) -> None:
    generated(tmp_path / "dump", "hernan2020")
    file = tmp_path / "dump" / "rating_complete.csv"
    assert prepare("hernan2020", file, tmp_path / "out") == 0
    lists = DUMP_FORMATS["hernan2020"].ratings_files[1]
    assert found(tmp_path / "out") == expected(file.read_text("utf-8"), lists)
    prepared = open_prepared_dataset(tmp_path / "out")
    assert prepared.counts["ratings"] == prepared.counts["entries"]
    assert prepared.catalogue == "anime.parquet"


def test_bots_are_left_out(tmp_path: Path) -> None:
    def fan(name: int, scores: list[int]) -> str:
        return "".join(f"{name},{anime},{score}\n" for anime, score in enumerate(scores, 1))

    usual = [7, 8, 9, 7, 6, 8]
    text = "user_id,anime_id,rating\n" + fan(1, usual) + fan(2, [8] * 6) + fan(3, [8] * 5 + [7])
    text += fan(4, [*usual, 5]) + fan(5, [*usual, -1]) + fan(6, [7, 8, 9, 7])
    (tmp_path / "rating.csv").write_text(text)
    rules = ["--min-fan-entries", 5, "--max-fan-scores", 6, "--same-score", 6]
    out = tmp_path / "out"
    assert prepare("cooperunion2016", tmp_path, out, *rules, "--min-anime-entries", 2) == 0
    prepared = open_prepared_dataset(out)
    assert prepared.cleaning["same_score"] == 6
    assert {loss.why: (loss.fans, loss.entries) for loss in prepared.dropped} == {
        "fans with fewer than 5 entries": (1, 4),
        "fans who scored more than 6 anime": (1, 7),
        "fans who gave 6 or more scores, all the same": (1, 6),
        "anime with fewer than 2 entries": (0, 1),
    }
    assert prepared.counts == {"entries": 18, "ratings": 18, "fans": 3, "anime": 6}
    off = [f"--{rule}" for rule in ("min-fan-entries", "max-fan-scores", "same-score")]
    none = [word for rule in (*off, "--min-anime-entries") for word in (rule, 0)]
    assert prepare("cooperunion2016", tmp_path / "rating.csv", out, *none) == 0
    assert open_prepared_dataset(out).counts["fans"] == 6
    assert open_prepared_dataset(out).dropped == []


def test_the_same_dump_gives_the_same_bytes(tmp_path: Path) -> None:
    generated(tmp_path / "dump", "dbdmobile2023")
    for name in ("one", "two"):
        assert prepare("dbdmobile2023", tmp_path / "dump", tmp_path / name) == 0
    one, two = (
        {file.relative_to(root): file.read_bytes() for file in root.rglob("*") if file.is_file()}
        for root in (tmp_path / "one", tmp_path / "two")
    )
    assert one == two
    assert set(one) == {
        Path("prepared.json"),
        Path("report.txt"),
        Path("anime.parquet"),
        Path("ratings/000000.parquet"),
    }


@pytest.mark.parametrize("dataset", PUBLISHED)
def test_a_model_is_trained_with_the_dump_s_own_titles(tmp_path: Path, dataset: str) -> None:
    generated(tmp_path / "dump", dataset)
    assert prepare(dataset, tmp_path / "dump", tmp_path / "out") == 0
    train = ["train", "--quiet", "--ratings", str(tmp_path / "out")]
    assert main([*train, "--out", str(tmp_path / "model")]) == 0
    model = Model.open(tmp_path / "model")
    facts = pl.read_parquet(tmp_path / "out" / "anime.parquet")
    by_id = {row["anime_id"]: row for row in facts.to_dicts()}
    titles = {by_id[anime]["title"] for anime in model.anime_id.tolist()}
    assert any(title.startswith('"Title" ') for title in titles)
    assert any(title.endswith(", the Anime") for title in titles)
    assert {genre for row in by_id.values() for genre in row["genres"].split(";")} >= {"Action"}
    if dataset != "cooperunion2016":
        assert {row["season"] for row in by_id.values()} == {"winter", "spring", "summer", "fall"}
        assert {row["year"] for row in by_id.values()} <= set(range(1980, 2023))

    # The same as training on the same entries from one file.
    parts = [
        pl.read_parquet(tmp_path / "out" / partition.file)
        for partition in open_prepared_dataset(tmp_path / "out").partitions
    ]
    pl.concat(parts).write_parquet(tmp_path / "ratings.parquet")
    one = read_ratings([tmp_path / "out"])
    other = read_ratings([tmp_path / "ratings.parquet"])
    assert ratings_fingerprint(one) == ratings_fingerprint(other)
    assert one.rating.dtype == other.rating.dtype
    assert one.status.dtype == other.status.dtype


def test_the_partitions_are_named_by_range_even_if_one_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaning, "USERS_PER_PARTITION", 1)
    text = "user_id,anime_id,rating\n"
    text += "".join(f"{fan},{a},{a}\n" for fan in (9, 4, 7) for a in range(1, 6 if fan != 4 else 3))
    (tmp_path / "rating.csv").write_text(text)
    assert prepare("cooperunion2016", tmp_path, tmp_path / "out", "--min-anime-entries", 2) == 0
    files = [partition.file for partition in open_prepared_dataset(tmp_path / "out").partitions]
    assert files == ["ratings/000000.parquet", "ratings/000002.parquet"]
    assert not (tmp_path / "out" / cleaning.SORT_FOLDER).exists()
    index = json.loads((tmp_path / "out" / "prepared.json").read_text("utf-8"))
    assert index["partitions"][1]["source"] == index["sources"][0]["sha256"]
