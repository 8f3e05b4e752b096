"""Lists of users by name, from the services that the app asks."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from demo.data import EMPTY_USER, HUGE_USER, LONG_USER, DemoEntry
from demo.fake_upstream import FakeUpstream
from demo.http_server import json_response
from model_build.cli import main
from model_build.data.ratings import read_ratings
from tests.model_build.worlds import ROOT


@pytest.fixture
def names(tmp_path: Path) -> Path:
    return tmp_path / "names.txt"


@pytest.fixture(autouse=True)
def here(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in upstream.environment().items():
        monkeypatch.setenv(name, value)
    upstream.add_user("Aki", [DemoEntry(9, 7, "watching"), DemoEntry(3, 8.0), DemoEntry(1)])
    upstream.add_user("Ben", [DemoEntry(1, 10, "dropped")])


def collect(names: Path, *options: str) -> int:
    out = str(names.with_name("lists"))
    return main(["collect", "myanimelist", "--usernames", str(names), "--out", out, *options])


def test_lists_become_ratings(upstream: FakeUpstream, names: Path) -> None:
    names.write_text(
        f"# fans\nBen\n\nNobody\nben\n Aki \n{EMPTY_USER}\nno name!\nPrivateFan\n{HUGE_USER}\n"
        f"{LONG_USER}\n"
    )
    assert collect(names) == 0
    out = names.with_name("lists")
    ratings = pl.read_parquet(out / "ratings.parquet")
    mine = ratings.filter(pl.col("anime_id") < 10, pl.col("user_id") < 7)
    # Aki is the third name.
    assert mine.rows() == [(0, 1, 10.0, 4), (2, 1, 0.0, 2), (2, 3, 8.0, 2), (2, 9, 7.0, 1)]
    assert len(read_ratings([out / "ratings.parquet"])) == len(ratings) == 4 + 1_250
    report = json.loads((out / "report.json").read_text())
    assert report["counted"] == {
        "empty lists": 1,
        "lists": 3,
        "lists that are too long": 1,
        "names that cannot be one": 1,
        "names that nobody has": 1,
        "private lists": 1,
    }
    for file in out.rglob("*"):
        assert "aki" not in file.name.casefold()
        if file.is_file():
            content = file.read_bytes()
            assert b"Aki" not in (gzip.decompress(content) if file.suffix == ".gz" else content)
    upstream.requests.clear()
    assert collect(names) == 0
    assert upstream.requests == []
    assert pl.read_parquet(out / "ratings.parquet").equals(ratings)
    assert collect(names, "--skip", "2") == 0
    assert pl.read_parquet(out / "ratings.parquet").equals(ratings.filter(pl.col("user_id") >= 2))
    assert collect(names, "--skip", "1", "--until", "3") == 0
    assert pl.read_parquet(out / "ratings.parquet").equals(ratings.filter(pl.col("user_id") == 2))
    assert json.loads((out / "report.json").read_text())["names"] == 2
    assert upstream.requests == []


@pytest.mark.parametrize("source", ["anilist", "kitsu", "shikimori", "jikan"])
def test_other_sources(names: Path, source: str) -> None:
    names.write_text("Aki\nBen\n", "utf-8-sig")
    assert collect(names, "--source", source) == 0
    ratings = pl.read_parquet(names.with_name("lists") / "ratings.parquet")
    assert ratings.rows() == [(0, 1, 0.0, 2), (0, 3, 8.0, 2), (0, 9, 7.0, 1), (1, 1, 10.0, 4)]


def test_list_pages_are_collected_from_only_where_that_is_asked_for(
    names: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names.write_text("Aki\n")
    for variable in ("MAL_CLIENT_ID", "HAKKEN_JIKAN_URL"):
        monkeypatch.delenv(variable)
    assert collect(names) == 2
    assert "HAKKEN_MAL_WEB=1" in capsys.readouterr().err
    monkeypatch.setenv("HAKKEN_MAL_WEB", "1")
    assert collect(names) == 0


def test_what_fails_now_is_tried_in_the_next_run(
    upstream: FakeUpstream, names: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HAKKEN_JIKAN_URL")  # which would be asked instead
    names.write_text("Aki\nBen\n")
    upstream.queued_responses["mal"] = [json_response(500, {}) for _ in range(3)]
    assert collect(names) == 0
    report = json.loads((names.with_name("lists") / "report.json").read_text())
    assert report["counted"] == {"lists": 2}
    assert report["this_run"]["useless_answers"] == {"no useful answer": 1}


def test_a_killed_collection_leaves_no_names_and_goes_on(
    upstream: FakeUpstream, names: Path
) -> None:
    names.write_text("Aki\nBen\n")
    gate = upstream.hold_responses("Ben")
    out, meanwhile = names.with_name("lists"), names.with_name("meanwhile")
    meanwhile.mkdir()
    command = [sys.executable, "-m", "model_build", "collect", "myanimelist"]
    with subprocess.Popen(
        [*command, "--usernames", str(names), "--out", str(out)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(meanwhile)},
    ) as process:
        assert gate.wait_reached()
        process.send_signal(signal.SIGKILL)
    left = [file for file in names.parent.rglob("*") if file.is_file() and file != names]
    assert any(meanwhile in file.parents for file in left)
    for file in left:
        content = file.read_bytes()
        assert b"Aki" not in (gzip.decompress(content) if file.suffix == ".gz" else content)
    gate.open()
    assert collect(names) == 0
    asked = [asked.path.split("/")[-2] for asked in upstream.requests]
    assert asked == ["Aki", "Ben", "Ben"]


def test_a_service_that_wants_rest(
    upstream: FakeUpstream, names: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names.write_text("Aki\nLimitedFan\nBen\n")
    assert collect(names, "--patience", "40") == 2
    assert "MyAnimeList wants fewer requests" in capsys.readouterr().err
    names.write_text("Aki\nBen\n")
    upstream.requests.clear()
    assert collect(names) == 0
    assert [asked.path.split("/")[-2] for asked in upstream.requests] == ["Ben"]


def test_a_source_that_is_not_set_up(
    names: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("MAL_CLIENT_ID", "HAKKEN_JIKAN_URL"):
        monkeypatch.delenv(name)
    names.write_text("Aki\n")
    assert collect(names) == 2
    assert "MAL_CLIENT_ID" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, b"", b"# none\n\n", b"\xff\xfe\x00"])
def test_a_file_without_names(
    names: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        names.write_bytes(content)
    assert collect(names) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(names) in line
    assert not names.with_name("lists").exists()


def test_no_list_at_all(names: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names.write_text("Nobody\nNoOneElse\n")
    assert collect(names) == 2
    assert "2 names that nobody has" in capsys.readouterr().err
    assert not (names.with_name("lists") / "ratings.parquet").exists()
