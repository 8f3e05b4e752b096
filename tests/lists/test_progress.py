"""Every source tells how far it has come, page by page."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.lists import ServiceClients, SourceSettings, build_list_sources
from app.lists.entry import FetchProgress
from app.upstream import SharedStorage
from demo.data import DemoEntry
from demo.fake_upstream import FakeUpstream
from tests.lists.scenarios import CHUNKED_USER, LONG_USER


def pages(size: int, total: int, last: int) -> list[FetchProgress]:
    """What reading ``total`` entries tells, if ``last`` is the last page that is asked for."""
    return [FetchProgress(page, min((page - 1) * size, total)) for page in range(1, last + 1)]


@pytest.mark.parametrize(
    ("slug", "settings", "name", "wanted"),
    [
        # The first chunk comes twice: without a number, and with it.
        (
            "anilist",
            {},
            CHUNKED_USER,
            [FetchProgress(), FetchProgress(2, 500), *pages(500, 1200, 3)[1:]],
        ),
        ("kitsu", {}, LONG_USER, [FetchProgress(), *pages(500, 1250, 3)]),
        ("shikimori", {}, LONG_USER, pages(5000, 1250, 1)),
        ("myanimelist", {"mal_client_id": "key"}, LONG_USER, pages(1000, 1250, 2)),
        ("myanimelist", {"mal_web": True, "jikan_url": None}, LONG_USER, pages(300, 1250, 5)),
        ("jikan", {}, LONG_USER, pages(300, 1250, 6)),
    ],
)
def test_progress_is_told_before_every_page(
    upstream: FakeUpstream,
    tmp_path: Path,
    slug: str,
    settings: dict[str, Any],
    name: str,
    wanted: list[FetchProgress],
) -> None:
    made = SourceSettings(
        version="1",
        shared_storage=SharedStorage(tmp_path),
        mal_url=upstream.base_url("mal"),
        mal_web_url=upstream.base_url("mal-web"),
        anilist_url=upstream.base_url("anilist"),
        kitsu_url=upstream.base_url("kitsu"),
        shikimori_url=upstream.base_url("shikimori"),
        rate_limits={},
        **{"jikan_url": upstream.base_url("jikan"), **settings},
    )
    source = build_list_sources(ServiceClients(made), anilist_to_mal={})[slug]
    told: list[FetchProgress] = []
    source.fetch(name, told.append)
    assert told == wanted
    told.clear()
    source.fetch(name, told.append)
    assert told == []  # it was remembered


def test_who_waits_for_another_is_told_so(upstream: FakeUpstream, tmp_path: Path) -> None:
    upstream.add_user("Someone", [DemoEntry(1, 7)])
    gate = upstream.hold_responses("Someone")
    made = SourceSettings(
        version="1",
        shared_storage=SharedStorage(tmp_path),
        shikimori_url=upstream.base_url("shikimori"),
        rate_limits={},
    )
    source = build_list_sources(ServiceClients(made), anilist_to_mal={})["shikimori"]
    waiting = threading.Event()
    first: list[FetchProgress] = []
    second: list[FetchProgress] = []

    def told(progress: FetchProgress) -> None:
        second.append(progress)
        waiting.set()

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(source.fetch, "Someone", first.append)
        assert gate.wait_reached()
        other = pool.submit(source.fetch, "someone", told)
        assert waiting.wait(30)
        gate.open()
        assert one.result().entries == other.result().entries
    assert (first, second) == ([FetchProgress()], [FetchProgress(queued=True)])
    assert len(upstream.requests) == 1
