"""What every source does alike, through the demo services: pages, errors, statuses, scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from app.lists import anilist, jikan, kitsu, myanimelist, shikimori
from app.lists.entry import AnimeList
from app.lists.errors import (
    BadUsername,
    EmptyList,
    ListError,
    ListTooLong,
    NotFoundOrPrivate,
    PrivateList,
    RateLimited,
    SourceDown,
    Trouble,
    UnknownUser,
)
from app.lists.http_client import HttpLimits, SourceClient, create_session
from app.lists.reader import ListReader
from app.recommender.watch_status import WatchStatus
from demo.data import DemoEntry
from demo.fake_upstream import FakeUpstream
from demo.faults import Fault
from demo.http_server import FakeResponse, json_response
from demo.services import kitsu as demo_kitsu
from demo.services import mal as demo_mal
from tests.lists import scenarios

QUICK = HttpLimits(backoff_factor=0, read_timeout=30)


@dataclass(frozen=True)
class Service:
    """One service: its module, its place in the demo, and what only it does."""

    place: str
    reader: Callable[..., ListReader]
    name: str
    slug: str
    private: type[ListError] = PrivateList
    unknown: type[ListError] = UnknownUser
    score: str = "score"


SERVICES = [
    Service("mal", partial(myanimelist.MalReader, client_id="key"), "MyAnimeList", "myanimelist"),
    Service(
        "mal-web",
        myanimelist.MalPagesReader,
        "MyAnimeList",
        "myanimelist",
        private=NotFoundOrPrivate,
        unknown=NotFoundOrPrivate,
    ),
    Service("anilist", partial(anilist.AniListReader, anilist_to_mal={}), "AniList", "anilist"),
    Service(
        "kitsu", partial(kitsu.KitsuReader, kitsu_to_mal={}), "Kitsu", "kitsu", score="ratingTwenty"
    ),
    Service("jikan", jikan.JikanReader, "Jikan", "jikan", private=NotFoundOrPrivate),
    Service("jikan-3", jikan.JikanReader, "Jikan", "jikan", private=NotFoundOrPrivate),
    Service("shikimori", shikimori.ShikimoriReader, "Shikimori", "shikimori"),
]
Fetch = Callable[..., AnimeList]


@pytest.fixture(params=SERVICES, ids=lambda service: service.place)
def service(request: pytest.FixtureRequest) -> Service:
    found: Service = request.param
    return found


@pytest.fixture
def fetch(service: Service, upstream: FakeUpstream) -> Iterator[Fetch]:
    with create_session("1.2", None) as session:

        def call(username: str, *, limits: HttpLimits = QUICK, **options: Any) -> AnimeList:
            client = SourceClient(service.name, session, limits)
            base = upstream.base_url(service.place)
            return service.reader(client=client, base_url=base, **options).read(username)

        yield call


def test_reads_a_list(service: Service, fetch: Fetch, upstream: FakeUpstream) -> None:
    upstream.add_user(
        "Someone",
        [
            DemoEntry(1, 9, "completed"),
            DemoEntry(2, 0, "watching"),
            DemoEntry(3, 5, "on_hold"),
            DemoEntry(4, 1, "dropped"),
            DemoEntry(6, 0, "plan_to_watch"),
            DemoEntry(8, 10, "watching", rewatching=True),
            DemoEntry(9, 7, "something_new"),
        ],
    )
    fans = fetch("someone")
    assert (fans.source, fans.unmapped, fans.age) == (service.slug, 0, 0)
    assert fans.username in ("Someone", "someone")
    assert [(e.anime_id, e.status, e.score, e.title) for e in fans.entries] == [
        (1, WatchStatus.COMPLETED, 9.0, "Title 1"),
        (2, WatchStatus.WATCHING, None, "Title 2"),
        (3, WatchStatus.ON_HOLD, 5.0, "Title 3"),
        (4, WatchStatus.DROPPED, 1.0, "Title 4"),
        (6, WatchStatus.PLAN_TO_WATCH, None, "Title 6"),
        (8, WatchStatus.COMPLETED, 10.0, "Title 8"),
        (9, WatchStatus.UNKNOWN, 7.0, "Title 9"),
    ]


def test_reads_all_pages(fetch: Fetch, upstream: FakeUpstream) -> None:
    upstream.add_user("Someone", [DemoEntry(n, score=5) for n in range(1, 5_502)])
    fans = fetch("Someone")
    assert [entry.anime_id for entry in fans.entries] == list(range(1, 5_502))
    assert {asked.headers["user-agent"] for asked in upstream.requests} == {"Hakken/1.2"}


@pytest.mark.parametrize("count", [299, 300, 301, 500, 1_000])
def test_reads_lists_that_end_with_a_page(fetch: Fetch, upstream: FakeUpstream, count: int) -> None:
    upstream.add_user("Someone", [DemoEntry(n, score=5) for n in range(1, count + 1)])
    assert len(fetch("Someone").entries) == count


def test_a_list_that_is_too_long(fetch: Fetch) -> None:
    with pytest.raises(ListTooLong) as caught:
        fetch(scenarios.HUGE_USER)
    assert caught.value.limit == 20_000


def test_pages_without_end_come_to_an_end(fetch: Fetch, upstream: FakeUpstream) -> None:
    assert fetch(scenarios.named(Fault.ENDLESS)).entries
    assert len(upstream.requests) <= 4


def test_nobody_and_nothing(service: Service, fetch: Fetch) -> None:
    with pytest.raises(service.unknown) as caught:
        fetch("Nobody99")
    assert type(caught.value) is service.unknown
    with pytest.raises(EmptyList):
        fetch(scenarios.EMPTY_USER)


DOWN = [
    Fault.DOWN,
    Fault.GATEWAY,
    Fault.CHALLENGE,
    Fault.WEB_PAGE,
    Fault.MISSING_PAGE,
    Fault.GARBLED,
    Fault.CUT,
    Fault.DROPPED,
    Fault.MOVED,
    Fault.LOOPING,
    Fault.WRONG_TYPES,
    Fault.FIELDLESS,
]


@pytest.mark.parametrize("fault", DOWN)
def test_a_sick_service_is_never_an_unknown_user(
    service: Service, fetch: Fetch, fault: Fault
) -> None:
    name = scenarios.named(fault)
    with pytest.raises(ListError) as caught:
        fetch(name)
    error = caught.value
    assert type(error) is SourceDown
    assert (error.source, error.username) == (service.name, name)
    assert error.detail
    expected = {
        Fault.WRONG_TYPES: Trouble.MALFORMED,
        Fault.FIELDLESS: Trouble.MALFORMED,
        Fault.CHALLENGE: Trouble.REFUSED,
    }
    assert error.trouble is expected.get(fault, Trouble.BROKEN)


@pytest.mark.parametrize(
    ("fault", "said"),
    [(Fault.FIELDLESS, "Field required"), (Fault.WRONG_TYPES, "should be a valid number")],
)
def test_the_log_learns_what_was_missing(
    service: Service, fetch: Fetch, fault: Fault, said: str
) -> None:
    with pytest.raises(SourceDown) as caught:
        fetch(scenarios.named(fault))
    assert f"{service.score}: " in caught.value.detail
    assert said in caught.value.detail


@pytest.mark.parametrize("fault", [Fault.SLOW, Fault.HANGING])
def test_a_slow_service_is_given_up(fetch: Fetch, fault: Fault) -> None:
    with pytest.raises(SourceDown) as caught:
        fetch(scenarios.named(fault), limits=HttpLimits(read_timeout=0.05))
    assert caught.value.trouble is Trouble.TIMED_OUT


def test_a_dripping_answer_ends_at_the_deadline(fetch: Fetch) -> None:
    with pytest.raises(SourceDown) as caught:
        fetch(scenarios.DRIPPING, deadline_s=0.3)
    assert caught.value.trouble is Trouble.TIMED_OUT


def test_the_log_does_not_learn_whose_list_it_was(service: Service) -> None:
    with FakeUpstream() as gone:
        base = gone.base_url(service.place)
    with create_session("1.2", None) as session:
        client = SourceClient(service.name, session, QUICK)
        with pytest.raises(SourceDown) as caught:
            service.reader(client=client, base_url=base).read("Someone77")
    assert "ConnectionError" in caught.value.detail
    assert "omeone77" not in caught.value.detail


@pytest.mark.parametrize("fault", [Fault.FLAKY, Fault.RECOVERING])
def test_what_passes_by_itself_is_waited_out(fetch: Fetch, fault: Fault) -> None:
    assert fetch(scenarios.named(fault)).entries


def test_a_private_list(service: Service, fetch: Fetch) -> None:
    with pytest.raises(ListError) as caught:
        fetch(scenarios.PRIVATE)
    assert type(caught.value) is service.private


def test_rate_limits(fetch: Fetch) -> None:
    with pytest.raises(RateLimited) as caught:
        fetch(scenarios.RATE_LIMITED)
    assert caught.value.retry_after == 41
    with pytest.raises(RateLimited) as caught:
        fetch(scenarios.named(Fault.LIMITED_SILENTLY))
    assert caught.value.retry_after is None


@pytest.mark.parametrize("typed", ["", " ", ".", "..", "a/b", "a?b", "a#b", "a%2fb", "a\nb", "a,b"])
def test_names_that_would_lead_elsewhere_are_not_asked_for(
    service: Service, fetch: Fetch, upstream: FakeUpstream, typed: str
) -> None:
    if service.place == "kitsu" and typed.strip(".\n ") and "\n" not in typed:
        # Such names are allowed there; they stand in no path.
        with pytest.raises(UnknownUser):
            fetch(typed)
        assert {request.path for request in upstream.requests} == {"/kitsu/api/edge/users"}
        return
    with pytest.raises(BadUsername):
        fetch(typed)
    assert not upstream.requests


ODD = scenarios.named(Fault.ODD_ROWS)


def test_an_odd_row_loses_no_other(fetch: Fetch, upstream: FakeUpstream) -> None:
    rows = [DemoEntry(n, 7 if n in (2, 700) else 8) for n in range(1, 702)]
    upstream.data.add_user(ODD, rows, Fault.ODD_ROWS)
    fans = fetch(ODD)
    assert {entry.anime_id for entry in fans.entries} == {*range(1, 702)} - {2, 700}
    assert fans.unmapped == 2


def test_an_odd_last_page_loses_no_other(fetch: Fetch, upstream: FakeUpstream) -> None:
    # 5,001 is on a page of its own on most sites, whose pages are of 300, 500, 1,000 and 5,000.
    rows = [DemoEntry(n, 7 if n == 5_001 else 5) for n in range(1, 5_002)]
    upstream.data.add_user(ODD, rows, Fault.ODD_ROWS)
    fans = fetch(ODD)
    # Shikimori sends the first row of a page at the end of the one before, too.
    assert (len(fans.entries), fans.unmapped) in {(5_000, 1), (5_000, 2)}


def test_a_list_of_odd_rows_is_not_understood(fetch: Fetch, upstream: FakeUpstream) -> None:
    upstream.data.add_user(ODD, [DemoEntry(n, 7) for n in range(1, 4)], Fault.ODD_ROWS)
    with pytest.raises(SourceDown) as caught:
        fetch(ODD)
    assert caught.value.trouble is Trouble.MALFORMED


def use(service: str) -> Any:
    """Run a test for one service only."""
    (found,) = [each for each in SERVICES if each.place == service]
    return pytest.mark.parametrize("service", [found], ids=[service], indirect=True)


@use("mal")
def test_myanimelist_is_asked_as_it_wants(fetch: Fetch, upstream: FakeUpstream) -> None:
    upstream.add_user("Some-One_1", [DemoEntry(n, score=5) for n in range(1, 1_002)])
    fans = fetch("https://myanimelist.net/animelist/Some-One_1?status=7")
    first, second = upstream.requests
    assert first.path == second.path == "/mal/v2/users/Some-One_1/animelist"
    assert first.headers["x-mal-client-id"] == second.headers["x-mal-client-id"] == "key"
    asked = dict(first.query)
    assert asked.pop("fields").startswith("list_status{status,score")
    assert asked == {"nsfw": "true", "limit": "1000", "offset": "0"}
    assert second.query == {**first.query, "offset": "1000"}
    assert len(fans.details) == 1_001
    assert fans.details[0].synopsis == "What it is about."
    assert fans.details[0].picture == "https://cdn.myanimelist.net/images/anime/0/1.jpg"
    assert fans.details[6].picture is None


@pytest.mark.parametrize("fault", [Fault.FOREIGN_NEXT])
@pytest.mark.parametrize("service", [SERVICES[0], SERVICES[3]], ids=["mal", "kitsu"], indirect=True)
def test_the_next_page_is_only_asked_of_the_same_host(fetch: Fetch, fault: Fault) -> None:
    with pytest.raises(SourceDown) as caught:
        fetch(scenarios.named(fault))
    assert "leads to another host" in caught.value.detail


@use("mal")
def test_the_official_address_of_a_next_page_stands_for_ours(
    fetch: Fetch, upstream: FakeUpstream
) -> None:
    upstream.add_user("Someone", [DemoEntry(n) for n in range(1, 1_002)])
    row = demo_mal.entry_json(DemoEntry(5_000))
    following = f"{myanimelist.BASE_URL}/users/Someone/animelist?offset=1000"
    upstream.queued_responses["mal"] = [
        json_response(200, {"data": [row], "paging": {"next": following}})
    ]
    assert [entry.anime_id for entry in fetch("Someone").entries] == [5_000, 1_001]
    # What the next page does not say itself stays as it was.
    assert upstream.requests[1].query == {**upstream.requests[0].query, "offset": "1000"}


@use("mal")
def test_myanimelist_turns_hakken_away(fetch: Fetch, upstream: FakeUpstream) -> None:
    with pytest.raises(RateLimited):
        fetch(scenarios.DISABLED)
    with pytest.raises(PrivateList, match="turning Hakken away"):
        fetch(scenarios.PRIVATE)
    for status, code in ((400, "bad_request"), (401, "invalid_token")):
        upstream.queued_responses["mal"] = [json_response(status, {"error": code, "message": ""})]
        with pytest.raises(SourceDown) as caught:
            fetch("Someone")
        assert caught.value.detail == f"HTTP {status}: {code}"


@use("mal-web")
def test_list_pages_are_asked_as_they_want(fetch: Fetch, upstream: FakeUpstream) -> None:
    upstream.add_user(
        "Someone", [DemoEntry(n, name="1984" if n == 1 else None) for n in range(1, 451)]
    )
    assert fetch("Someone").entries[0].title == "1984"
    assert {asked.path for asked in upstream.requests} == {"/mal-web/animelist/Someone/load.json"}
    assert [asked.query for asked in upstream.requests] == [
        {"offset": "0", "status": "7"},
        {"offset": "300", "status": "7"},
    ]


@use("kitsu")
def test_kitsu_is_asked_as_it_wants(fetch: Fetch, upstream: FakeUpstream) -> None:
    fan = upstream.add_user("Someone", [DemoEntry(n) for n in range(1, 502)])
    assert fetch("https://kitsu.app/users/someone/library").username == "Someone"
    who, first, second = upstream.requests
    assert (who.path, who.query["filter[name]"]) == ("/kitsu/api/edge/users", "someone")
    assert first.path == second.path == "/kitsu/api/edge/library-entries"
    assert first.query["filter[userId]"] == str(fan.user_id)
    assert first.query["filter[kind]"] == "anime"
    assert first.query["include"] == "anime,anime.mappings"
    assert (first.query["page[limit]"], first.query["page[offset]"]) == ("500", "0")
    assert second.query == {**first.query, "page[offset]": "500"}
    assert {asked.headers["accept"] for asked in upstream.requests} == {"application/vnd.api+json"}


@use("kitsu")
def test_kitsu_ids_become_myanimelists(fetch: Fetch, upstream: FakeUpstream) -> None:
    upstream.add_user(
        "Someone",
        [
            DemoEntry(100, 8, media_id=1),
            DemoEntry(None, 9, media_id=2),
            DemoEntry(None, media_id=3),
            DemoEntry(100, 2, media_id=4),
        ],
    )
    fans = fetch("Someone", kitsu_to_mal={1: 999, 2: 200})
    assert [(entry.anime_id, entry.score) for entry in fans.entries] == [(100, 8.0), (200, 9.0)]
    assert fans.unmapped == 1


@use("kitsu")
def test_kitsu_junk_in_mappings_is_ignored(fetch: Fetch, upstream: FakeUpstream) -> None:
    upstream.add_user("Someone", [])
    records = demo_kitsu.included_json(DemoEntry(7, media_id=1))
    records[2]["attributes"]["externalId"] = "junk"
    odd = {"id": "9", "type": "anime", "attributes": {}, "relationships": {"mappings": []}}
    body = {"data": [demo_kitsu.entry_json(DemoEntry(7, media_id=1))], "included": [*records, odd]}
    who = json_response(200, {"data": [{"id": "1", "attributes": {"name": "Someone"}}]})
    upstream.queued_responses["kitsu"] = [who, json_response(200, body)]
    fans = fetch("Someone")
    assert (fans.entries, fans.unmapped) == ((), 1)


@use("kitsu")
def test_kitsu_users_by_name_and_slug_and_never_by_number(
    fetch: Fetch, upstream: FakeUpstream
) -> None:
    fan = upstream.add_user("Someone", [DemoEntry(5)])
    with pytest.raises(UnknownUser):
        fetch(str(fan.user_id))
    namesake = upstream.add_user(str(fan.user_id), [DemoEntry(6)])
    assert fetch(namesake.name).entries[0].anime_id == 6
    two = [
        {"id": "x", "attributes": {"name": "SOMEONE", "slug": "other"}},
        {"id": str(fan.user_id), "attributes": {"name": "Someone", "slug": "someone"}},
    ]
    upstream.queued_responses["kitsu"] = [json_response(200, {"data": two})]
    assert fetch("Someone").entries[0].anime_id == 5
    by_slug = {"id": fan.user_id, "attributes": {"name": "Some One", "slug": "some1"}}
    upstream.queued_responses["kitsu"] = [
        json_response(200, {"data": []}),
        json_response(200, {"data": [by_slug]}),
    ]
    assert fetch("some1").username == "Some One"
    assert upstream.requests[-2].query["filter[slug]"] == "some1"


@use("jikan")
def test_jikan_4_is_asked_as_it_wants(fetch: Fetch, upstream: FakeUpstream) -> None:
    fetch(scenarios.LONG_USER)
    assert {asked.path for asked in upstream.requests} == {"/jikan/v4/users/LongFan/animelist"}
    assert [asked.query["page"] for asked in upstream.requests] == [str(n) for n in range(1, 7)]


@use("jikan-3")
def test_jikan_3_is_asked_as_it_wants(fetch: Fetch, upstream: FakeUpstream) -> None:
    fetch(scenarios.LONG_USER)
    expected = [f"/jikan/v3/user/LongFan/animelist/all/{page}" for page in range(1, 7)]
    assert [asked.path for asked in upstream.requests] == expected


@use("jikan")
def test_a_jikan_without_lists_is_down(fetch: Fetch, upstream: FakeUpstream) -> None:
    with pytest.raises(SourceDown):
        fetch(scenarios.NO_LISTS)
    upstream.queued_responses["jikan"] = [FakeResponse(410, b"")]
    with pytest.raises(SourceDown):
        fetch("Someone")
    upstream.queued_responses["jikan"] = [
        json_response(403, {"type": "HttpError", "message": "private"})
    ]
    with pytest.raises(PrivateList):
        fetch("Someone")


@use("shikimori")
def test_shikimori_is_asked_as_it_wants(fetch: Fetch, upstream: FakeUpstream) -> None:
    upstream.add_user("Some One", [DemoEntry(n) for n in range(1, 5_002)])
    assert len(fetch("Some One").entries) == 5_001
    first, second = upstream.requests
    assert first.path == "/shikimori/api/users/Some%20One/anime_rates"
    assert (first.query, second.query) == (
        {"limit": "5000", "page": "1", "is_nickname": "1"},
        {"limit": "5000", "page": "2", "is_nickname": "1"},
    )


@use("shikimori")
def test_a_name_of_digits_is_no_number_on_shikimori(fetch: Fetch, upstream: FakeUpstream) -> None:
    stranger = upstream.add_user("Stranger", [DemoEntry(1)])
    for name in (str(stranger.user_id), f"{stranger.user_id}th"):
        upstream.add_user(name, [DemoEntry(2), DemoEntry(3)])
        assert [entry.anime_id for entry in fetch(name).entries] == [2, 3]


@use("kitsu")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("鋼の錬金術師", "鋼の錬金術師"),
        ("a/b?c#d%2f", "a/b?c#d%2f"),
        ("Ano, Hana", '"Ano, Hana"'),
        ('The "One"', '"The ""One"""'),
        ("☆彡 (-_-)", "☆彡 (-_-)"),
    ],
)
def test_kitsu_is_asked_for_one_user_of_any_name(
    fetch: Fetch, upstream: FakeUpstream, name: str, value: str
) -> None:
    with pytest.raises(UnknownUser):
        fetch(name)
    (asked,) = upstream.requests
    assert asked.query["filter[name]"] == value


@use("shikimori")
@pytest.mark.parametrize("name", ["Ёжик в тумане", "a!b$c(d);e=f~", "2077", "鋼_の-錬.金"])
def test_names_on_shikimori_are_in_any_script(
    fetch: Fetch, upstream: FakeUpstream, name: str
) -> None:
    upstream.add_user(name, [DemoEntry(5)])
    assert [entry.anime_id for entry in fetch(name).entries] == [5]


@pytest.mark.parametrize(
    ("module", "typed", "name"),
    [
        (myanimelist, "https://myanimelist.net/profile/Some-One", "Some-One"),
        (myanimelist, "@Some_One", "Some_One"),
        (kitsu, "kitsu.io/users/someone", "someone"),
        (kitsu, " Some One ", "Some One"),
        (shikimori, "https://shikimori.one/Some%20One", "Some One"),
        (shikimori, "https://shikimori.io/Someone/list/anime", "Someone"),
        (jikan, "https://myanimelist.net/animelist/Someone", "Someone"),
    ],
)
def test_names_may_be_pasted(module: Any, typed: str, name: str) -> None:
    assert module.USERNAME_RULE.clean_username(typed) == name
