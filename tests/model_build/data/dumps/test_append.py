"""`prepare --add`: a folder of prepared ratings gets further fans."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model_build.cli import main
from model_build.data.dumps.prepared import (
    EntryArrays,
    PreparedDataset,
    open_prepared_dataset,
    read_partition,
)

RULES = ["--min-fan-entries", "2", "--min-anime-entries", "2"]


def write_list(file: Path, fans: range, anime: range) -> Path:
    """Everyone scored everything, and one in four anime by nobody else has a single entry."""
    rows = [f"{fan},{title},{1 + (fan * title) % 10}" for fan in fans for title in anime]
    if anime:
        rows.append(f"{fans[0]},{anime[-1] + 1000},7")
    file.write_text("user_id,anime_id,rating\n" + "\n".join(rows) + "\n")
    return file


def prepare(source: Path, out: Path, *options: str) -> int:
    arguments = ["prepare", "--dataset", "cooperunion2016", "--from", str(source), "--quiet"]
    return main([*arguments, "--out", str(out), *RULES, *options])


def entries(folder: Path) -> EntryArrays:
    parts = [
        read_partition(folder, partition) for partition in open_prepared_dataset(folder).partitions
    ]
    return EntryArrays(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in EntryArrays.__slots__)
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    one = write_list(tmp_path / "one.csv", range(1, 40), range(1, 20))
    assert prepare(one, tmp_path / "prepared") == 0
    return tmp_path / "prepared"


def test_partitions_stay_and_others_join_them(folder: Path, tmp_path: Path) -> None:
    before = open_prepared_dataset(folder)
    bytes_before = [(folder / part.file).read_bytes() for part in before.partitions]
    two = write_list(tmp_path / "two.csv", range(1, 30), range(10, 30))
    with two.open("a") as file:  # known from the first file, so one entry is enough
        file.write("5,1,9\n")
    assert prepare(two, folder, "--add") == 0
    after = open_prepared_dataset(folder)
    assert after.partitions[: len(before.partitions)] == before.partitions
    assert [(folder / part.file).read_bytes() for part in before.partitions] == bytes_before
    assert [source.file for source in after.sources] == ["one.csv", "two.csv"]
    assert len({partition.source for partition in after.partitions}) == 2

    found = entries(folder)
    assert len(found) == 39 * 19 + 29 * 20 + 1
    assert len(np.unique(found.user_id)) == 39 + 29
    assert len(np.unique(found.anime_id)) == 29
    counts = {"entries": len(found), "ratings": len(found), "fans": 68, "anime": 29}
    assert after.counts == counts
    rare = [loss for loss in after.dropped if "anime with fewer" in loss.why]
    assert [loss.entries for loss in rare] == [2]
    report = (folder / "report.txt").read_text()
    assert report.index("one.csv") < report.index("added: cooperunion2016: two.csv")


def test_a_file_that_was_read_is_noticed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (folder / "prepared.json").read_bytes()
    again = tmp_path / "renamed.csv"
    again.write_bytes((tmp_path / "one.csv").read_bytes())
    assert prepare(again, folder, "--add") == 0
    assert "is in" in capsys.readouterr().out.splitlines()[-1]
    assert (folder / "prepared.json").read_bytes() == before


def test_what_was_added_since_is_taken_out_again(folder: Path, tmp_path: Path) -> None:
    """As where a round was stopped, and goes on with more names in its file."""
    index, two = tmp_path / "index.json", tmp_path / "two.csv"
    index.write_bytes((folder / "prepared.json").read_bytes())
    since = ["--add", "--add-to", str(index)]
    states = []
    for fans in (range(50, 55), range(50, 60), range(50, 60), range(50, 55)):
        assert prepare(write_list(two, fans, range(1, 20)), folder, *since) == 0
        found = open_prepared_dataset(folder)
        assert found.counts["fans"] == 39 + len(fans)
        assert len(np.unique(entries(folder).user_id)) == 39 + len(fans)
        assert len(list((folder / "ratings").iterdir())) == 2
        states.append((found, (folder / "report.txt").read_text()))
    assert states[0] == states[3]
    assert states[1] == states[2]
    nobody = write_list(two, range(50, 51), range(1, 1))
    assert prepare(nobody, folder, *since) == 0
    assert (folder / "prepared.json").read_bytes() == index.read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--same-score", "7"], "--same-score 7: the folder was prepared with 100; leave it so"),
        (["--dataset", "dbdmobile2023"], "the folder holds cooperunion2016; choose another"),
    ],
)
def test_what_cannot_be_added(
    folder: Path,
    tmp_path: Path,
    options: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before: PreparedDataset = open_prepared_dataset(folder)
    two = write_list(tmp_path / "two.csv", range(1, 30), range(10, 30))
    assert prepare(two, folder, "--add", *options) == 2
    assert message in capsys.readouterr().err
    assert open_prepared_dataset(folder) == before


def test_there_must_be_something_to_add_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = write_list(tmp_path / "one.csv", range(1, 40), range(1, 20))
    assert prepare(one, tmp_path / "new", "--add") == 2
    assert "holds no prepared ratings" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
