"""``python -m demo``, as ``scripts/serve --demo`` runs it."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from app.settings import PROJECT_ROOT, AppSettings, load_settings
from demo.demo_users import DEMO_USERS, make_demo_data
from demo.fake_upstream import FakeUpstream
from demo.faults import Fault
from demo.from_ratings import RatingsKitsuUsers
from demo.services import SERVICES


def test_it_says_how_to_be_asked_and_answers(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ratings = tmp_path / "ratings.csv"
    ratings.write_text("user_id,anime_id,rating\n1,1,9\n2,1,8\n")
    command = [sys.executable, "-m", "demo", "--model", str(tiny_model), "--ratings", str(ratings)]
    command += ["--public-url", "http://127.0.0.1:8000"]
    with subprocess.Popen(
        command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        settings = {}
        for line in process.stdout:
            if line == "# ready\n":
                break
            name, value = line.removeprefix("export ").strip().split("=", 1)
            (settings[name],) = shlex.split(value)
        url = f"{settings['HAKKEN_SHIKIMORI_URL']}/users/{next(iter(DEMO_USERS))}/anime_rates"
        rates = requests.get(url, headers={"User-Agent": "a test"}, timeout=10).json()
        users = requests.get(
            f"{settings['HAKKEN_KITSU_URL']}/users?page[limit]=20&page[offset]=0",
            headers={"Accept": "application/vnd.api+json"},
            timeout=10,
        ).json()
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate()
    assert process.returncode == 0
    assert rates[0]["anime"]["id"] > 0
    assert users["meta"] == {"count": 2}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    understood = load_settings()
    assert understood.cookie_secret, "fans can sign in"
    assert str(understood.anilist_web_url).startswith("http://127.0.0.1:")
    assert {fault.value for fault in Fault} <= set(re.findall(r"\w+", said))


def test_fans_of_a_ratings_file_are_users_of_kitsu(tiny_model: Path, tmp_path: Path) -> None:
    """Also with trouble, what is served is what stands in the file."""
    file = tmp_path / "ratings.csv"
    rows = "".join(
        f"{fan},{anime},{(fan + anime) % 11},2\n" for fan in range(60) for anime in (1, 5)
    )
    file.write_text("user_id,anime_id,rating,status\n" + rows)
    for troubled in (False, True):
        crowd = RatingsKitsuUsers(file, tiny_model, with_faults=troubled)
        assert len(crowd) == 60
        for place in (0, 7, 59):
            fan = crowd.user_at(place).user
            assert [entry.anime_id for entry in fan.entries] == [1, 5]
            assert [entry.score for entry in fan.entries] == [(place + 1) % 11, (place + 5) % 11]
            same = RatingsKitsuUsers(file, tiny_model, with_faults=troubled)
            assert crowd.user_at(place) == same.user_at(place)
        loved = crowd.user_at(9)
        assert [number for kind, number in loved.favourites if kind == "anime"]
    assert not crowd.user_at(3).minutes_watched  # never came back
    assert crowd.user_at(5).user.fault is Fault.PRIVATE


def test_every_service_has_its_setting() -> None:
    with FakeUpstream() as upstream:
        environment = upstream.environment()
    named = {name.removeprefix("HAKKEN_").lower() for name in environment}
    assert {name for name in AppSettings.model_fields if name.endswith("_url")} - {
        "public_url",
        "cache_url",
        "details_url",
    } <= named
    assert (
        len([value for value in environment.values() if value.startswith("http")])
        == len(SERVICES) - 1
    )


def test_made_up_fans_are_the_same_every_time(tiny_model: Path) -> None:
    one, other = make_demo_data(tiny_model), make_demo_data(tiny_model)
    for name in DEMO_USERS:
        fan = one.find_by_name(name)
        assert fan is not None
        assert fan == other.find_by_name(name)
        assert any(entry.score for entry in fan.entries)
