"""Files of the sites' own shapes, with made-up rows."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.lists.errors import BadFileReason, BadListFile, ListError, ListTooLong
from app.lists.files import read_list_file
from app.lists.files.entries import MAX_ENTRIES
from app.lists.files.unpack import MAX_TEXT_BYTES
from tests.lists.files.placed import read_placed, scores


def dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def anilist_row(number: int, status: int, score: float, kind: int = 0) -> dict[str, Any]:
    return {
        "id": 1,
        "user_id": 2,
        "series_type": kind,
        "series_id": number,
        "status": status,
        "score": score,
        "progress": 12,
        "priority": 0,
        "notes": "",
        "hidden_default": 0,
        "custom_lists": "[]",
    }


ANILIST_DOWNLOAD = {
    "user": {"id": 2, "display_name": "fan", "email": "fan@example.org"},
    "lists": [
        anilist_row(900101, 0, 85),
        anilist_row(900102, 1, 0),
        anilist_row(19, 2, 100),
        anilist_row(5114, 3, 9),
        anilist_row(900103, 4, 0),
        anilist_row(900104, 5, 70),
        anilist_row(30013, 2, 90, kind=1),
        anilist_row(777, 2, 50),
    ],
    "favourites": [],
    "activity": [],
}
ANILIST_API = {
    "data": {
        "MediaListCollection": {
            "user": {"name": "fan", "mediaListOptions": {"scoreFormat": "POINT_5"}},
            "lists": [
                {
                    "name": "Completed",
                    "entries": [
                        {
                            "status": "COMPLETED",
                            "score": 4,
                            "media": {"id": 1, "idMal": 19, "title": {"romaji": "Monster"}},
                        },
                        {
                            "status": "PAUSED",
                            "score": 0,
                            "media": {"id": 900102, "idMal": None, "title": {"romaji": "X"}},
                        },
                    ],
                },
                {"name": "Mine", "entries": [{"status": "COMPLETED", "score": 4, "mediaId": 19}]},
            ],
        }
    }
}
ANIME_PLANET = {
    "user": {"name": "fan"},
    "export": {"type": "anime", "version": "1.0"},
    "entries": [
        {"name": name, "eps": 12, "status": status, "rating": rating, "times": 1}
        for name, status, rating in (
            ("Monster", "watched", 5.0),
            ("Fullmetal Alchemist: Brotherhood", "stalled", 4.5),
            ("Spirited Away", "want to watch", 0.0),
            ("Hellsing (2001)", "dropped", 0.5),
            ("Hellsing Ultimate", "won't watch", 0),
            ("Fullmetal Alchemist", "watching", 3.0),
            ("Something Else", "watched", 4.0),
        )
    ],
}
SIMKL = {
    "shows": [{"show": {"title": "Monster", "ids": {"tvdb": "1"}}, "status": "watching"}],
    "movies": [],
    "anime": [
        {
            "user_rating": 8,
            "status": "hold",
            "show": {"title": "Monster", "year": 2004, "ids": {"simkl": 4, "mal": "19"}},
            "anime_type": "tv",
        },
        {
            "user_rating": None,
            "status": "plantowatch",
            "show": {"title": "Twins", "year": 2010, "ids": {"simkl": 5}},
            "anime_type": "movie",
        },
        {"user_rating": 3, "status": "notinteresting", "show": {"ids": {"anilist": "900101"}}},
    ],
}
SHIKIMORI = [
    {
        "target_title": "Monster",
        "target_id": 19,
        "target_type": kind,
        "score": score,
        "status": status,
        "rewatches": 0,
        "episodes": 12,
        "text": None,
    }
    for kind, score, status in (("Anime", 7, "rewatching"), ("Manga", 9, "completed"))
]
KITSU = {
    "data": [
        {
            "id": "1",
            "type": "libraryEntries",
            "attributes": {"status": "current", "ratingTwenty": 17, "reconsuming": False},
            "relationships": {"anime": {"data": {"type": "anime", "id": "10"}}},
        },
        {
            "id": "2",
            "type": "library-entries",
            "attributes": {"status": "on_hold", "ratingTwenty": None, "reconsuming": True},
            "relationships": {"anime": {"data": {"type": "anime", "id": "4444"}}},
        },
        {"id": "3", "type": "libraryEntries", "relationships": {"manga": {"data": {"id": "5"}}}},
    ],
    "included": [
        {
            "id": "4444",
            "type": "anime",
            "attributes": {"canonicalTitle": "Spirited Away"},
            "relationships": {"mappings": {"data": []}},
        }
    ],
}
HIANIME = {
    "Watching": [],
    "On-Hold": [
        {"link": "https://myanimelist.net/anime/5", "name": "A", "mal_id": 5, "watchListType": 2}
    ],
    "Completed": [{"link": "https://myanimelist.net/anime/19", "name": "Monster"}],
}
SIMKL_CSV = """SIMKL_ID,Title,Type,Year,Watchlist,LastEpWatched,WatchedDate,Rating,Memo,MAL_ID
"1","Monster","anime","2004","completed","","","9","a
memo","19"
"2","Twins","anime","2018","plan to watch","","","","",""
"3","Monster","tv","2004","completed","","","1","",""
"""
YAMTRACK_CSV = """\ufeffmedia_id,source,media_type,title,image,season_number,score,status,progress
"19","mal","anime","Monster","","","8.5","In progress","2"
"1668","tmdb","tv","Monster","","","9.0","Completed","24"
"900101","anilist","anime","?","","","","Paused","3"
"x1","manual","anime","Spirited Away","","","10.0","Completed","1"
"2","mal","manga","Monster","","","","Completed","0"
"""
MALSYNC = {
    "local://crunchyroll/anime/monster": {
        "name": "Monster",
        "tags": "",
        "sUrl": "https://example.org/monster",
        "image": "",
        "progress": 74,
        "volumeprogress": 0,
        "score": 8,
        "status": 2,
    },
    "local://HiAnime/anime/spirited-away": {
        "name": "Spirited Away",
        "tags": "",
        "sUrl": "",
        "image": "",
        "progress": 0,
        "volumeprogress": 0,
        "score": 0,
        "status": 6,
    },
    "local://HiAnime/anime/nothing": {"name": "Nothing We Know", "score": "", "status": 23},
    "local://MangaDex/manga/monster": {"name": "Monster", "progress": 3, "score": 2, "status": 1},
}
TABLE_CSV = """malId;title;status;score;progress
19;Monster;2;8;74
;Spirited Away;6;0;0
5;Five;23;7,5;1
"""
CASES: dict[str, tuple[bytes, str, str, dict[int, tuple[str, float | None]], int]] = {
    "AniList's download": (
        dumped(ANILIST_DOWNLOAD),
        *("AniList", "anilist"),
        {
            101: ("watching", 8.5),
            102: ("plan_to_watch", None),
            19: ("completed", 10.0),
            5114: ("dropped", 1.0),
            103: ("on_hold", None),
            104: ("completed", 7.0),
        },
        1,
    ),
    "AniList's API": (
        dumped(ANILIST_API),
        *("AniList", "anilist"),
        {102: ("on_hold", None), 19: ("completed", 8.0)},
        0,
    ),
    "Anime-Planet": (
        dumped(ANIME_PLANET),
        *("Anime-Planet", "export"),
        {
            19: ("completed", 10.0),
            5114: ("on_hold", 9.0),
            107: ("plan_to_watch", None),
            101: ("dropped", 1.0),
            102: ("dropped", None),
            121: ("watching", 6.0),
        },
        1,
    ),
    "Simkl": (
        dumped(SIMKL),
        *("Simkl", "export"),
        {19: ("on_hold", 8.0), 104: ("plan_to_watch", None), 101: ("dropped", 3.0)},
        0,
    ),
    "Shikimori": (dumped(SHIKIMORI), "Shikimori", "shikimori", {19: ("completed", 7.0)}, 0),
    "Kitsu": (
        dumped(KITSU),
        *("Kitsu", "kitsu"),
        {19: ("watching", 8.5), 107: ("completed", None)},
        0,
    ),
    "HiAnime": (
        dumped(HIANIME),
        *("HiAnime", "export"),
        {5: ("on_hold", None), 19: ("completed", None)},
        0,
    ),
    "Simkl's CSV": (
        SIMKL_CSV.encode(),
        *("Simkl", "export"),
        {19: ("completed", 9.0), 105: ("plan_to_watch", None)},
        0,
    ),
    "Yamtrack": (
        YAMTRACK_CSV.encode(),
        *("Yamtrack", "export"),
        {19: ("watching", 8.5), 101: ("on_hold", None), 107: ("completed", 10.0)},
        0,
    ),
    "MALSync": (
        dumped(MALSYNC),
        *("MALSync", "export"),
        {19: ("completed", 8.0), 107: ("plan_to_watch", None)},
        1,
    ),
    "a table": (
        TABLE_CSV.encode(),
        *("table", "export"),
        {19: ("completed", 8.0), 107: ("plan_to_watch", None), 5: ("completed", 7.5)},
        0,
    ),
    "rows of JSON": (
        dumped({"animelist": [{"anime_id": 19, "anime_title": "M", "score": 9, "status": 1}]}),
        *("table", "export"),
        {19: ("watching", 9.0)},
        0,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_file_of_each_site_is_read(name: str) -> None:
    data, layout, source, expected, unmapped = CASES[name]
    fans = read_placed(data)
    assert (fans.file_format, fans.source) == (layout, source)
    assert scores(fans) == expected
    assert fans.unmapped == unmapped


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_encodings_change_nothing(name: str, encoding: str) -> None:
    data = CASES[name][0]
    assert read_placed(data.decode("utf-8-sig").encode(encoding)) == read_placed(data)


@pytest.mark.parametrize(
    "data",
    [
        {"user": {"display_name": "fan"}, "lists": []},
        {"user": {"name": "fan"}, "export": {"type": "anime"}, "entries": []},
        {"anime": []},
        {"data": [], "jsonapi": {"version": "1.0"}},
    ],
)
def test_an_empty_list_is_a_list(data: Any) -> None:
    fans = read_placed(dumped(data))
    assert (fans.entries, fans.unmapped) == ((), 0)


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b"[]",
        b'{"a": 1}',
        b"[1, 2]",
        b'{"a": [{"b": 1}]}',
        b"a,b\n1,2\n",
        b"title\nMonster\n",
    ],
)
def test_what_is_no_list_is_told_what_would_be_read(data: bytes) -> None:
    with pytest.raises(BadListFile, match="Anime-Planet, Simkl") as caught:
        read_placed(data)
    assert caught.value.reason is BadFileReason.UNKNOWN


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"anime": [', BadFileReason.BROKEN),
        (b"[" * 5_000, BadFileReason.BROKEN),
        (b'[{"mal_id": ' + b"9" * 10_000 + b"}]", BadFileReason.BROKEN),
        (b"[" + b"1," * 1_000_001 + b"1]", BadFileReason.TOO_LARGE),
        (b'["' + b"a" * MAX_TEXT_BYTES + b'"]', BadFileReason.TOO_LARGE),
        (b"title,score\n" + b"a" * 200_000 + b",1\n", BadFileReason.BROKEN),
        (dumped([SHIKIMORI[1]]), BadFileReason.MANGA),
        (dumped({**ANIME_PLANET, "export": {"type": "manga"}}), BadFileReason.MANGA),
        (dumped({"local://MangaDex/manga/1": {"name": "M", "status": 1}}), BadFileReason.MANGA),
    ],
)
def test_what_cannot_be_used(data: bytes, reason: BadFileReason) -> None:
    with pytest.raises(BadListFile) as caught:
        read_placed(data)
    assert caught.value.reason is reason


def test_too_many_rows() -> None:
    rows = [{"mal_id": n, "score": 5} for n in range(1, MAX_ENTRIES + 2)]
    with pytest.raises(ListTooLong):
        read_placed(dumped(rows))
    table = "mal_id,score\n" + "".join(f"{n},5\n" for n in range(1, MAX_ENTRIES + 2))
    with pytest.raises(ListTooLong):
        read_placed(table.encode())


@pytest.mark.parametrize("odd", [None, 5, "x", [], {}, {"target_id": "²"}, {"score": float("inf")}])
def test_one_odd_row_loses_nothing_else(odd: Any) -> None:
    assert scores(read_placed(dumped([odd, *SHIKIMORI, odd]))) == {19: ("completed", 7.0)}


_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-5, 10**12)
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "Monster", "completed", "4/5", "★★★", ":)", "８", "Anime", "anime"])
)
_KEYS = st.sampled_from(
    [
        *("user", "lists", "entries", "export", "type", "anime", "show", "ids", "mal", "data"),
        *("included", "relationships", "attributes", "ratingTwenty", "id", "target_id", "score"),
        *("series_type", "series_id", "status", "name", "mal_id", "media", "title", "link"),
    ]
)
_TREES = st.recursive(
    _LEAVES,
    lambda one: st.lists(one, max_size=4) | st.dictionaries(_KEYS, one, max_size=5),
    max_leaves=30,
)


@settings(deadline=None)
@given(_TREES)
def test_any_json_is_read_or_refused(tree: Any) -> None:
    with suppress(ListError):
        for entry in read_placed(json.dumps(tree).encode()).entries:
            assert entry.anime_id > 0
            assert entry.score is None or 1 <= entry.score <= 10


@settings(deadline=None)
@given(
    st.sampled_from([ANILIST_DOWNLOAD, ANILIST_API, ANIME_PLANET, SIMKL, KITSU, HIANIME]), st.data()
)
def test_files_with_a_part_exchanged_are_read_or_refused(file: Any, data: st.DataObject) -> None:
    changed = json.loads(json.dumps(file))
    place: Any = changed
    while True:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        key = data.draw(st.sampled_from(list(keys)))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(_TREES)
    with suppress(ListError):
        read_placed(json.dumps(changed).encode())


@settings(deadline=None)
@given(st.text(max_size=200), st.sampled_from(["", "title,score\n", "SIMKL_ID,Title\n"]))
def test_any_text_is_read_or_refused(text: str, header: str) -> None:
    with suppress(ListError):
        read_placed((header + text).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("attributes", ["x", ["status", "current"], 7])
def test_a_kitsu_entry_whose_attributes_are_none_has_no_score(attributes: object) -> None:
    anime = {"anime": {"data": {"id": "1"}}}
    entry = {"type": "libraryEntries", "attributes": attributes, "relationships": anime}
    (found,) = read_list_file(dumped({"data": [entry]})).entries
    assert found.score is None
