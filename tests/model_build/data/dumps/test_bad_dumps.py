"""What is said of a dump that cannot be used; what stood at the place stays as it was."""

from __future__ import annotations

import gzip
import os
import zipfile
from pathlib import Path

import pytest

from model_build.cli import main
from model_build.data.config import PrepareOptions
from model_build.data.dumps.cleaning import write_partitions
from model_build.data.dumps.formats import DUMP_FORMATS
from model_build.data.dumps.source import CsvSource
from model_build.data.ratings import read_ratings
from model_build.util.errors import InputError
from tests.model_build.artifact.publisher import start
from tests.model_build.data.dumps.dump_files import generated

HEADER = "user_id,anime_id,rating\n"
ROWS = "".join(f"{fan},{anime},{1 + anime}\n" for fan in range(11, 16) for anime in range(1, 6))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """What stands at the place to be written."""
    (tmp_path / "old.csv").write_text(HEADER + ROWS)
    command = ["prepare", "--dataset", "cooperunion2016", "--from", str(tmp_path / "old.csv")]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    return tmp_path / "out"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def refused(
    capsys: pytest.CaptureFixture[str], old: Path, dataset: str, path: Path, *options: str
) -> str:
    """The one line that is said; nothing is left behind, nothing is changed."""
    before, names = contents(old), sorted(old.parent.iterdir())
    capsys.readouterr()
    command = ["prepare", "--dataset", dataset, "--from", str(path), "--out", str(old)]
    assert main([*command, *options]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    assert contents(old) == before
    assert sorted(old.parent.iterdir()) == names
    return line


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEADER + ROWS + "4,1", "Row #27: Expected 3 columns, got 2: 4,1"),
        (HEADER + ROWS + "4,1,1", "row 27: the last line has no end"),
        (HEADER + ROWS + "4,1,7,9\n", "Row #27: Expected 3 columns, got 4: 4,1,7,9"),
        (HEADER + ROWS + "4,1,seven\n", "Row #27: CSV conversion error to float: invalid value"),
        (HEADER + ROWS + "4,one,7\n", "Row #27: CSV conversion error to int64: invalid value"),
        (HEADER + ROWS + "4,99999999999999999999,7\n", "Row #27"),
        ("", "the file is empty"),
        (HEADER, "no entry is left after cleaning"),
        (HEADER + "1,1,7\n", "no entry is left after cleaning"),
        ("user_id,rating\n1,7\n", "column anime_id is missing (found: user_id, rating)"),
        ("user,anime,score\n1,1,7\n", "column user_id, anime_id, rating is missing"),
        (HEADER.encode("utf-16"), "the header is not UTF-8 text"),
    ],
)
def test_a_malformed_file_is_refused(
    tmp_path: Path, old: Path, capsys: pytest.CaptureFixture[str], content: str | bytes, said: str
) -> None:
    path = tmp_path / "rating.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    line = refused(capsys, old, "cooperunion2016", path)
    assert line.startswith(f"model_build prepare: {path}")
    assert said in line


def test_mixed_encodings_are_refused(
    tmp_path: Path, old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = "username,anime_id,my_score,my_status,my_tags\n"
    rows = "".join(f"Ana-María,{anime},7,2,\n" for anime in range(1, 7))
    path = tmp_path / "UserAnimeList.csv"
    path.write_bytes((header + rows).encode() + "José,1,7,2,\n".encode("latin-1"))
    assert "encodings are mixed" in refused(capsys, old, "azathoth2018", path)


def test_bytes_in_a_column_of_no_use_do_not_matter(tmp_path: Path) -> None:
    header = "user_id,Username,anime_id,Anime Title,rating\n"
    rows = "".join(f"{fan},x,{anime},Café,7\n" for fan in (1, 2) for anime in range(1, 7))
    (tmp_path / "users-score-2023.csv").write_bytes((header + rows).encode("latin-1"))
    command = ["prepare", "--dataset", "dbdmobile2023", "--from", str(tmp_path)]
    command += ["--min-anime-entries", "1", "--out", str(tmp_path / "out")]
    assert main(command) == 0
    assert len(read_ratings([tmp_path / "out"])) == 12


@pytest.mark.parametrize("kind", ["zip", "gz", "zip without its end", "not a zip"])
def test_a_broken_archive_is_refused(
    tmp_path: Path, old: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    text = HEADER + "".join(f"{n % 97},{n % 89 + 1},{n % 10 + 1}\n" for n in range(20_000))
    path = tmp_path / ("rating.csv.gz" if kind == "gz" else "archive.zip")
    if kind == "gz":
        packed = gzip.compress(text.encode())
        path.write_bytes(packed[: len(packed) // 2])
    elif kind == "not a zip":
        path.write_text(text)
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("rating.csv", text)
        packed = path.read_bytes()
        middle = len(packed) // 2
        path.write_bytes(
            packed[:middle] if "end" in kind else packed[:middle] + b"??" + packed[middle + 2 :]
        )
    line = refused(capsys, old, "cooperunion2016", path)
    assert str(path) in line
    assert "download it again" in line


def test_a_missing_file_or_dataset_is_named(
    tmp_path: Path, old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "there is no such file" in refused(capsys, old, "cooperunion2016", tmp_path / "none.csv")
    (tmp_path / "empty").mkdir()
    line = refused(capsys, old, "hernan2020", tmp_path / "empty")
    assert "holds no animelist.csv or rating_complete.csv" in line
    line = refused(capsys, old, "movielens", tmp_path)
    assert "cooperunion2016, azathoth2018, hernan2020, dbdmobile2023" in line


def test_a_folder_of_something_else_is_not_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rating.csv").write_text(HEADER + ROWS)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear")
    assert "holds no prepared ratings" in refused(capsys, mine, "cooperunion2016", tmp_path)


@pytest.mark.parametrize("blocks", [1, 40])
def test_a_full_disk_changes_nothing(
    tmp_path: Path, old: Path, tmp_path_factory: pytest.TempPathFactory, blocks: int
) -> None:
    """While entries are sorted, and later while the result is written (files as large as that)."""
    generated(tmp_path / "dump", "hernan2020", ratings=20_000, fans=200, anime=900)
    before, names = contents(old), sorted(tmp_path.iterdir())
    log = tmp_path_factory.mktemp("log") / "said"
    command = ["prepare", "--dataset", "hernan2020", "--from", str(tmp_path / "dump")]
    done = start([*command, "--out", str(old)], log, room=blocks * 1024)
    done.join()
    assert done.exitcode == 2
    (line,) = log.read_text("utf-8").splitlines()
    assert "no room on the disk" in line
    assert "unchanged" in line
    assert contents(old) == before
    assert sorted(tmp_path.iterdir()) == names


@pytest.mark.parametrize("change", ["longer", "touched", "gone"])
def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path, change: str) -> None:
    path = tmp_path / "rating.csv"
    path.write_text(HEADER + ROWS)

    def tamper(_rows: int) -> None:
        if change == "longer":
            with path.open("a") as file:
                file.write("4,1,7\n")
        elif change == "touched":
            os.utime(path, ns=(1, 1))
        else:
            path.unlink()

    (tmp_path / "new").mkdir()
    lists = DUMP_FORMATS["cooperunion2016"].ratings_files[0]
    rules = PrepareOptions(dataset="cooperunion2016")
    with pytest.raises(InputError, match=r"changed while|no such file") as caught:
        write_partitions(CsvSource(path), lists, rules, tmp_path / "new", tamper)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("what", ["other bytes", "missing", "no index", "another index"])
def test_a_damaged_folder_is_not_trained_on(
    tmp_path: Path, old: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    part, index = old / "ratings" / "000000.parquet", old / "prepared.json"
    if what == "other bytes":
        part.write_bytes(part.read_bytes()[:-1] + b"?")
    elif what == "missing":
        part.unlink()
    elif what == "no index":
        index.unlink()
    else:
        index.write_text('{"format": 7}')
    assert main(["train", "--ratings", str(old), "--out", str(tmp_path / "model")]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert str(old) in line
    if what != "no index":
        assert "run prepare again" in line
    assert not (tmp_path / "model").exists()


def test_prepared_ratings_are_read_alone(tmp_path: Path, old: Path) -> None:
    with pytest.raises(InputError, match="read alone"):
        read_ratings([old, tmp_path / "old.csv"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("MAL_ID,Name\n1,\n", "no row has an id and a title"),
        ('MAL_ID,Name\n1,"a\n', "cannot be read as a catalogue"),
    ],
)
def test_a_catalogue_of_no_use_is_refused(
    tmp_path: Path, old: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    generated(tmp_path / "dump", "hernan2020", ratings=1000, fans=40, anime=120)
    (tmp_path / "dump" / "anime.csv").write_text(text)
    line = refused(capsys, old, "hernan2020", tmp_path / "dump")
    assert str(tmp_path / "dump" / "anime.csv") in line
    assert said in line
