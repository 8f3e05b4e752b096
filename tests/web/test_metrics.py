from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from app import create_app
from app.lists import RATE_LIMITS
from app.observability.metrics import ACTIVE_MODEL
from app.settings import AppSettings
from app.upstream.circuit_breaker import MAX_FAILURES
from app.web.middleware.request_context import call_when_sent
from demo.data import DemoEntry
from demo.fake_upstream import FakeUpstream
from demo.http_server import FakeResponse
from tests.tiny_model import ANIME
from tests.web.fans import SCORED, add_fans
from tests.web.server import at, running_hakken, wait_until

TOKEN = "a-token-of-some-length"
UNKNOWN = 900_001

Labels = tuple[tuple[str, str], ...]
Samples = dict[tuple[str, Labels], float]


def read(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((name, tuple(sorted(labels.items()))), 0.0)


@pytest.fixture
def measured(settings: AppSettings, tmp_path: Path) -> Flask:
    """An application with metrics and nothing remembered yet."""
    return create_app(settings.model_copy(update={"metrics": True, "cache_dir": tmp_path}))


class Change:
    """By how much metrics have changed since this was made: they count for the whole process."""

    def __init__(self, client: FlaskClient) -> None:
        self._client = client
        self._before = self.now()

    def now(self) -> Samples:
        return read(self._client.get("/metrics").text)

    def of(self, name: str, **labels: str) -> float:
        return value(self.now(), name, **labels) - value(self._before, name, **labels)


def test_errors_of_our_own_are_counted_from_zero(settings: AppSettings) -> None:
    """A series that begins at its first error has no rate, so that nobody would be told."""
    app = create_app(settings.model_copy(update={"metrics": True}))
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.add_url_rule("/broken", view_func=lambda: 1 / 0)
    change = Change(app.test_client())
    assert "hakken_bugs_total" in {name for name, _ in change.now()}
    assert app.test_client().get("/broken").status_code == 500
    assert change.of("hakken_bugs_total") == 1
    assert app.test_client().get("/nowhere").status_code == 404
    assert change.of("hakken_bugs_total") == 1


def test_nobody_reads_metrics_unless_they_are_turned_on(client: FlaskClient) -> None:
    assert client.get("/metrics").status_code == 404


def test_a_token_keeps_others_out(settings: AppSettings) -> None:
    changes = {"metrics": True, "metrics_token": TOKEN}
    client = create_app(settings.model_copy(update=changes)).test_client()
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
        refused = client.get("/metrics", headers=headers)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")
        assert "hakken_requests" not in refused.text
    assert client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_requests_are_counted_by_route_and_never_by_address(measured: Flask) -> None:
    client = measured.test_client()
    change = Change(client)
    client.get("/user/anilist/Regular")
    client.get("/user/anilist/Nobody99")
    client.get("/nowhere/at/all")
    client.open("/", method="BREW")
    user = "/user/<source>/<path:username>"
    count = "hakken_requests_total"
    assert change.of(count, route=user, method="GET", status="200") == 1
    assert change.of(count, route=user, method="GET", status="404") == 1
    assert change.of(count, route="(no such page)", method="GET", status="404") == 1
    assert change.of(count, route="(no such page)", method="other", status="405") == 1
    assert change.of("hakken_request_seconds_count", route=user) == 2
    labels = {text for _, pairs in change.now() for _, text in pairs}
    assert not [text for text in labels if "regular" in text.casefold() or "nobody" in text]
    assert not [text for text in labels if text == "BREW" or "nowhere/at" in text]


def test_fetching_and_ranking_are_told_apart(measured: Flask, anilist: FakeUpstream) -> None:
    anilist.add_user("Odd", [*(DemoEntry(n, 7) for n in SCORED), DemoEntry(UNKNOWN, 5)])
    client = measured.test_client()
    change = Change(client)
    # What is marked as seen is not on the list.
    for marked in ("", f"&seen={UNKNOWN + 1}:5"):
        address = f"/api/v1/recommendations?source=anilist&username=Odd{marked}"
        assert client.get(address).status_code == 200
    assert change.of("hakken_list_fetch_seconds_count", source="anilist") == 2
    assert change.of("hakken_answer_seconds_count") == 2
    assert change.of("hakken_list_cache_total", result="miss") == 1
    assert change.of("hakken_list_cache_total", result="hit") == 1
    assert change.of("hakken_upstream_calls_total", service="anilist", result="ok") == 1
    assert change.of("hakken_list_entries_count") == 2
    assert change.of("hakken_list_entries_sum") == 2 * (len(SCORED) + 1)
    assert change.of("hakken_list_anime_total", known="yes") == 2 * len(SCORED)
    assert change.of("hakken_list_anime_total", known="no") == 2


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("DownFan", "failed"),
        ("LimitedFan", "limited"),
        ("PrivateFan", "refused"),
        ("DroppedFan", "lost"),
        ("SlowFan", "timeout"),
    ],
)
def test_what_services_answer_is_counted(
    name: str, result: str, settings: AppSettings, tmp_path: Path
) -> None:
    with FakeUpstream() as upstream:
        changes = {
            "metrics": True,
            "cache_dir": tmp_path,
            "anilist_url": upstream.base_url("anilist"),
            # What is slow takes all of it; what fails takes as long as this machine needs.
            "list_deadline": 0.5 if result == "timeout" else 30,
        }
        client = create_app(settings.model_copy(update=changes)).test_client()
        change = Change(client)
        client.get(f"/user/anilist/{name}")
        calls = {
            each: change.of("hakken_upstream_calls_total", service="anilist", result=each)
            for each in ("ok", "refused", "failed", "limited", "lost", "timeout")
        }
        assert calls[result] >= 1
        assert sum(calls.values()) == calls[result]
        # Who does not wait for an answer may be gone before the request is read.
        wait_until(lambda: len(upstream.requests), lambda asked: asked >= calls[result])
    assert calls[result] == len(upstream.requests)


def test_a_service_at_rest_is_told(settings: AppSettings, tmp_path: Path) -> None:
    with FakeUpstream() as upstream:
        changes = {
            "metrics": True,
            "cache_dir": tmp_path,
            "anilist_url": upstream.base_url("anilist"),
            "list_cache": 0.0,
        }
        client = create_app(settings.model_copy(update=changes)).test_client()
        change = Change(client)
        assert value(change.now(), "hakken_upstream_resting", service="anilist") == 0
        for _ in range(MAX_FAILURES):
            client.get("/user/anilist/ChallengeFan")
        assert value(change.now(), "hakken_upstream_resting", service="anilist") == 1


def test_services_in_metrics_are_those_that_are_paced(measured: Flask) -> None:
    client = measured.test_client()
    client.get("/user/anilist/Regular")
    samples = Change(client).now()
    services = {dict(labels).get("service") for _, labels in samples} - {None}
    assert services <= {*RATE_LIMITS, "other"}


def test_an_old_list_that_stands_in_is_counted(settings: AppSettings, tmp_path: Path) -> None:
    with FakeUpstream() as upstream:
        upstream.add_user("Fan", [DemoEntry(n, 7) for n in SCORED])
        changes = {
            "metrics": True,
            "cache_dir": tmp_path,
            "anilist_url": upstream.base_url("anilist"),
            "list_cache": 0.001,  # it is old when it is asked for again
        }
        client = create_app(settings.model_copy(update=changes)).test_client()
        change = Change(client)
        assert client.get("/user/anilist/Fan").status_code == 200
        upstream.queued_responses["anilist"] = [FakeResponse(500, b"")] * 3
        assert client.get("/user/anilist/Fan").status_code == 200
        assert change.of("hakken_list_cache_total", result="stale") == 1


def test_the_model_is_told(measured: Flask) -> None:
    samples = Change(measured.test_client()).now()
    ready = measured.test_client().get("/readyz").json
    assert ready is not None
    assert value(samples, "hakken_model_workers", version=ready["model"]) == 1
    created = value(samples, "hakken_model_created_timestamp_seconds")
    assert 0 < created <= value(samples, "hakken_model_loaded_timestamp_seconds")
    assert ready["counts"]["anime"] == ANIME


def test_the_newest_model_replaces_the_one_before(measured: Flask) -> None:
    client = measured.test_client()
    ready = client.get("/readyz").json
    assert ready is not None
    created = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    ACTIVE_MODEL.set_active("another", created, 2e9)
    samples = Change(client).now()
    assert value(samples, "hakken_model_workers", version=ready["model"]) == 0
    assert value(samples, "hakken_model_workers", version="another") == 1
    assert value(samples, "hakken_model_created_timestamp_seconds") == 1767323045
    assert value(samples, "hakken_model_loaded_timestamp_seconds") == 2e9


def test_a_page_that_is_made_while_it_is_sent_ends_when_it_has_been_sent() -> None:
    app = Flask(__name__)
    ended: list[bool] = []

    @app.get("/streamed")
    def streamed() -> object:
        def pieces() -> Iterator[str]:
            yield "a"
            assert not ended
            yield "b"

        return app.response_class(pieces())

    @app.get("/whole")
    def whole() -> str:
        return "ab"

    @app.after_request
    def watch(response):  # type: ignore[no-untyped-def]
        call_when_sent(response, lambda: ended.append(True))
        return response

    for address in ("/streamed", "/whole"):
        ended.clear()
        response = app.test_client().get(address, buffered=True)
        assert response.text == "ab"
        assert ended == [True]


def test_a_page_in_two_parts_is_one_request(
    settings: AppSettings, upstream: FakeUpstream, tmp_path: Path
) -> None:
    asked = {"anilist_url": upstream.base_url("anilist"), "cache_dir": tmp_path}
    changes = {**asked, "metrics": True, "list_grace": 0.0}
    client = create_app(settings.model_copy(update=changes)).test_client()
    change = Change(client)
    add_fans(upstream)
    gate = upstream.hold_responses("Regular")  # until the frame has come
    with client.get("/user/anilist/Regular") as response:
        user = {"route": "/user/<source>/<path:username>"}
        assert response.is_streamed
        gate.open()
        assert change.of("hakken_requests_total", **user, method="GET", status="200") == 0
        assert "</html>" in response.text
    assert change.of("hakken_requests_total", **user, method="GET", status="200") == 1
    assert change.of("hakken_request_seconds_count", **user) == 1
    assert change.of("hakken_list_fetch_seconds_count", source="anilist") == 1
    assert change.of("hakken_answer_seconds_count") == 1


def test_workers_count_together_and_the_dead_are_not_forgotten(
    tiny_model: Path, tmp_path: Path
) -> None:
    environment = {"HAKKEN_METRICS": "1", "HAKKEN_RATE_PAGES": "off"}
    route = {"route": "/api/v1/anime/<int:anime_id>", "method": "GET", "status": "404"}
    with running_hakken(at(tiny_model, tmp_path) | environment) as server:

        def ask(number: int) -> str:
            # A connection of its own each, so that both workers get some.
            answer = requests.get(f"{server.url}/api/v1/anime/{10**6 + number}", timeout=120)
            return answer.headers["X-Request-ID"]

        def metrics() -> Samples:
            return read(requests.get(f"{server.url}/metrics", timeout=120).text)

        def workers_on(version: str) -> float:
            return value(metrics(), "hakken_model_workers", version=version)

        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(ask, range(100)))) == 100
        assert value(metrics(), "hakken_requests_total", **route) == 100
        (version,) = {
            dict(labels)["version"] for name, labels in metrics() if name == "hakken_model_workers"
        }
        # Both count themselves before they answer, but one may answer while the other begins.
        wait_until(lambda: workers_on(version), lambda found: found == 2)
        server.workers()[0].kill()
        server.wait_for("Booting worker", times=3)
        for name in ("created", "loaded"):
            assert value(metrics(), f"hakken_model_{name}_timestamp_seconds") > 0
        wait_until(lambda: workers_on(version), lambda found: found == 2)
        ask(0)
        assert value(metrics(), "hakken_requests_total", **route) == 101
        folder = _metrics_folder(server.master)
        assert list(folder.glob("*.db"))
    assert not folder.exists()


def _metrics_folder(pid: int) -> Path:
    for line in Path(f"/proc/{pid}/maps").read_text("utf-8").splitlines():
        if line.endswith(".db") and "hakken-metrics-" in line:
            return Path(line.split(maxsplit=5)[5]).parent
    pytest.fail("the server has no metrics")
