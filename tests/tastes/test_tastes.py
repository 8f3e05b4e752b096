"""What somebody who knows anime would expect of lists of clear taste, from the bundled model."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.catalogue import Anime, Catalogue
from app.recommender import Model
from app.settings import BUNDLED_MODEL_DIR, AppSettings
from model_build.cli import main
from model_build.reporting.tastes import read_tastes, taste_tables

TASTES = read_tastes()
TOP = 20
RECENT = 2021
GEM_MEMBERS = 150_000
DEATH_NOTE, ATTACK_ON_TITAN = 1535, 16498


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """The application with the model that comes with it."""
    cache_dir = tmp_path_factory.mktemp("cache")
    return create_app(
        AppSettings(cache_dir=cache_dir, rate_lists="off", rate_pages="off")
    ).test_client()


@cache
def catalogue() -> Catalogue:
    return Catalogue.open(Path("bundled_model") / "catalogue.json.gz")


def rows_of(name: str) -> list[dict[str, Any]]:
    return [
        {"anime_id": anime, "score": score, "status": "completed"}
        for score, ids in TASTES[name].items()
        for anime in ids
    ]


def answer(client: FlaskClient, rows: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
    body = {"list": rows, "top": TOP, **options}
    response = client.post("/api/v1/recommendations", json=body)
    assert response.status_code == 200, response.text
    assert isinstance(response.json, dict)
    return response.json


def picks(client: FlaskClient, name: str, **options: Any) -> list[dict[str, Any]]:
    found = answer(client, rows_of(name), **options)["recommendations"]
    assert isinstance(found, list)
    return found


def facts(found: list[dict[str, Any]]) -> list[Anime]:
    return [catalogue().get_anime(item["anime_id"]) for item in found]


def labels(anime: Anime) -> set[str]:
    return {*anime.genres, *anime.themes}


SENSE: dict[str, tuple[int, Callable[[Anime], bool]]] = {
    "sports": (10, lambda anime: "Sports" in anime.genres),
    "mecha": (10, lambda anime: "Mecha" in anime.themes),
    "iyashikei": (10, lambda anime: bool(labels(anime) & {"Slice of Life", "Iyashikei", "CGDCT"})),
    "psychological": (
        11,
        lambda anime: bool(labels(anime) & {"Psychological", "Suspense", "Mystery"}),
    ),
    "shoujo": (13, lambda anime: "Romance" in anime.genres),
    "ghibli": (11, lambda anime: anime.type == "Movie"),
    "child": (
        8,
        lambda anime: bool({*anime.demographics, *anime.studios} & {"Kids", "Studio Ghibli"}),
    ),
    "no_isekai": (18, lambda anime: "Isekai" not in anime.themes),
    "three": (4, lambda anime: (anime.year or 0) >= RECENT),
    "new": (16, lambda anime: (anime.year or 0) >= RECENT),
}
"""Of twenty picks at least so many are as a fan of this would expect."""


def test_the_report_shows_what_a_visitor_gets(client: FlaskClient) -> None:
    tables = taste_tables(Model.open(BUNDLED_MODEL_DIR), catalogue(), TASTES)
    assert [table.name for table in tables] == [name.replace("_", " ") for name in TASTES]
    for name, table in zip(TASTES, tables, strict=True):
        assert list(table.picks) == ["match", "score", "discover"]
        for order, shown in table.picks.items():
            expected = picks(client, name, order=order, top=10)
            assert [pick.anime.title for pick in shown] == [item["title"] for item in expected]
            for pick, item in zip(shown, expected, strict=True):
                assert pick.item.expected_score == pytest.approx(item["expected_score"], abs=1e-4)
                assert pick.item.match_percentile == pytest.approx(
                    item["match_percentile"], abs=0.1
                )
                if item["follows"]:
                    assert pick.reason == f"next after {item['follows']['title']}"
                else:
                    assert pick.reason == "".join(why["title"] for why in item["because"][:1])


@pytest.mark.parametrize("name", TASTES)
def test_most_picks_are_of_the_taste(client: FlaskClient, name: str) -> None:
    least, fits = SENSE[name]
    found = facts(picks(client, name))
    assert len(found) == TOP
    assert sum(map(fits, found)) >= least, [anime.title for anime in found]


@pytest.mark.parametrize("order", ["match", "discover", "score"])
@pytest.mark.parametrize("name", TASTES)
def test_a_series_is_there_once_and_nothing_is_for_adults(
    client: FlaskClient, name: str, order: str
) -> None:
    found = facts(picks(client, name, order=order))
    series = Counter(anime.franchise_id for anime in found if anime.franchise_id is not None)
    assert not {group for group, times in series.items() if times > 1}
    assert not [anime.title for anime in found if anime.adult]


@pytest.mark.parametrize("options", [{}, {"year_from": RECENT}, {"type": ["movie"]}], ids=str)
@pytest.mark.parametrize("name", TASTES)
def test_no_sequel_comes_before_what_it_continues(
    client: FlaskClient, name: str, options: dict[str, Any]
) -> None:
    """Unless hardly anybody sees that, as before Great Teacher Onizuka; whatever is asked for."""
    seen = {
        catalogue().get_anime(row["anime_id"]).franchise_id or -row["anime_id"]
        for row in rows_of(name)
    }
    for anime in facts(picks(client, name, **options)):
        if anime.relation_kind == "sequel" and anime.franchise_id not in seen:
            first = catalogue().get_anime(anime.relation_id or 0)
            assert (first.members or 0) < 0.2 * (anime.members or 0), anime.title


def test_no_title_is_recommended_to_nearly_everyone(client: FlaskClient) -> None:
    shown = Counter(item["anime_id"] for name in TASTES for item in picks(client, name)[:10])
    most, times = shown.most_common(1)[0]
    assert times <= len(TASTES) // 2, catalogue().title(most)


def test_a_child_gets_nothing_for_older_ones_and_is_told(client: FlaskClient) -> None:
    found = answer(client, rows_of("child"))
    assert found["ceiling"] is not None
    ratings = {anime.age_rating for anime in facts(found["recommendations"])}
    assert ratings <= {"g", "pg", "pg13"}


@pytest.mark.parametrize("name", TASTES)
def test_reasons_name_what_was_liked_one_a_series(client: FlaskClient, name: str) -> None:
    mean = statistics.mean(row["score"] for row in rows_of(name))
    for item in picks(client, name):
        assert item["because"] or item["follows"], item["title"]
        assert all(why["score"] >= min(8, int(mean)) for why in item["because"])
        assert all(why["weight"] > 0 for why in item["because"])
        series = [
            catalogue().get_anime(why["anime_id"]).franchise_id or -why["anime_id"]
            for why in item["because"]
        ]
        assert len(set(series)) == len(series)


@pytest.mark.parametrize("name", TASTES)
def test_one_number_in_every_order(client: FlaskClient, name: str) -> None:
    expected: dict[int, float] = {}
    for order in ("match", "discover", "score"):
        for item in picks(client, name, order=order, top=100):
            number = expected.setdefault(item["anime_id"], item["expected_score"])
            assert item["expected_score"] == number


@pytest.mark.parametrize("name", TASTES)
def test_the_best_match_comes_first_and_stands_out(client: FlaskClient, name: str) -> None:
    shares = [item["match_percentile"] for item in picks(client, name)]
    assert shares == sorted(shares, reverse=True)
    assert 50 < shares[0] <= 100


@pytest.mark.parametrize("name", [*TASTES, "one", "five"])
def test_gems_are_hidden(client: FlaskClient, name: str) -> None:
    rows = (
        rows_of(name) if name in TASTES else rows_of("psychological")[: {"one": 1, "five": 5}[name]]
    )
    gems = answer(client, rows, order="discover", top=10)["recommendations"]
    match = {item["anime_id"] for item in answer(client, rows, top=10)["recommendations"]}
    assert len(gems) == 10
    for anime in facts(gems):
        assert (anime.members or 0) <= GEM_MEMBERS, anime.title
    assert len(match & {item["anime_id"] for item in gems}) <= 5


@pytest.mark.parametrize("name", ["sports", "mecha", "iyashikei", "psychological"])
@pytest.mark.parametrize("titles", [1, 3, 5])
def test_gems_for_a_few_titles_are_gems_of_these(
    client: FlaskClient, name: str, titles: int
) -> None:
    found = answer(client, rows_of(name)[:titles], order="discover", top=10)["recommendations"]
    assert all(item["because"] for item in found)
    if titles > 1:
        fits = SENSE[name][1]
        assert sum(map(fits, facts(found))) >= 3, [item["title"] for item in found]


FEW = {"sports": 4, "mecha": 8, "iyashikei": 5, "psychological": 5, "shoujo": 8, "ghibli": 10}
"""Of ten picks for three titles at least so many are as a fan of this would expect."""


@pytest.mark.parametrize("titles", [3, 5, 8])
@pytest.mark.parametrize("name", FEW)
def test_a_few_titles_of_one_taste_find_their_like(
    client: FlaskClient, name: str, titles: int
) -> None:
    """And from five on not what everybody likes, whatever was named."""
    found = answer(client, rows_of(name)[:titles], partial=True, top=10)["recommendations"]
    fits = SENSE[name][1]
    assert sum(map(fits, facts(found))) >= FEW[name], [item["title"] for item in found]
    if titles > 3:
        assert not {DEATH_NOTE, ATTACK_ON_TITAN} & {item["anime_id"] for item in found}


GHIBLI = {164, 199, 416, 431, 512, 513, 523, 572, 578, 585, 597, 2890, 7711}
"""The films of the studio that are known best."""


@pytest.mark.parametrize("name", FEW)
def test_who_names_nothing_recent_is_not_met_by_what_is_recent_and_little_known(
    client: FlaskClient, name: str
) -> None:
    """Such anime came forward twice: for being recent and for being little known."""
    rows = rows_of(name)[:3]
    found = facts(answer(client, rows, partial=True, top=10)["recommendations"])
    assert sum((anime.year or 0) >= RECENT for anime in found) <= 1, [a.title for a in found]
    if name == "ghibli":
        assert {anime.anime_id for anime in found[:5]} <= GHIBLI, [a.title for a in found]


FRIEREN, DANDADAN, OSHI_NO_KO, SOLO_LEVELING = 52991, 57334, 52034, 52299


@pytest.mark.parametrize("anime", [FRIEREN, DANDADAN, OSHI_NO_KO, SOLO_LEVELING])
def test_a_title_of_the_last_years_leads_to_what_its_fans_love(
    client: FlaskClient, anime: int
) -> None:
    """Few lists have it, so that chance decides what it seems to say of the little known."""
    rows = [{"anime_id": anime, "score": 10, "status": "completed"}]
    found = facts(answer(client, rows, partial=True, top=10)["recommendations"])
    assert sum((each.year or 0) >= RECENT for each in found) >= 6, [a.title for a in found]
    assert sum((each.members or 0) < GEM_MEMBERS for each in found) <= 1, [a.title for a in found]


NEW_OF_FEW = {"sports": 2, "iyashikei": 4, "psychological": 6, "shoujo": 8}
"""Of ten picks of the last years for three titles: few lists have any of these yet."""


def test_what_is_new_for_a_few_titles_is_of_their_taste(client: FlaskClient) -> None:
    shown = {}
    for name in FEW:
        rows = rows_of(name)[:3]
        found = answer(client, rows, partial=True, top=10, year_from=2024)["recommendations"]
        shown[name] = {item["anime_id"] for item in found}
        fits = sum(map(SENSE[name][1], facts(found)))
        assert fits >= NEW_OF_FEW.get(name, 0), [item["title"] for item in found]
    for one, other in combinations(shown.values(), 2):
        assert len(one & other) <= 5


DISLIKED: dict[str, tuple[list[int], Callable[[Anime], bool]]] = {
    "isekai": ([], lambda anime: "Isekai" in anime.themes),
    "sports": ([20583, 263, 11771, 24415, 170], lambda anime: "Sports" in anime.genres),
    "romance": ([4224, 2167, 23273, 9989, 37999], lambda anime: "Romance" in anime.genres),
    "mecha": ([80, 1575, 30, 2001, 33], lambda anime: "Mecha" in anime.themes),
}


@pytest.mark.parametrize("loved", [[], [5114]], ids=["nothing", "one"])
@pytest.mark.parametrize("kind", DISLIKED)
def test_a_few_titles_that_were_disliked_do_not_find_their_like(
    client: FlaskClient, kind: str, loved: list[int]
) -> None:
    """Of ten picks for five tapped as "not for me", alone or beside one that was loved."""
    ids, is_alike = DISLIKED[kind]
    ids = ids or [row["anime_id"] for row in rows_of("no_isekai") if row["score"] < 4]
    assert len(ids) == 5
    rows = [{"anime_id": anime, "score": 4, "status": "completed"} for anime in ids]
    rows += [{"anime_id": anime, "score": 9, "status": "completed"} for anime in loved]
    found = facts(answer(client, rows, partial=True, top=10)["recommendations"])
    assert len(found) == 10
    assert sum(map(is_alike, found)) <= 2, [anime.title for anime in found]
    for order in ("match", "discover"):
        body = answer(client, rows, partial=True, top=100, order=order)
        reasons = [why for item in body["recommendations"] for why in item["because"]]
        assert not {why["anime_id"] for why in reasons} & {*ids}
        assert reasons or not loved
    named = {catalogue().get_anime(anime).franchise_id for anime in ids} - {None}
    assert not [anime.title for anime in found if anime.franchise_id in named]


def test_nothing_continues_what_was_disliked(client: FlaskClient) -> None:
    ids, _ = DISLIKED["sports"]
    rows = [{"anime_id": anime, "score": 4, "status": "completed"} for anime in ids]
    body = {"list": rows, "partial": True, "continues": True}
    response = client.post("/api/v1/recommendations", json=body)
    assert response.json is not None
    assert response.json["recommendations"] == []


GOMISUTEBA, GINTAMA_FINAL, DEEP_SOUL, ORDINAL_SCALE = 52742, 39486, 36862, 31765
OVERLORD_FILM, MIRAI_FUKUIN, KIZUMONOGATARI = 48896, 14807, 9260
GOES_ON = {
    GOMISUTEBA: [20583, 28891, 32935, 38883, 40776],
    GINTAMA_FINAL: [918, 9969, 15417, 28977, 34096, 35843, 36838, 37491],
    DEEP_SOUL: [34599, 41084],
    ORDINAL_SCALE: [11757, 21881, 36474, 39597, 40540],
    OVERLORD_FILM: [29803, 35073, 37675, 48895],
    MIRAI_FUKUIN: [2593, 3782, 3783, 4280, 4282, 5204, 5205],
    KIZUMONOGATARI: [5081, 11597, 17074, 21855, 31181],
}
"""What comes next -> what was seen: a film that ends a series, or one that nobody should skip."""


@pytest.mark.parametrize("following", GOES_ON)
def test_who_has_seen_all_seasons_gets_the_film_that_goes_on(
    client: FlaskClient, following: int
) -> None:
    rows = [{"anime_id": anime, "score": 10, "status": "completed"} for anime in GOES_ON[following]]
    found = answer(client, rows, continues=True)["recommendations"]
    assert [item["anime_id"] for item in found] == [following]


MUGEN_TRAIN, VIOLET_FILM, JUJUTSU_ZERO = 40456, 37987, 48561
GOES_ON_WITH = {MUGEN_TRAIN: 38000, DEEP_SOUL: 34599, VIOLET_FILM: 33352, JUJUTSU_ZERO: 40748}
"""A film -> the series without which it is not understood."""


def test_a_film_that_goes_on_with_a_series_waits_for_it(client: FlaskClient) -> None:
    """Every source that is free calls it a side story, as it does films of their own."""
    films: dict[str, Any] = {"type": ["movie"], "year_from": 2020}
    rows = [
        {"anime_id": anime, "score": 10, "status": "completed"}
        for anime in (ATTACK_ON_TITAN, DEATH_NOTE)
    ]
    found = {item["anime_id"] for item in answer(client, rows, **films)["recommendations"]}
    assert len(found) == TOP
    assert not found & {*GOES_ON_WITH}
    rows += [
        {"anime_id": anime, "score": 9, "status": "completed"} for anime in GOES_ON_WITH.values()
    ]
    found = {item["anime_id"] for item in answer(client, rows, **films)["recommendations"][:6]}
    assert found >= {*GOES_ON_WITH}


def test_a_child_is_shown_films_of_series_that_it_has_not_seen(client: FlaskClient) -> None:
    """They tell a story each, as those of Doraemon, Pokémon and Conan."""
    seen = {"Pokemon": 527, "Doraemon": 2471, "Conan": 235, "Digimon": 552}
    for name, left_out in seen.items():
        rows = [
            {"anime_id": anime, "score": 9, "status": "completed"}
            for anime in seen.values()
            if anime != left_out
        ]
        found = [
            item["title"]
            for offset in (0, 100)
            for item in answer(client, rows, type=["movie"], top=100, offset=offset)[
                "recommendations"
            ]
        ]
        assert any(name in title for title in found), name


OURAN, IPPO = 853, 263


def test_what_its_fans_also_pick_is_not_what_everybody_has_seen(client: FlaskClient) -> None:
    for anime, kind, least in ((OURAN, "Romance", 7), (IPPO, "Sports", 5)):
        response = client.get(f"/api/v1/anime/{anime}/similar?top=14")
        assert response.json is not None
        own = catalogue().get_anime(anime).franchise_id
        found = [
            other
            for other in facts(response.json["affinity"])
            if other.franchise_id is None or other.franchise_id != own
        ]
        assert DEATH_NOTE not in {other.anime_id for other in found[:5]}
        fits = sum(kind in other.genres for other in found)
        assert fits >= least, [other.title for other in found]


@pytest.mark.parametrize("name", TASTES)
def test_scores_are_predicted_for_what_a_fan_might_pick(client: FlaskClient, name: str) -> None:
    """By predicted score, recap specials of nobody's interest came first."""
    found = facts(picks(client, name, order="score", top=10))
    assert not [anime.title for anime in found if anime.is_extra]
    assert all((anime.members or 0) > 20_000 for anime in found), [a.title for a in found]
    if name != "shoujo":
        assert not [anime.title for anime in found if "Boys Love" in anime.genres]


def test_fans_alike_are_found_without_a_fan_in_the_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "list.csv"
    rows = [f"{row['anime_id']},{row['score']},2" for row in rows_of("shoujo")]
    file.write_text("\n".join(["anime_id,rating,status", *rows]), "utf-8")
    command = ["similar", "--model", str(BUNDLED_MODEL_DIR), "--engine", "als", "--list", str(file)]
    assert main([*command, "--prefer", "genres", "--top", "10", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    loved = facts(found["recommendations"])
    fits = [{*anime.genres, *anime.demographics} & {"Romance", "Shoujo"} for anime in loved]
    assert sum(map(bool, fits)) >= 6, [anime.title for anime in loved]
