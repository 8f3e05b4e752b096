"""The table of anime facts that a model is built with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from app.age_rating import AgeRating
from app.catalogue import Anime, Catalogue
from app.pictures import ANILIST_PICTURE_BASE, MAL_PICTURE_BASE
from model_build.data.catalogue import encode_catalogue, read_catalogue
from model_build.util.errors import InputError

FACTS = {
    "anime_id": [5, 1],
    "title": ["Cowboy Bebop: Tengoku no Tobira", "Cowboy Bebop"],
    "title_english": [None, "Cowboy Bebop"],
    "type": ["MOVIE", "TV"],
    "episodes": [1, 26],
    "year": [2001, 1998],
    "genres": ["Action;Sci-Fi", ""],
    "tags": ["Space;Mecha;Cgi;Tanned Skin", None],
    "age_rating": ["R - 17+ (violence & profanity)", None],
    "source": ["Book", "Unknown"],
    "mean": [8.38, float("nan")],
    "picture": [MAL_PICTURE_BASE + "1439/93480.jpg", "https://elsewhere.example/1.jpg"],
    "adult": [False, None],
    "franchise_id": [1, 1],
    "synopsis": ["Long.", "Longer."],
}


def opened(encoded: bytes, folder: Path) -> Catalogue:
    (folder / "catalogue.json.gz").write_bytes(encoded)
    return Catalogue.open(folder / "catalogue.json.gz")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_facts_survive(tmp_path: Path, kind: str) -> None:
    frame, path = pl.DataFrame(FACTS), tmp_path / f"anime.{kind}"
    (frame.write_csv if kind == "csv" else frame.write_parquet)(path)
    catalogue = opened(encode_catalogue(read_catalogue(path), np.array([1], np.int32)), tmp_path)
    assert len(catalogue) == 2
    assert catalogue.get_anime(5) == Anime(
        5,
        "Cowboy Bebop: Tengoku no Tobira",
        type="Movie",
        episodes=1,
        year=2001,
        genres=("Action", "Sci-Fi"),
        tags=("CGI",),
        age_rating=AgeRating.R17,
        rating_inferred=False,
        source="Novel",
        mean=8.38,
        picture=MAL_PICTURE_BASE + "1439/93480.jpg",
        franchise_id=1,
        watch_order=1,
        is_inferred=1,
        adult=catalogue.get_anime(5).adult,
    )
    bebop = catalogue.get_anime(1)
    assert (bebop.title_english, bebop.mean, bebop.genres) == ("Cowboy Bebop", None, ())
    assert bebop.picture is None  # of other hosts pages show nothing
    assert not bebop.adult
    assert (bebop.age_rating, bebop.source) == (None, None)  # nothing to infer one from
    assert b"Longer" not in (tmp_path / "catalogue.json.gz").read_bytes()


def test_adult_anime_are_known_by_flag_or_genre(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "anime_id": [1, 2, 3],
            "title": ["a", "b", "c"],
            "genres": ["Comedy", "Hentai;Comedy", ""],
            "adult": [True, False, False],
        }
    )
    catalogue = opened(encode_catalogue(frame, np.array([1], np.int32)), tmp_path)
    assert catalogue.column_values("adult", [1, 2, 3]) == [True, True, False]


def test_without_a_table_anime_are_named_by_number(tmp_path: Path) -> None:
    catalogue = opened(encode_catalogue(None, np.array([3, 44], np.int32)), tmp_path)
    assert [catalogue.title(anime) for anime in (3, 44, 5)] == ["Anime 3", "Anime 44", "Anime 5"]
    assert len(catalogue) == 2


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "anime_id,name\n1,x\n", "column title is missing"),
        ("a.csv", "id,title\n1,x\n", "column anime_id is missing"),
        ("a.csv", "anime_id,title\n1,x\n2,y\n1,z\n", "anime_id 1 stands there more than once"),
        ("a.csv", "anime_id,title\n1,x\n,y\n", "anime_id must hold whole numbers"),
        ("a.csv", "anime_id,title\n1,x\n0,y\n", "anime_id must hold whole numbers"),
        ("a.csv", "anime_id,title\n1,x\nB,y\n", "anime_id must hold whole numbers"),
        ("a.csv", "anime_id,title\n1,x\n5000000000,y\n", "row 2: column anime_id must hold whole"),
        ("a.csv", "anime_id,title\n1,x\n2,\n", "row 2: column title must hold text, not nothing"),
        ("a.csv", "anime_id,title,mean\n1,x,7\n2,y,85\n", "row 2: column mean .* 0 to 10, not 85"),
        ("a.csv", "anime_id,title,year\n1,x,20255\n", "year .* from 1000 to 9999, not 20255"),
        ("a.csv", "anime_id,title,kitsu_id\n1,x,0\n", "kitsu_id must .* 2,147,483,647, not 0"),
        ("a.csv", "anime_id,title,episodes\n1,x,12.5\n", "column episodes .* whole .* not 12.5"),
        ("a.csv", "anime_id,title,episodes\n1,x,many\n", "column episodes .* whole .* not 'many'"),
        ("a.csv", "anime_id,title,adult\n1,x,maybe\n", "adult must .* true or false, not 'maybe'"),
        ("a.csv", "anime_id,title,relations\n1,x,prequel\n", "relations of anime 1: 'prequel' is"),
        ("a.csv", "", "cannot be read as a catalogue"),
        ("a.parquet", "anime_id,title\n", "cannot be read as a catalogue"),
    ],
)
def test_a_table_of_no_use_is_refused(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=said) as caught:
        read_catalogue(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


def test_numbers_that_nobody_knows_are_none(tmp_path: Path) -> None:
    """Whatever a file has in their place, and of whatever type its column then is."""
    path = tmp_path / "anime.csv"
    path.write_text(
        "anime_id,title,title_english,episodes,year,members,adult,franchise\n"
        "1,86,,Unknown,?,1e3,False,x\n2.0,7,,26.0,1998, ,True,\n"
    )
    first, second = read_catalogue(path).to_dicts()
    assert list(first.values()) == [1, "86", None, None, None, 1000, False, "x"]
    assert list(second.values()) == [2, "7", None, 26, 1998, None, True, None]
    nothing = {"year": [None, None], "genres": [None, None], "adult": [None, None]}
    pl.DataFrame({"anime_id": [1, 2], "title": ["a", "b"], **nothing}).write_parquet(path)
    read = read_catalogue(path.rename(tmp_path / "anime.parquet"))
    kinds = [read.schema[name] for name in ("anime_id", "title", "year", "genres", "adult")]
    assert kinds == [pl.Int64, pl.String, pl.Int64, pl.String, pl.Boolean]


def test_lists_in_cells_are_told(tmp_path: Path) -> None:
    path = tmp_path / "anime.parquet"
    frame = pl.DataFrame({"anime_id": [1], "title": ["a"]})
    for name, expected in (("genres", "text"), ("year", "whole numbers from 1000 to 9999")):
        frame.with_columns(pl.Series(name, [[2001]])).write_parquet(path)
        with pytest.raises(InputError, match=f"row 1: column {name} must hold {expected}, not "):
            read_catalogue(path)


def test_what_the_app_would_not_open_becomes_no_model(tmp_path: Path) -> None:
    frame = pl.DataFrame({"anime_id": [1], "title": ["a"], "title_native": ["ん" * 2001]})
    with pytest.raises(InputError, match=r"title_native\.0: string should have at most 2000"):
        encode_catalogue(frame, np.array([1], np.int32))


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_catalogue(tmp_path / "none.csv")


def test_pictures_of_every_host_that_pages_show_are_kept(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "anime_id": [1, 2, 3, 4],
            "title": ["a", "b", "c", "d"],
            "picture": [
                "https://myanimelist.net/images/anime/1314/108941l.jpg",
                "https://s4.anilist.co/file/anilistcdn/media/anime/cover/large/bx17-tk2.png",
                "https://myanimelist.net/img/sp/icon/apple-touch-icon-256.png",
                None,
            ],
        }
    )
    frame.write_parquet(tmp_path / "anime.parquet")
    read = read_catalogue(tmp_path / "anime.parquet")
    catalogue = opened(encode_catalogue(read, np.array([1], np.int32)), tmp_path)
    assert [catalogue.get_anime(number).picture for number in (1, 2, 3, 4)] == [
        f"{MAL_PICTURE_BASE}1314/108941.jpg",
        f"{ANILIST_PICTURE_BASE}bx17-tk2.png",
        None,
        None,
    ]
    assert catalogue.column_values("picture", [2]) == ["a/bx17-tk2.png"]
