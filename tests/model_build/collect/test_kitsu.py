"""Collecting from Kitsu: a real server, the command line, and tables that are read back."""

from __future__ import annotations

import gzip
import os
import random
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from demo.kitsu_users import FIRST_USER_ID, KitsuUsers, make_kitsu_user
from model_build.collect.kitsu.collection import INTERACTIONS_SCHEMA, ratings_table
from model_build.data.ratings import read_ratings
from tests.model_build.collect.crowds import CODES, Collector, by_number, crowd_of, listed
from tests.model_build.worlds import ROOT


def expected(crowd: KitsuUsers, users: pl.DataFrame) -> list[tuple[int, ...]]:
    """What `ordinary` members did, straight from their lists."""
    rows = []
    for number, user in by_number(users).items():
        found = crowd.find_by_id(str(number))
        assert found is not None
        loved = {anime for kind, anime in found.favourites if kind == "anime"}
        rows += [
            (
                user,
                entry.anime_id or 0,
                CODES[entry.status],
                int(entry.score),
                entry.site_id in loved,
                entry.reacted,
                entry.reviewed,
                entry.progress,
                entry.progress * (entry.minutes or 0),
            )
            for entry in found.user.entries
        ]
    return sorted(rows)


def told(interactions: pl.DataFrame) -> list[tuple[object, ...]]:
    return interactions.select(interactions.columns[:9]).rows()


def test_the_command_writes_tables_that_say_what_users_did(
    collect: Collector, capsys: pytest.CaptureFixture[str]
) -> None:
    crowd = collect.upstream.data.kitsu_users = crowd_of(90)
    assert collect.command(50, "--rate", "100") == 0
    users, interactions = collect.table("users"), collect.table("interactions")
    assert users["user_id"].to_list() == list(range(50))
    assert users.schema["user_id"] == pl.Int32
    assert len(by_number(users)) == 50
    for number, user in by_number(users).items():
        found = crowd.find_by_id(str(number))
        assert found is not None
        row = users.row(user, named=True)
        assert row["ratings"] == found.counts["ratings"]
        assert row["favorites"] == 3
        assert row["likes_received"] == found.counts["likesReceived"]
        assert row["created"] == date(2010 + number % 15, 3, 4)
        assert row["score"] == pytest.approx(
            np.log(found.minutes_watched + 1.25 * row["ratings"] + 1.5 * row["favorites"])
        )
    assert dict(interactions.schema) == INTERACTIONS_SCHEMA
    assert told(interactions) == expected(crowd, users)
    assert set(interactions["updated"].to_list()) == {date(2025, 1, 2)}
    completed = interactions.filter(pl.col("status") == 2)
    assert set(completed["finished"].to_list()) == {date(2024, 5, 6)}
    assert interactions["started"].null_count() == len(interactions)
    # Others can train on it.
    ratings = read_ratings([collect.out / "ratings.parquet"])
    report = collect.report()
    assert len(ratings) == len(interactions) == report["interactions"]["all"]
    assert ratings.rated_mask.sum() == report["interactions"]["scored"]
    told_by_command = capsys.readouterr()
    assert f"all: {len(interactions):,}" in told_by_command.out
    anime = interactions["anime_id"].n_unique()
    assert f"anime interacted: {anime:,}\n" in told_by_command.out
    empty = 1 - len(interactions) / (interactions["user_id"].n_unique() * anime)
    assert report["sparsity"] == pytest.approx(empty, abs=1e-6)
    assert f"sparsity: {report['sparsity']}\n" in told_by_command.out
    # All that users did, by segments, adds up to what Kitsu says of them.
    counted = ("comments", "favorites", "likes_received", "likes_given", "reviews", "posts")
    for kind in (*counted, "ratings", "followers", "following", "reactions"):
        of_segments = [totals[kind] for totals in report["activity"].values()]
        assert sum(of_segments) == users[kind].sum() > 0, kind
    page = (collect.out / "report.html").read_text("utf-8")
    for label in ("comments", "posts", "reviews", "favourites", "likes given", "likes received"):
        assert f">{label}<" in page or f"{label}</text>" in page, label
    assert f"{100 * empty:.2f} % are empty (sparsity)" in page
    assert told_by_command.err == (
        "50 users drawn; 50 libraries are still to be read: 1 min or more, at 100 requests a "
        "second\n"
    )
    # Nobody's name is kept, nor what they wrote.
    files = [file for file in collect.out.rglob("*") if file.is_file()]
    assert len(files) > 54
    for file in files:
        content = file.read_bytes()
        text = gzip.decompress(content) if file.suffix == ".gz" else content
        assert b"Member" not in text
        assert b"only the fan should read" not in text
    assert (collect.out / "raw").stat().st_mode & 0o077 == 0
    # Other segments are written without asking for anything.
    collect.upstream.requests.clear()
    assert collect.command(50, "--segments", "high,Low") == 0
    assert collect.upstream.requests == []
    chosen = users.filter(pl.col("segment") != "Medium")["user_id"]
    assert 0 < len(chosen) < 50
    assert collect.table("users").equals(users)
    fewer = interactions.filter(pl.col("user_id").is_in(chosen.implode()))
    assert collect.table("interactions").equals(fewer)
    assert collect.table("ratings")["user_id"].n_unique() == len(chosen)
    written = {name: facts["written"] for name, facts in collect.report()["segments"].items()}
    assert written == {"Low": True, "Medium": False, "High": True}


@pytest.mark.parametrize("seed", [0, 5])
def test_random_pages_of_users_then_one_request_a_user(collect: Collector, seed: int) -> None:
    collect.upstream.data.kitsu_users = crowd_of(130)
    assert len(collect(50, seed=seed).users) == 50
    pages = list(range(7))
    random.Random(seed).shuffle(pages)
    asked = [what.removeprefix("@") for kind, what in collect.asked() if kind == "users"]
    # The first page says how many users there are, and is one of those that are drawn or not.
    assert sorted(map(int, asked)) == sorted({0, *(20 * page for page in pages[:3])})
    assert len(collect.upstream.requests) == len(asked) + 50


def test_a_second_run_asks_nothing_and_finds_the_same(collect: Collector) -> None:
    collect.upstream.data.kitsu_users = crowd_of(40)
    first = collect(25)
    collect.upstream.requests.clear()
    again = collect(25)
    assert collect.upstream.requests == []
    assert again.interactions.equals(first.interactions)
    assert again.users.equals(first.users)
    more = collect(40)
    assert max(collect.asked().values()) == 1
    assert more.users.head(25).drop("segment").equals(first.users.drop("segment"))


def test_who_was_collected_before_is_left_out(collect: Collector) -> None:
    collect.upstream.data.kitsu_users = crowd_of(40)
    assert collect.command(40) == 0
    everything, users, whole = (
        collect.table("interactions"),
        collect.table("users"),
        collect.report(),
    )
    shutil.rmtree(collect.out)
    collect.upstream.requests.clear()
    assert collect.command(40, "--skip", "25") == 0
    assert collect.table("interactions").equals(everything.filter(pl.col("user_id") >= 25))
    libraries = [asked for asked in collect.upstream.requests if "library" in asked.path]
    assert len(libraries) == 15
    assert collect.table("users").equals(users.filter(pl.col("user_id") >= 25))
    report = collect.report()
    assert (report["users_wanted"], report["users"]) == (15, 15)
    assert "favourites in no library" not in report["counted"]
    for name, facts in report["segments"].items():
        same = {kind: whole["segments"][name][kind] for kind in ("score_from", "score_to")}
        assert same.items() <= facts.items(), "a segment is the same whoever is left out"


def test_a_killed_collection_goes_on_where_it_was(collect: Collector) -> None:
    crowd = collect.upstream.data.kitsu_users = crowd_of(40)
    gate = collect.upstream.hold_responses("Member7")
    command = [sys.executable, "-m", "model_build", "collect", "kitsu", "--users", "40"]
    with subprocess.Popen(
        [*command, "--out", str(collect.out), "--rate", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ,
    ) as process:
        assert gate.wait_reached()
        process.send_signal(signal.SIGKILL)
    assert [file.name for file in collect.out.iterdir()] == ["raw"]
    gate.open()
    found = collect(40)
    # Whoever was being asked for when the kill came has to be asked for again, and nobody else.
    twice = [what for what, times in collect.asked().items() if times > 1]
    assert twice == [("library-entries", f"{FIRST_USER_ID + 7}@0")]
    assert told(found.interactions) == expected(crowd, found.users)


@pytest.mark.parametrize("left", [0, 20, 100])
def test_a_damaged_answer_is_fetched_again(collect: Collector, left: int) -> None:
    collect.upstream.data.kitsu_users = crowd_of(20)
    before = collect(20)
    place = collect.out / "raw" / "library" / f"{FIRST_USER_ID + 3}-0-0.json.gz"
    place.write_bytes(place.read_bytes()[:left])
    (place.parent / f".{place.name}.left").write_bytes(b"half of it")
    collect.upstream.requests.clear()
    after = collect(20)
    assert list(collect.asked()) == [("library-entries", f"{FIRST_USER_ID + 3}@0")]
    assert after.interactions.equals(before.interactions)
    assert not list(place.parent.glob(".*"))


@pytest.mark.parametrize(("owners_told", "requests"), [(True, 6), (False, 3 + 60)])
def test_favourites_that_do_not_come_along_are_asked_for(
    collect: Collector, owners_told: bool, requests: int
) -> None:
    """Two favourites a user; twenty users and twenty favourites a request, if that is possible."""
    crowd = crowd_of(60, include_favourites=False, include_owners=owners_told)
    collect.upstream.data.kitsu_users = crowd
    found = collect(60)
    assert len([what for kind, what in collect.asked() if kind == "favorites"]) == requests
    assert told(found.interactions) == expected(crowd, found.users)


def test_a_favourite_need_not_be_in_the_library(collect: Collector) -> None:
    entries = [listed(place) for place in range(1, 5)]
    alone = make_kitsu_user(
        0, [listed(9)], favourites=[("anime", 5_001), ("anime", 4_444)], minutes_watched=60
    )
    collect.upstream.data.kitsu_users = crowd_of(
        2, alone, make_kitsu_user(1, entries, minutes_watched=61)
    )
    found = collect(2)
    own = found.interactions.filter(pl.col("user_id") == by_number(found.users)[FIRST_USER_ID])
    assert own.select("anime_id", "status", "rating", "favourite").rows() == [
        (1, 0, 0, True),
        (9, CODES[listed(9).status], 9, False),
    ]
    # What is only loved was not put on the list.
    on_lists = ratings_table(found.interactions).filter(pl.col("anime_id") == 1)
    assert on_lists["user_id"].n_unique() == 1
    assert found.tally == {
        "favourites in no library": 2,
        "favourites without an entry and without MyAnimeList's id": 1,
    }


def test_two_of_kitsu_s_that_are_one_on_myanimelist(collect: Collector) -> None:
    first = listed(2, score=0, status="completed", progress=12, reviewed=True, reacted=False)
    second = replace(first, media_id=9_999, score=7, status="watching", progress=3, reviewed=False)
    collect.upstream.data.kitsu_users = crowd_of(
        1, make_kitsu_user(0, [first, second], minutes_watched=60)
    )
    found = collect(1)
    row = found.interactions.row(0, named=True)
    assert (row["status"], row["rating"], row["progress"]) == (1, 7, 15)
    assert (row["minutes"], row["reviewed"], row["commented"]) == (15 * 24, True, False)
    assert len(found.interactions) == 1
    assert found.tally == {"entries that are one anime on MyAnimeList": 1}


def test_who_watches_again_has_seen_it_and_spends_the_time_twice(collect: Collector) -> None:
    again = listed(3, status="watching", progress=2, rewatching=True)
    collect.upstream.data.kitsu_users = crowd_of(1, make_kitsu_user(0, [again], minutes_watched=60))
    row = collect(1).interactions.row(0, named=True)
    assert (row["status"], row["progress"], row["minutes"]) == (2, 2, 24 * (2 + 12))


def test_ids_may_be_known_that_kitsu_does_not_know(collect: Collector) -> None:
    unmapped = replace(listed(8), anime_id=None)
    collect.upstream.data.kitsu_users = crowd_of(
        1, make_kitsu_user(0, [unmapped], minutes_watched=60)
    )
    without = collect(1)
    assert without.interactions.is_empty()
    assert without.tally == {"entries whose anime MyAnimeList does not have": 1}
    found = collect(1, kitsu_to_mal={5_008: 8})
    assert found.interactions["anime_id"].to_list() == [8]
    assert not found.tally


def test_one_user_without_anything_makes_a_whole_report(
    collect: Collector, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    collect.upstream.data.kitsu_users = crowd_of(1, make_kitsu_user(0, minutes_watched=60))
    table = tmp_path / "anime.csv"
    table.write_text("anime_id,title,kitsu_id\n8,A title,5008\n9,Another,\n")
    assert collect.command(1, "--catalogue", str(table)) == 0
    assert collect.table("interactions").is_empty()
    page = (collect.out / "report.html").read_text("utf-8")
    assert page.count("<svg") == 4
    assert "nan" not in page
    assert "users with an empty library: 1" in capsys.readouterr().out
    assert not (tmp_path / "missing").exists()
    collect.out = tmp_path / "missing"
    assert "no such file" in collect.fails(capsys, 1, "--catalogue", str(tmp_path / "none.csv"))
    assert not (tmp_path / "missing").exists()
