"""Crowds to be collected, and the command as an operator runs it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import requests

from demo.data import DemoEntry
from demo.fake_upstream import FakeUpstream
from demo.kitsu_users import FIRST_USER_ID, DemoKitsuUser, FaultPlan, KitsuUsers, make_kitsu_user
from model_build.cli import main
from model_build.collect.client import Backoff, JsonClient, RequestStats
from model_build.collect.kitsu.api import KitsuApi
from model_build.collect.kitsu.collection import (
    CollectedUsers,
    collect_kitsu_users,
    progress_bar_factory,
)
from model_build.collect.response_cache import ResponseCache

STATUSES = ("completed", "watching", "on_hold", "dropped", "plan_to_watch")
CODES = {"watching": 1, "completed": 2, "on_hold": 3, "dropped": 4, "plan_to_watch": 6}


def listed(anime_id: int, **more: Any) -> DemoEntry:
    """An entry that depends on nothing but the anime; Kitsu's id is another than MyAnimeList's."""
    facts: dict[str, Any] = {
        "score": anime_id % 11,
        "status": STATUSES[anime_id % 5],
        "progress": anime_id % 13,
        "episodes": 12,
        "minutes": 24,
        "reacted": anime_id % 4 == 0,
        "reviewed": anime_id % 6 == 0,
    }
    return DemoEntry(anime_id, media_id=anime_id + 5_000, **{**facts, **more})


def ordinary(place: int) -> DemoKitsuUser:
    """Somebody with 4 to 8 anime, two of them favourites, and a favourite character."""
    entries = [listed(1 + place + 3 * step) for step in range(4 + place % 5)]
    favourites = [("anime", entry.site_id) for entry in entries[:2]]
    return make_kitsu_user(
        place, entries, favourites=[*favourites, ("characters", 77)], minutes_watched=60 + place
    )


def crowd_of(
    count: int, *others: DemoKitsuUser, trouble: FaultPlan | None = None, **how: bool
) -> KitsuUsers:
    """So many members, of whom some are special."""
    special = {other.user.user_id - FIRST_USER_ID: other for other in others}
    members = [special.get(place) or ordinary(place) for place in range(count)]
    return KitsuUsers(members, trouble, **how)


def by_number(users: pl.DataFrame) -> dict[int, int]:
    """Our number of each of Kitsu's, told by the minutes that `ordinary` members spent."""
    rows = users.select("life_spent_on_anime", "user_id").iter_rows()
    return {FIRST_USER_ID + minutes - 60: user for minutes, user in rows}


@dataclass
class Collector:
    """Collects from the upstream, in this process, into ``out``.

    ``waits`` notes the seconds of rest, which are not waited; ``traffic`` is that of the last run.
    """

    upstream: FakeUpstream
    out: Path
    waits: list[float] = field(default_factory=list)
    traffic: RequestStats = field(default_factory=RequestStats)

    def __call__(
        self, users: int, *, seed: int = 0, kitsu_to_mal: Mapping[int, int] | None = None
    ) -> CollectedUsers:
        """The tables, without a report."""
        self.traffic = RequestStats()
        patience = Backoff("Kitsu", self.traffic, 600, sleep=self.waits.append)
        answers = ResponseCache(self.out / "raw")
        with requests.Session() as session, answers.lock():
            self.traffic.count_responses(session)
            site = KitsuApi(
                JsonClient("Kitsu", session, None, patience),
                self.upstream.base_url("kitsu"),
                answers,
            )
            return collect_kitsu_users(
                site,
                users,
                seed=seed,
                kitsu_to_mal=kitsu_to_mal or {},
                make_progress_bar=progress_bar_factory(quiet=True),
            )

    def command(self, users: int, *options: str) -> int:
        """The exit status of the command."""
        arguments = ["collect", "kitsu", "--users", str(users), "--out", str(self.out)]
        return main([*arguments, "--rate", "0", *options])

    def fails(self, capsys: pytest.CaptureFixture[str], users: int, *options: str) -> str:
        """The sentence with which the command gives up."""
        assert self.command(users, *options) == 2
        return capsys.readouterr().err.splitlines()[-1]

    def table(self, name: str) -> pl.DataFrame:
        """A table that the command has written."""
        return pl.read_parquet(self.out / f"{name}.parquet")

    def report(self) -> dict[str, Any]:
        """The report that the command has written."""
        return dict(json.loads((self.out / "report.json").read_text("utf-8")))

    def asked(self) -> Counter[tuple[str, str]]:
        """How often what was asked for: a page of users, or a page of somebody's library."""
        return Counter(
            (
                asked.path.rpartition("/")[2],
                asked.query.get("filter[userId]", "") + "@" + asked.query["page[offset]"],
            )
            for asked in self.upstream.requests
        )
