"""What locust does to Hakken, for `benchmarks/load.py`.

``Everybody`` does what visitors do, with the lists of ``HAKKEN_LOAD_FANS`` and of people for whom
the list sites fail. What failing should look like is the table of docs/sources.md.
"""

from __future__ import annotations

import gzip
import os
import random
from collections.abc import Mapping
from typing import Any

from locust import FastHttpUser, constant_throughput, task

SITES = ("anilist", "kitsu", "shikimori", "myanimelist")
USERNAMES = tuple(filter(None, os.environ.get("HAKKEN_LOAD_FANS", "").split(",")))

FAULT_STATUSES: Mapping[str, int] = {
    "PrivateFan": 403,
    "LimitedFan": 503,
    "DownFan": 502,
    "GatewayFan": 502,
    "ChallengeFan": 502,
    "GarbledFan": 502,
    "CutFan": 502,
    "WrongTypesFan": 502,
    "FlakyFan": 200,
    "NobodyAtAll": 404,
    "HugeFan": 413,
}
"""How the API answers for fans with trouble, when the site is not left alone because of them."""
HANGING_USERNAMES = ("SlowFan", "HangingFan", "DrippingFan")
TIMEOUT_STATUS = 504
CIRCUIT_OPEN_STATUS = 502
"""The answer while a site that failed too often is not asked at all."""

EXPORT_FILE = gzip.compress(
    b'<?xml version="1.0"?><myanimelist><myinfo><user_export_type>1</user_export_type></myinfo>'
    + b"".join(
        b"<anime><series_animedb_id>%d</series_animedb_id><my_score>%d</my_score>"
        b"<my_status>Completed</my_status></anime>" % (anime_id, score)
        for anime_id, score in ((1, 9), (5114, 10), (9253, 9), (11061, 8), (20, 5), (269, 6))
    )
    + b"</myanimelist>"
)


class MixedUser(FastHttpUser):
    """A visitor who does something every second."""

    wait_time = constant_throughput(1)

    @task(600)
    def recommendations(self) -> None:
        """Ask for recommendations in JSON."""
        self._get(
            f"/api/v1/recommendations?source={random.choice(SITES)}&username={random.choice(USERNAMES)}",
            "list",
        )

    @task(200)
    def page(self) -> None:
        """Ask for the page of a list."""
        self._get(f"/user/{random.choice(SITES)}/{random.choice(USERNAMES)}?n=50", "page")

    @task(50)
    def upload(self) -> None:
        """Upload an export file."""
        files = {"export": ("animelist.xml.gz", EXPORT_FILE, "application/gzip")}
        with self.client.post("/upload", files=files, catch_response=True, name="upload") as reply:
            _check_status(reply, {200})

    @task(100)
    def static_pages(self) -> None:
        """Pages without a list."""
        self._get(
            random.choice(("/", "/about", "/example", "/anime/5114", "/pick?q=monster")), "other"
        )

    @task(40)
    def failing_sources(self) -> None:
        """Ask for a list that a service refuses."""
        name, status = random.choice(tuple(FAULT_STATUSES.items()))
        path = f"/api/v1/recommendations?source={random.choice(SITES)}&username={name}"
        self._get(path, "trouble", status, CIRCUIT_OPEN_STATUS)

    @task(1)
    def hanging_sources(self) -> None:
        """Ask for a list that a service never finishes."""
        name = random.choice(HANGING_USERNAMES)
        path = f"/api/v1/recommendations?source={random.choice(SITES)}&username={name}"
        self._get(path, "no answer", TIMEOUT_STATUS, CIRCUIT_OPEN_STATUS)

    def _get(self, path: str, name: str, *statuses: int) -> None:
        with self.client.get(path, catch_response=True, name=name) as reply:
            _check_status(reply, set(statuses) or {200})


def _check_status(reply: Any, expected: set[int]) -> None:
    if reply.status_code in expected:
        reply.success()
    else:
        reply.failure(f"{reply.status_code}: {(reply.text or '')[:200]}")
