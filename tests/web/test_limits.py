from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.settings import AppSettings
from app.web.middleware.clients import PROBE_ENDPOINTS
from app.web.middleware.rate_limits import MemoryCounts
from app.web.problems import ClientRateLimited
from app.web.request_costs import Cost, cost_of
from tests.redis_server import running_redis
from tests.web.html_page import read_html

API = "/api/v1/openapi.json"
LIST = "/user/anilist/Regular"
NOON = 1_790_000_000


def limited(settings: AppSettings, **changes: object) -> Flask:
    few = {"rate_lists": "2/minute", "rate_pages": "4/minute"}
    return create_app(settings.model_copy(update={**few, **changes}))


def statuses(client: FlaskClient, address: str, times: int, **asking: object) -> list[int]:
    found = []
    for _ in range(times):
        with client.get(address, **asking) as response:  # type: ignore[arg-type]
            found.append(response.status_code)
    return found


def from_address(address: str) -> dict[str, object]:
    return {"environ_base": {"REMOTE_ADDR": address}}


def through(*hops: str) -> dict[str, object]:
    return {"headers": {"X-Forwarded-For": ", ".join(hops)}}


def test_who_asks_for_too_much_is_told_when_to_come_back(settings: AppSettings) -> None:
    client = limited(settings).test_client()
    assert statuses(client, API, 5) == [200, 200, 200, 200, 429]
    response = client.get(API)
    body = json.loads(response.data)
    assert response.mimetype == "application/problem+json"
    assert body["type"] == "/problems/too-many-requests"
    seconds = int(response.headers["Retry-After"])
    assert 1 <= seconds <= 60
    assert f"in {seconds} second" in body["detail"]
    page = client.get("/about")
    assert page.status_code == 429
    assert page.headers["Retry-After"]
    read = read_html(page.text)
    assert read.one("h1").text == "A little slower, please"
    assert [link for link in read.all("a") if link.text == "Try again"]
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "in a second"),
        (90, "in 90 seconds"),
        (91, "in 2 minutes"),
        (5_400, "in 90 minutes"),
        (5_401, "in 2 hours"),
        (86_400, "in 24 hours"),
    ],
)
def test_a_wait_is_told_in_plain_words(seconds: int, words: str) -> None:
    assert str(ClientRateLimited(seconds)).endswith(f" {words}.")


def test_lists_have_a_limit_of_their_own(settings: AppSettings) -> None:
    client = limited(settings).test_client()
    assert statuses(client, LIST, 3) == [200, 200, 429]
    fetched = "/api/v1/recommendations?source=anilist&username=Regular"
    assert client.get(fetched).status_code == 429
    assert statuses(client, "/about", 5) == [200, 200, 200, 200, 429]


def test_some_things_are_free(settings: AppSettings) -> None:
    client = limited(settings, metrics=True).test_client()
    statuses(client, "/about", 5)
    for address in ("/healthz", "/readyz", "/metrics", "/static/hakken.css"):
        assert set(statuses(client, address, 9)) == {200}


def test_addresses_that_lead_nowhere_are_not_free(settings: AppSettings) -> None:
    client = limited(settings).test_client()
    assert statuses(client, "/nowhere", 6) == [404] * 4 + [429] * 2


def test_a_limit_can_be_turned_off(settings: AppSettings) -> None:
    client = limited(settings, rate_pages="off").test_client()
    assert set(statuses(client, "/about", 9)) == {200}
    assert statuses(client, LIST, 3) == [200, 200, 429]


def test_everybody_has_a_share(settings: AppSettings) -> None:
    client = limited(settings).test_client()
    assert statuses(client, API, 5, **from_address("192.0.2.1"))[-1] == 429
    assert client.get(API, **from_address("192.0.2.2")).status_code == 200  # type: ignore[arg-type]


def test_a_household_of_ipv6_addresses_is_one_client(settings: AppSettings) -> None:
    client = limited(settings).test_client()
    for number in range(4):
        asking = from_address(f"2001:db8:0:1::{number}")
        assert statuses(client, API, 1, **asking) == [200]
    assert statuses(client, API, 1, **from_address("2001:db8:0:1:ffff::")) == [429]
    assert statuses(client, API, 1, **from_address("2001:db8:0:2::1")) == [200]
    assert statuses(client, API, 5, **from_address("::ffff:192.0.2.7"))[-1] == 429
    assert statuses(client, API, 1, **from_address("192.0.2.7")) == [429]


def test_without_a_trusted_proxy_nobody_can_pretend(
    settings: AppSettings, caplog: pytest.LogCaptureFixture
) -> None:
    client = limited(settings).test_client()
    found = [statuses(client, API, 1, **through(f"192.0.2.{n}"))[0] for n in range(6)]
    assert found == [200] * 4 + [429] * 2
    assert caplog.text.count("set HAKKEN_TRUSTED_PROXIES") == 1


def test_a_trusted_proxy_says_who_asks(settings: AppSettings) -> None:
    client = limited(settings, trusted_proxies=1).test_client()
    found = [statuses(client, API, 1, **through(f"192.0.2.{n}"))[0] for n in range(6)]
    assert found == [200] * 6
    # What a client writes before the proxy's entry is its own invention.
    chains = [through(f"198.51.100.{n}", "192.0.2.9") for n in range(6)]
    found = [statuses(client, API, 1, **chain)[0] for chain in chains]
    assert found == [200] * 4 + [429] * 2
    # Nor does it help to leave something out, or to write nonsense.
    direct = limited(settings, trusted_proxies=2).test_client()
    found = [statuses(direct, API, 1, **through(f"192.0.2.{n}"))[0] for n in range(6)]
    assert found == [200] * 4 + [429] * 2
    nonsense = [statuses(client, API, 1, **through("who, me? " * 50))[0] for _ in range(6)]
    assert nonsense == [200] * 4 + [429] * 2


def test_hosts_count_together_through_a_redis(settings: AppSettings, tmp_path: Path) -> None:
    with running_redis(tmp_path) as url:
        one, other = (limited(settings, cache_url=url).test_client() for _ in range(2))
        assert statuses(one, API, 3) == [200] * 3
        assert statuses(other, API, 3) == [200, 429, 429]
        assert one.get(API).status_code == 429


def test_without_its_redis_a_worker_counts_alone(settings: AppSettings, tmp_path: Path) -> None:
    with running_redis(tmp_path) as url:
        client = limited(settings, cache_url=url).test_client()
        assert statuses(client, API, 1) == [200]
    assert statuses(client, API, 6) == [200] * 4 + [429] * 2


def test_a_clock_that_is_set_back_locks_nobody_out(settings: AppSettings) -> None:
    client = limited(settings).test_client()
    now = time.time()
    with time_machine.travel(now + 86_400, tick=True):
        assert statuses(client, API, 5)[-1] == 429
    response = client.get(API)
    assert response.status_code == 200
    assert statuses(client, API, 4) == [200, 200, 200, 429]
    assert 1 <= int(client.get(API).headers["Retry-After"]) <= 60


def test_every_view_says_what_it_costs(app: Flask) -> None:
    forgotten = [
        rule for rule in app.url_map.iter_rules() if not cost_of(app.view_functions[rule.endpoint])
    ]
    assert forgotten == []


def test_a_view_that_was_forgotten_has_the_limit_of_pages(settings: AppSettings) -> None:
    app = limited(settings)
    app.add_url_rule("/forgotten", view_func=lambda: "here")
    assert statuses(app.test_client(), "/forgotten", 5) == [200, 200, 200, 200, 429]


def test_what_costs_nothing_is_asked_by_machines(app: Flask) -> None:
    free = {name for name, view in app.view_functions.items() if cost_of(view) is Cost.NOTHING}
    assert free == PROBE_ENDPOINTS | {"static"}


def test_what_reads_a_list_costs_a_list(app: Flask) -> None:
    """Every address of a user, every query with a username, and whatever has a list sent to it."""
    found = [rule for rule in app.url_map.iter_rules() if "username" in rule.arguments]
    # What a player is told of a fan's catalogues is the same for all fans.
    found = [rule for rule in found if rule.endpoint != "players.get_manifest"]
    assert len(found) >= 4
    assert {cost_of(app.view_functions[rule.endpoint]) for rule in found} == {Cost.LIST}
    addresses = app.url_map.bind("localhost")
    paths = app.test_client().get(API).get_json()["paths"]
    asked = [
        addresses.match(path.replace("{anime_id}", "1"), method=method.upper())[0]
        for path, methods in paths.items()
        for method, operation in methods.items()
        if method == "post"
        or any("username" in each["name"] for each in operation.get("parameters", ()))
    ]
    assert len(asked) >= 4
    assert {cost_of(app.view_functions[endpoint]) for endpoint in asked} == {Cost.LIST}
    posted = [rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())]
    assert {cost_of(app.view_functions[rule.endpoint]) for rule in posted} == {Cost.LIST}


def test_counts_of_windows_that_ended_are_dropped() -> None:
    counts = MemoryCounts()
    with time_machine.travel(NOON, tick=False) as clock:
        assert [counts.incr("old", 10, 2), counts.incr("old", 10)] == [2, 3]
        assert counts.get_expiry("old") == time.time() + 10
        clock.shift(60)
        assert counts.get("old") == 0
        assert counts.incr("new", 10) == 1
        assert counts.reset() == 1
        assert counts.get("new") == 0
