"""Every source tells how far it has come, page by page."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.lists import Services, SourceSettings, build_sources
from app.lists.progress import Progress
from app.upstream import Shared
from demo.upstream import Upstream
from demo.world import Listed
from tests.lists.scenarios import CHUNKED, LONG


def pages(size: int, total: int, last: int) -> list[Progress]:
    """What reading ``total`` entries tells, if ``last`` is the last page that is asked for."""
    return [Progress(page, min((page - 1) * size, total)) for page in range(1, last + 1)]


@pytest.mark.parametrize(
    ("slug", "settings", "name", "wanted"),
    [
        # The first chunk comes twice: without a number, and with it.
        ("anilist", {}, CHUNKED, [Progress(), Progress(2, 500), *pages(500, 1200, 3)[1:]]),
        ("kitsu", {}, LONG, [Progress(), *pages(500, 1250, 3)]),
        ("shikimori", {}, LONG, pages(5000, 1250, 1)),
        ("myanimelist", {"mal_client_id": "key"}, LONG, pages(1000, 1250, 2)),
        ("myanimelist", {"mal_web": True}, LONG, pages(300, 1250, 5)),
        ("jikan", {}, LONG, pages(300, 1250, 6)),
    ],
)
def test_progress_is_told_before_every_page(
    upstream: Upstream,
    tmp_path: Path,
    slug: str,
    settings: dict[str, Any],
    name: str,
    wanted: list[Progress],
) -> None:
    made = SourceSettings(
        version="1",
        shared=Shared(tmp_path),
        mal_url=upstream.at("mal"),
        mal_web_url=upstream.at("mal-web"),
        anilist_url=upstream.at("anilist"),
        kitsu_url=upstream.at("kitsu"),
        shikimori_url=upstream.at("shikimori"),
        jikan_url=upstream.at("jikan"),
        paces={},
        **settings,
    )
    source = build_sources(Services(made), anilist_to_mal={})[slug]
    told: list[Progress] = []
    source.fetch(name, told.append)
    assert told == wanted
    told.clear()
    source.fetch(name, told.append)
    assert told == []  # it was remembered


def test_who_waits_for_another_is_told_so(upstream: Upstream, tmp_path: Path) -> None:
    upstream.add("Someone", [Listed(1, 7)])
    gate = upstream.hold("Someone")
    made = SourceSettings(
        version="1", shared=Shared(tmp_path), shikimori_url=upstream.at("shikimori"), paces={}
    )
    source = build_sources(Services(made), anilist_to_mal={})["shikimori"]
    waiting = threading.Event()
    first: list[Progress] = []
    second: list[Progress] = []

    def told(progress: Progress) -> None:
        second.append(progress)
        waiting.set()

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(source.fetch, "Someone", first.append)
        assert gate.reached()
        other = pool.submit(source.fetch, "someone", told)
        assert waiting.wait(30)
        gate.open()
        assert one.result().entries == other.result().entries
    assert (first, second) == ([Progress()], [Progress(queued=True)])
    assert len(upstream.requests) == 1
