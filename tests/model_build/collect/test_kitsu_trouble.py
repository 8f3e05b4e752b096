"""What goes wrong on Kitsu while it is collected from: counted, told, survived, nothing lost."""

from __future__ import annotations

import random
from dataclasses import replace

import polars as pl
import pytest
from filelock import FileLock

from demo.data import EntryKind
from demo.faults import Fault
from demo.http_server import FakeResponse, json_response
from demo.kitsu_users import FIRST_USER_ID, DemoKitsuUser, FaultPlan, make_kitsu_user
from model_build.collect.client import MAX_CONSECUTIVE_FAILURES
from model_build.util.errors import InputError
from tests.model_build.collect.crowds import Collector, by_number, crowd_of, listed, ordinary


def troubled(place: int, fault: Fault) -> DemoKitsuUser:
    return replace(ordinary(place), user=replace(ordinary(place).user, fault=fault))


def test_libraries_that_give_nothing(collect: Collector) -> None:
    collect.upstream.data.kitsu_users = crowd_of(
        30,
        troubled(3, Fault.PRIVATE),
        make_kitsu_user(5, minutes_watched=65),
        *map(make_kitsu_user, (6, 7, 8)),
    )
    found = collect(27)
    assert found.tally == {
        "users with a private library": 1,
        "users with an empty library": 1,
        "users with no time and no ratings": 3,
        "favourites in no library": 2,
    }
    assert len(found.users) == 27
    # Favourites are public nevertheless; Kitsu's ids of these two stand in other libraries.
    mine = found.interactions.filter(pl.col("user_id") == by_number(found.users)[FIRST_USER_ID + 3])
    assert mine.select("status", "favourite").rows() == [(0, True), (0, True)]
    collect.upstream.requests.clear()
    collect(27)
    assert collect.upstream.requests == []


def test_entries_that_are_no_anime(collect: Collector) -> None:
    odd = [
        listed(101, kind=EntryKind.DELETED),
        listed(102, kind=EntryKind.BARE),
        listed(103, kind=EntryKind.MANGA),
        listed(104, kind=EntryKind.MANGA),
        replace(listed(105), anime_id=None),
        listed(106, status="binged"),
        listed(107, score=10),
    ]
    collect.upstream.data.kitsu_users = crowd_of(1, make_kitsu_user(0, odd, minutes_watched=60))
    found = collect(1)
    assert found.tally == {
        "entries whose anime MyAnimeList does not have": 1,
        "entries whose anime is deleted": 1,
        "entries with a status that is not known": 1,
        "entries without an anime": 1,
        "manga entries": 2,
    }
    assert found.interactions.select("anime_id", "status", "rating").rows() == [
        (106, 0, 7),
        (107, 3, 10),
    ]


@pytest.mark.parametrize(("length", "removed"), [(1_100, 1), (1_100, 30), (501, 2), (501, 450)])
def test_a_library_that_shifts_is_read_until_nothing_is_missing(
    collect: Collector, length: int, removed: int
) -> None:
    long = make_kitsu_user(
        0, [listed(number) for number in range(1, length + 1)], minutes_watched=60
    )
    trouble = FaultPlan(shifting_ids=[FIRST_USER_ID], removed_entries=removed)
    collect.upstream.data.kitsu_users = crowd_of(1, long, trouble=trouble)
    found = collect(1)
    # The first were still there when their page was read; none behind them was skipped.
    assert found.interactions["anime_id"].to_list() == list(range(1, length + 1))
    assert found.tally == {"libraries that shifted while they were read": 1}


def test_a_long_library_takes_no_more_pages_than_it_has(collect: Collector) -> None:
    long = make_kitsu_user(0, [listed(number) for number in range(1, 1_101)], minutes_watched=60)
    collect.upstream.data.kitsu_users = crowd_of(1, long)
    assert len(collect(1).interactions) == 1_100
    offsets = [what for kind, what in collect.asked() if kind == "library-entries"]
    assert offsets == [f"{FIRST_USER_ID}@{offset}" for offset in (0, 499, 998)]


def test_pages_without_end(collect: Collector) -> None:
    collect.upstream.data.kitsu_users = crowd_of(4, troubled(2, Fault.ENDLESS))
    found = collect(4)
    assert found.tally == {"pages that repeat others": 1}
    assert len(found.interactions) == sum(len(ordinary(place).user.entries) for place in range(4))


def test_pages_of_users_that_shift(collect: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.kitsu_users.PAGES_PER_NEW_USER", 1)
    collect.upstream.data.kitsu_users = crowd_of(100, trouble=FaultPlan(add_new_users=True))
    found = collect(100)
    assert found.users["life_spent_on_anime"].n_unique() == len(found.users) > 80
    assert found.tally["users seen again on a page that shifted"] == 100 - len(found.users)


def test_now_and_then_an_error(collect: Collector) -> None:
    collect.upstream.data.kitsu_users = crowd_of(40, trouble=FaultPlan(failing_every=9))
    found = collect(40)
    assert collect.traffic.server_errors > 3
    assert found.interactions["user_id"].n_unique() == 40
    assert not found.tally


@pytest.mark.parametrize("fault", [Fault.FLAKY, Fault.RECOVERING])
def test_trouble_that_passes(collect: Collector, fault: Fault) -> None:
    collect.upstream.data.kitsu_users = crowd_of(4, troubled(2, fault))
    found = collect(4)
    assert found.interactions["user_id"].n_unique() == 4
    assert not found.tally


@pytest.mark.parametrize("fault", [Fault.GARBLED, Fault.WEB_PAGE, Fault.CHALLENGE, Fault.GATEWAY])
def test_a_library_that_cannot_be_read_is_read_in_a_later_run(
    collect: Collector, fault: Fault
) -> None:
    collect.upstream.data.kitsu_users = crowd_of(4, troubled(2, fault))
    found = collect(4)
    assert found.tally["users whose library could not be read yet"] == 1
    assert sum(collect.traffic.failure_reasons.values()) == 2  # it was tried again at the end
    assert found.interactions.filter(pl.col("status") > 0)["user_id"].n_unique() == 3
    collect.upstream.data.kitsu_users = crowd_of(4)
    collect.upstream.requests.clear()
    found = collect(4)
    assert list(collect.asked()) == [("library-entries", f"{FIRST_USER_ID + 2}@0")]
    assert not found.tally


def limited(**headers: str) -> FakeResponse:
    return json_response(429, {"errors": [{"status": 429}]}, **headers)


def test_429_for_minutes_is_waited_for(collect: Collector) -> None:
    collect.upstream.data.kitsu_users = crowd_of(10)
    collect.upstream.queued_responses["kitsu"] = [
        limited(**{"Retry-After": "61"}) for _ in range(7)
    ]
    found = collect(10)
    assert collect.waits == [61] * 7
    assert (collect.traffic.rate_limited, collect.traffic.seconds_waited) == (7, 427)
    assert found.interactions["user_id"].n_unique() == 10


def test_429_without_a_word_is_waited_for_longer_and_longer(collect: Collector) -> None:
    collect.upstream.data.kitsu_users = crowd_of(10)
    collect.upstream.queued_responses["kitsu"] = [limited() for _ in range(6)]
    collect(10)
    assert collect.waits == [5, 10, 20, 40, 60, 60]


def test_rest_is_given_up_to_a_limit(
    collect: Collector, capsys: pytest.CaptureFixture[str]
) -> None:
    collect.upstream.data.kitsu_users = crowd_of(4, troubled(2, Fault.LIMITED))  # Retry-After: 41
    said = collect.fails(capsys, 4, "--patience", "40")
    assert said == (
        "model_build collect: Kitsu wants fewer requests, and still does after 0 s: what came is "
        "kept; run the same command again later, perhaps with a lower --rate."
    )
    assert [file.name for file in collect.out.iterdir()] == ["raw"]
    collect.upstream.data.kitsu_users = crowd_of(4)
    collect(4)
    twice = {what for what, times in collect.asked().items() if times > 1}
    assert twice == {("library-entries", f"{FIRST_USER_ID + 2}@0")}


def test_a_service_that_is_gone(collect: Collector) -> None:
    """Many users fail one after the other: it is not them."""
    collect.upstream.data.kitsu_users = crowd_of(
        60, *(troubled(place, Fault.WEB_PAGE) for place in range(60))
    )
    with pytest.raises(
        InputError, match=rf"Kitsu has failed {MAX_CONSECUTIVE_FAILURES} times in a row"
    ):
        collect(60)
    assert sum(collect.waits) > 600
    collect.upstream.data.kitsu_users = crowd_of(60)
    assert collect(60).interactions["user_id"].n_unique() == 60


def test_being_shut_out_is_not_taken_for_private_libraries(collect: Collector) -> None:
    collect.upstream.data.kitsu_users = crowd_of(
        60, *(troubled(place, Fault.PRIVATE) for place in range(60))
    )
    with pytest.raises(
        InputError, match=rf"refused {MAX_CONSECUTIVE_FAILURES} libraries in a row \(HTTP 403\)"
    ):
        collect(60)
    collect.upstream.data.kitsu_users = crowd_of(60)
    refusal = json_response(400, {"errors": [{"detail": "review is not a valid relationship"}]})
    collect.upstream.queued_responses["kitsu"] = [refusal] * (
        2 * MAX_CONSECUTIVE_FAILURES
    )  # both ways to ask
    with pytest.raises(
        InputError, match=rf"refused {MAX_CONSECUTIVE_FAILURES} libraries in a row \(HTTP 400\)"
    ):
        collect(60)
    found = collect(60)
    assert not found.tally
    assert found.interactions["user_id"].n_unique() == 60


def test_a_page_of_users_that_never_comes_is_given_up(collect: Collector) -> None:
    """Users are drawn from other pages instead: in later runs the same ones."""
    pages = list(range(5))
    random.Random(0).shuffle(pages)
    collect.upstream.data.kitsu_users = crowd_of(
        100, trouble=FaultPlan(broken_offsets=[20 * pages[1]])
    )
    found = collect(60)
    assert found.tally == {"user pages given up": 1}
    drawn = [60 + 20 * page + at for page in (pages[0], *pages[2:4]) for at in range(20)]
    assert found.users["life_spent_on_anime"].to_list() == drawn
    collect.upstream.data.kitsu_users = crowd_of(100)
    collect.upstream.requests.clear()
    again = collect(60)
    assert collect.upstream.requests == []
    assert again.interactions.equals(found.interactions)


def test_a_page_of_users_that_is_needed_is_tried_in_the_next_run(collect: Collector) -> None:
    collect.upstream.data.kitsu_users = crowd_of(100, trouble=FaultPlan(broken_offsets=[40]))
    assert len(collect(100).users) == 80
    collect.upstream.data.kitsu_users = crowd_of(100)
    assert len(collect(100).users) == 100


def test_a_server_that_knows_less(collect: Collector) -> None:
    """What it refuses to include is asked for otherwise, or done without; and refused once."""
    crowd = collect.upstream.data.kitsu_users = crowd_of(60, strict=True, include_favourites=False)
    found = collect(60)
    interactions = found.interactions
    assert interactions["user_id"].n_unique() == 60
    assert interactions["favourite"].sum() == 2 * len(crowd)
    assert not interactions["reviewed"].any()
    assert found.tally == {
        "kinds of requests that Kitsu refused in full (library-entries)": 1,
        "kinds of requests that Kitsu refused in full (users)": 1,
    }
    kinds = [kind for kind, _ in collect.asked().elements()]
    assert (kinds.count("users"), kinds.count("library-entries")) == (3 + 1, 60 + 1)


def test_no_users_at_all(collect: Collector, capsys: pytest.CaptureFixture[str]) -> None:
    collect.upstream.data.kitsu_users = crowd_of(3, *map(make_kitsu_user, range(3)))
    assert "no user with time spent" in collect.fails(capsys, 3)
    assert [file.name for file in collect.out.iterdir()] == ["raw"]


def test_fewer_users_than_wanted(collect: Collector) -> None:
    collect.upstream.data.kitsu_users = crowd_of(25)
    assert len(collect(1_000).users) == 25


def test_a_wrong_address(
    collect: Collector, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAKKEN_KITSU_URL", collect.upstream.base_url("kitsu") + "/elsewhere")
    assert "HAKKEN_KITSU_URL" in collect.fails(capsys, 3)
    monkeypatch.setenv("HAKKEN_KITSU_URL", collect.upstream.base_url("kitsu"))
    collect.upstream.data.kitsu_users = crowd_of(3, *map(make_kitsu_user, range(3)))
    assert "no user with time spent" in collect.fails(capsys, 3)
    # The folder now belongs to the address that has answered, and to the seed.
    assert "was collected with seed 0, not 1" in collect.fails(capsys, 3, "--seed", "1")


def test_two_at_once_are_refused(collect: Collector, capsys: pytest.CaptureFixture[str]) -> None:
    (collect.out / "raw").mkdir(parents=True)
    with FileLock(collect.out / "raw" / ".lock"):
        assert "another process is collecting" in collect.fails(capsys, 3)
    assert collect.upstream.requests == []
