"""What happens around a fetch: one for all who ask, remembered, replaced while a site is down."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import time_machine

from app.lists import CacheTtl, ListSource, ServiceClients, SourceSettings, build_list_sources
from app.lists.entry import AnimeDetails, FetchProgress
from app.lists.errors import ListError, PrivateList, RateLimited, SourceDown, UnknownUser
from app.lists.http_client import HttpLimits
from app.lists.service_guard import BUSY_RETRY_SECONDS
from app.settings import AppSettings
from app.source_config import build_source_settings
from app.upstream import RateLimit, SharedStorage
from demo.data import DemoEntry
from demo.fake_upstream import FakeUpstream
from demo.faults import Fault
from demo.http_server import FakeResponse
from tests.lists import scenarios
from tests.redis_server import running_redis

Workers = Callable[..., ListSource]


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(params=["files", "redis"])
def worker(request: pytest.FixtureRequest, tmp_path: Path, upstream: FakeUpstream) -> Workers:
    """Makes one worker's MyAnimeList; all share what they remember."""
    url = request.getfixturevalue("redis_url") if request.param == "redis" else None

    def make(learn: Any = lambda _: None, **settings: Any) -> ListSource:
        defaults: dict[str, Any] = {
            "mal_client_id": "key",
            "mal_url": upstream.base_url("mal"),
            "http_limits": HttpLimits(backoff_factor=0),
            "rate_limits": {},
        }
        made = SourceSettings(
            version="1", shared_storage=SharedStorage(tmp_path, url), **(defaults | settings)
        )
        return build_list_sources(ServiceClients(made), anilist_to_mal={}, on_details=learn)[
            "myanimelist"
        ]

    return make


def test_ten_tabs_make_one_call(worker: Workers, upstream: FakeUpstream) -> None:
    upstream.add_user("Someone", [DemoEntry(1, 7)])
    workers = [worker() for _ in range(2)]
    names = ["Someone", "someone", "https://myanimelist.net/profile/SOMEONE", " @Someone "]
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda n: workers[n % 2].fetch(names[n % 4]), range(10)))
    assert {fans.entries[0].anime_id for fans in found} == {1}
    assert {fans.age for fans in found} == {0}
    assert len(upstream.requests) == 1


def test_ten_tabs_share_one_failure(worker: Workers, upstream: FakeUpstream) -> None:
    workers = [worker() for _ in range(2)]
    gate, waiting = upstream.hold_responses(scenarios.PRIVATE), threading.Semaphore(0)

    def note(progress: FetchProgress) -> None:
        if progress.queued:
            waiting.release()

    def ask(number: int) -> ListError:
        with pytest.raises(ListError) as caught:
            workers[number % 2].fetch(scenarios.PRIVATE, note)
        return caught.value

    with ThreadPoolExecutor(10) as pool:
        asking = [pool.submit(ask, number) for number in range(10)]
        assert all(waiting.acquire(timeout=30) for _ in range(9))
        gate.open()
        errors = [each.result() for each in asking]
    assert {type(error) for error in errors} == {PrivateList}
    assert len({str(error) for error in errors}) == 1
    assert len(upstream.requests) == 1


def test_a_failure_is_not_told_to_who_comes_later(worker: Workers, upstream: FakeUpstream) -> None:
    source = worker()
    with pytest.raises(UnknownUser):
        source.fetch("Someone")
    upstream.add_user("Someone", [DemoEntry(1, 7)])
    assert source.fetch("Someone").entries


def test_lists_are_remembered_for_minutes(
    worker: Workers, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.add_user("Someone", [DemoEntry(1, 7)])
    first = worker().fetch("Someone")
    upstream.add_user("Someone", [DemoEntry(2, 8)])
    assert worker().fetch("Someone").entries == first.entries
    pass_by(monkeypatch, 301)
    assert [entry.anime_id for entry in worker().fetch("Someone").entries] == [2]


def test_a_list_stands_in_while_the_service_is_down(
    worker: Workers, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.add_user("Someone", [DemoEntry(1, 7)])
    source = worker()
    source.fetch("Someone")
    upstream.data.add_user("Someone", [], Fault.DOWN)
    pass_by(monkeypatch, 600)
    for _ in range(2):
        fans = source.fetch("Someone")
        assert [entry.anime_id for entry in fans.entries] == [1]
        assert 595 <= fans.age <= 660
    upstream.data.add_user("Someone", [], Fault.LIMITED)
    assert source.fetch("Someone").age
    upstream.add_user("Someone", [DemoEntry(2, 8)])
    fans = source.fetch("Someone")
    assert ([entry.anime_id for entry in fans.entries], fans.age) == ([2], 0)


@pytest.mark.parametrize(("site", "anime_id"), [("myanimelist", 1), ("kitsu", 2)])
def test_names_that_differ_in_case_share_a_list_but_where_a_site_tells_them_apart(
    upstream: FakeUpstream, tmp_path: Path, site: str, anime_id: int
) -> None:
    settings = SourceSettings(
        version="1",
        shared_storage=SharedStorage(tmp_path),
        mal_client_id="key",
        mal_url=upstream.base_url("mal"),
        kitsu_url=upstream.base_url("kitsu"),
        rate_limits={},
    )
    source = build_list_sources(
        ServiceClients(settings), anilist_to_mal={}, on_details=lambda _: None
    )[site]
    upstream.add_user("Same", [DemoEntry(1, 7)])
    source.fetch("Same")
    upstream.add_user("same", [DemoEntry(2, 7)])
    assert [entry.anime_id for entry in source.fetch("same").entries] == [anime_id]
    assert [entry.anime_id for entry in source.fetch("Same").entries] == [1]


def test_who_remembers_nothing_keeps_nothing(upstream: FakeUpstream, tmp_path: Path) -> None:
    settings = AppSettings(
        anilist_url=upstream.base_url("anilist"), cache_dir=tmp_path, limits=False, list_cache=0
    )
    source = build_list_sources(
        ServiceClients(build_source_settings(settings, "1")),
        anilist_to_mal={},
        on_details=lambda _: None,
    )["anilist"]
    upstream.add_user("Someone", [DemoEntry(1, 7)])
    assert source.fetch("Someone").entries
    asked = len(upstream.requests)
    assert source.fetch("Someone").entries
    assert len(upstream.requests) > asked
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"Someone" not in kept


def test_a_list_that_became_private_is_forgotten(
    worker: Workers, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.add_user("Someone", [DemoEntry(1, 7)])
    source = worker()
    source.fetch("Someone")
    pass_by(monkeypatch, 301)
    upstream.data.add_user("Someone", [], Fault.PRIVATE)
    with pytest.raises(PrivateList):
        source.fetch("Someone")
    upstream.data.add_user("Someone", [], Fault.DOWN)
    with pytest.raises(SourceDown):
        source.fetch("Someone")


def test_too_old_a_list_stands_in_for_nothing(
    worker: Workers, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.add_user("Someone", [DemoEntry(1, 7)])
    source = worker(cache_ttl=CacheTtl(fresh=60, stale=60))
    source.fetch("Someone")
    upstream.data.add_user("Someone", [], Fault.DOWN)
    pass_by(monkeypatch, 121)
    with pytest.raises(SourceDown):
        source.fetch("Someone")


def test_a_service_that_keeps_failing_is_left_alone(
    worker: Workers, upstream: FakeUpstream
) -> None:
    source = worker()
    for _ in range(12):
        with pytest.raises(SourceDown):
            source.fetch(scenarios.DOWN)
    assert len(upstream.requests) == 8 * 3
    upstream.add_user("Someone", [DemoEntry(1, 7)])
    with pytest.raises(SourceDown) as caught:
        source.fetch("Someone")
    assert "left alone" in caught.value.detail


@pytest.mark.parametrize("fault", [Fault.PRIVATE, Fault.LIMITED, Fault.FIELDLESS])
def test_what_is_no_failure_of_the_service_does_not_count(
    worker: Workers, upstream: FakeUpstream, fault: Fault
) -> None:
    source = worker()
    for _ in range(9):
        with pytest.raises(ListError):
            source.fetch(scenarios.named(fault))
    upstream.add_user("Someone", [DemoEntry(1, 7)])
    assert source.fetch("Someone").entries


def test_our_own_limit_is_said_with_a_time(worker: Workers, upstream: FakeUpstream) -> None:
    settings = {
        "rate_limits": {"mal": (RateLimit(2, 60),)},
        "http_limits": HttpLimits(max_throttle_wait=0.1),
    }
    for number, source in enumerate((worker(**settings), worker(**settings))):
        upstream.add_user(f"Fan{number}", [DemoEntry(1, 7)])
        source.fetch(f"Fan{number}")
    with pytest.raises(RateLimited) as caught:
        worker(**settings).fetch(scenarios.LONG_USER)
    assert caught.value.retry_after is not None
    assert 50 <= caught.value.retry_after <= 60
    assert len(upstream.requests) == 2


def test_what_comes_along_is_learnt_and_not_kept_with_the_list(
    worker: Workers, upstream: FakeUpstream
) -> None:
    learnt: list[AnimeDetails] = []
    upstream.add_user("Someone", [DemoEntry(1, 7)])
    source = worker(learn=learnt.extend)
    assert source.fetch("Someone").details == source.fetch("Someone").details == ()
    assert [details.anime_id for details in learnt] == [1]


def test_what_finds_a_list_says_no_name(upstream: FakeUpstream, tmp_path: Path) -> None:
    upstream.add_user("Someone", [DemoEntry(1, 7)])
    url = upstream.base_url("anilist")
    made = SourceSettings(version="1", shared_storage=SharedStorage(tmp_path), anilist_url=url)
    build_list_sources(ServiceClients(made), anilist_to_mal={})["anilist"].fetch("Someone")
    with closing(sqlite3.connect(tmp_path / "lists.sqlite")) as connection:
        ((key,),) = connection.execute("SELECT key FROM lists").fetchall()
    names = [file.name for file in tmp_path.rglob("*")]
    assert len(names) >= 4
    assert not [name for name in (key, *names) if "someone" in name.casefold()]


def pass_by(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let the clock of the memory go on."""
    later = time.time
    monkeypatch.setattr("app.lists.list_cache.time.time", lambda: later() + seconds)


def test_a_slow_site_does_not_keep_everybody_waiting(
    worker: Workers, upstream: FakeUpstream
) -> None:
    source = worker(max_concurrent_requests=2)
    for name in ("Known", "First", "Second", "Third"):
        upstream.add_user(name, [DemoEntry(1, 7)])
    source.fetch("Known")
    gates = [upstream.hold_responses(name) for name in ("First", "Second")]
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(source.fetch, name) for name in ("First", "Second")]
        assert all(gate.wait_reached() for gate in gates)
        with pytest.raises(RateLimited) as caught:
            source.fetch("Third")
        assert caught.value.retry_after == BUSY_RETRY_SECONDS
        assert source.fetch("Known").entries, "what is remembered needs no room"
        for gate in gates:
            gate.open()
        assert all(each.result().entries for each in waiting)
    assert source.fetch("Third").entries


@pytest.mark.parametrize("jump", [86_400, -86_400])
def test_a_clock_that_is_set_makes_nothing_younger(
    worker: Workers, upstream: FakeUpstream, jump: int
) -> None:
    source = worker()
    upstream.add_user("Someone", [DemoEntry(1, 7)])
    assert [entry.anime_id for entry in source.fetch("Someone").entries] == [1]
    upstream.add_user("Someone", [DemoEntry(2, 7)])
    with time_machine.travel(time.time() + jump, tick=True):
        assert [entry.anime_id for entry in source.fetch("Someone").entries] == [2]


def test_a_failure_from_before_the_clock_was_set_back_is_not_told(
    worker: Workers, upstream: FakeUpstream
) -> None:
    source = worker()
    with time_machine.travel(time.time() + 86_400, tick=True), pytest.raises(UnknownUser):
        source.fetch("Someone")
    upstream.add_user("Someone", [DemoEntry(1, 7)])
    assert source.fetch("Someone").entries


def test_an_old_list_of_unknown_age_does_not_stand_in(
    worker: Workers, upstream: FakeUpstream
) -> None:
    source = worker()
    upstream.add_user("Someone", [DemoEntry(1, 7)])
    with time_machine.travel(time.time() + 86_400, tick=True):
        assert source.fetch("Someone").entries
    upstream.queued_responses["mal"] = [FakeResponse(500, b"")] * 3
    with pytest.raises(SourceDown):
        source.fetch("Someone")
