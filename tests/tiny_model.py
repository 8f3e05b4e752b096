"""A small real model: sixty made-up anime, trained as an operator would, with a catalogue."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from model_build.cli import main
from tests.model_build.worlds import random_frame

SEED = 20
FANS, ANIME = 150, 60
MANY_FANS, PARTS = 500, 3
"""So many lists are enough for a second stage of ranking; so many anime are a series."""
GENRES = ("Drama", "Comedy;Romance", "Action;Sci-Fi", "Mystery;Supernatural;Thriller")
TYPES = ("TV", "MOVIE", "OVA")
THEMES = ("", "Mecha", "Mecha;Space", "School", "")
DEMOGRAPHICS = ("Shounen", "", "Seinen")
TAGS = ("Time Skip;Found Family", "Ninja", "", "Ninja;Cgi")
STUDIOS = ("Madhouse", "Studio Ü;Madhouse", "J.C.Staff", "")
SOURCES = ("Manga", "Light Novel", "Original")
SEASONS = ("winter", "spring", "summer", "fall")
PG13, R17, RPLUS, ALL_AGES = (
    "PG-13 - Teens 13 or older",
    "R - 17+ (violence & profanity)",
    "R+ - Mild Nudity",
    "G - All Ages",
)
AGE_RATINGS = (PG13, PG13, R17, PG13, None, PG13, RPLUS)
"""Every fifteenth anime is for all ages; of every seventh the rating has to be inferred."""

HOSTILE_TITLE = "<script>alert('Ω')</script> & \"friends\""
FLAGGED, EXPLICIT, HOSTILE, BARE, ARABIC, ENDLESS = 3, 4, 5, 6, 7, 9
"""Places in `anime_ids` of the anime that are flagged adult, of the genre Hentai, with a hostile
title, with nothing but a title, and with English titles that are not English at all."""
ARABIC_TITLE = "مغامرات لا تنتهي (2019)"
ENDLESS_TITLE = "転生したらスライムだった件についての長い長い題名" * 4
ANILIST_OFFSET = 500_000
KITSU_OFFSET = 700_000
TVDB_OFFSET = 900_000
"""AniList's id of an anime is its own id and this."""


def tiny_ratings() -> pl.DataFrame:
    """The list entries of the fans."""
    return random_frame(SEED, FANS, ANIME, 0.5)


def series_ratings() -> pl.DataFrame:
    """The list entries of many fans, who watch the anime as parts of series: first one, then two.

    Place n in `anime_ids` is part n % `PARTS` of its series.
    """
    frame = random_frame(SEED, MANY_FANS, ANIME, 0.7)
    places = {number: at for at, number in enumerate(sorted(frame["anime_id"].unique()))}
    listed = set(zip(frame["user_id"], frame["anime_id"].replace_strict(places), strict=True))

    def came_so_far(user: int, place: int) -> bool:
        return all((user, at) in listed for at in range(place - place % PARTS, place))

    frame = frame.with_columns(place=pl.col("anime_id").replace_strict(places))
    kept = [came_so_far(*row) for row in frame.select("user_id", "place").iter_rows()]
    ids = pl.col("place").replace_strict(dict(enumerate(anime_ids())), return_dtype=pl.Int64)
    return frame.filter(pl.Series(kept)).with_columns(anime_id=ids).drop("place")


def series_catalogue() -> pl.DataFrame:
    """Facts about the anime, with the series of `series_ratings`."""
    ids = anime_ids()
    before = [ids[place - 1] if place % PARTS else None for place in range(ANIME)]
    return tiny_catalogue().with_columns(
        franchise_hint=pl.Series([None] * ANIME, dtype=pl.Int64),
        franchise_id=pl.Series([place // PARTS for place in range(ANIME)]),
        watch_order=pl.Series([place % PARTS for place in range(ANIME)]),
        is_extra=pl.Series([False] * ANIME),
        relation_kind=pl.Series([number and "sequel" for number in before]),
        relation_id=pl.Series(before),
    )


def anime_ids() -> list[int]:
    """The ids of the model's anime, ascending."""
    return sorted(tiny_ratings()["anime_id"].unique().to_list())


def title_of(anime_id: int) -> str:
    """The title in the catalogue."""
    return HOSTILE_TITLE if anime_id == anime_ids()[HOSTILE] else f"Anime no. {anime_id}"


def tiny_catalogue() -> pl.DataFrame:
    """Facts about the anime, some of them awkward."""
    ids = anime_ids()
    rows = [_facts(place, anime_id) for place, anime_id in enumerate(ids)]
    rows[FLAGGED]["adult"] = True
    rows[EXPLICIT]["genres"] = "Drama;Hentai"
    rows[ARABIC]["title_english"], rows[ENDLESS]["title_english"] = ARABIC_TITLE, ENDLESS_TITLE
    rows[BARE] = {"anime_id": ids[BARE], "title": title_of(ids[BARE])}
    return pl.DataFrame(rows, infer_schema_length=None)


def tvdb_id_of(place: int) -> int | None:
    """TVDB's number of the anime at a place: two that follow are seasons of one series."""
    return place // 2 + TVDB_OFFSET if place % 7 else None


def _facts(place: int, anime_id: int) -> dict[str, object]:
    return {
        "anime_id": anime_id,
        "anilist_id": anime_id + ANILIST_OFFSET,
        "kitsu_id": anime_id + KITSU_OFFSET if place % 3 else None,
        "tvdb_id": tvdb_id_of(place),
        "title": title_of(anime_id),
        "title_english": f"English {anime_id}" if place % 2 else title_of(anime_id).upper(),
        "title_native": f"{anime_id}番のアニメ" if place % 3 else None,
        "type": TYPES[place % len(TYPES)],
        "episodes": 1 + place,
        "year": 1980 + place,
        "genres": GENRES[place % len(GENRES)],
        "themes": THEMES[place % len(THEMES)],
        "demographics": DEMOGRAPHICS[place % len(DEMOGRAPHICS)],
        "tags": TAGS[place % len(TAGS)],
        "studios": STUDIOS[place % len(STUDIOS)],
        "source": SOURCES[place % len(SOURCES)],
        "season": SEASONS[place // 3 % len(SEASONS)],
        "age_rating": ALL_AGES if place % 15 == 14 else AGE_RATINGS[place % len(AGE_RATINGS)],
        "picture": f"https://cdn.myanimelist.net/images/anime/{place}/{anime_id}.jpg",
        "adult": False,
    }


def write_tiny_model(
    folder: Path, anime: pl.DataFrame | None = None, entries: pl.DataFrame | None = None
) -> Path:
    """Train and write the model into ``folder``, with `tiny_catalogue` or other facts.

    ``entries`` are `tiny_ratings` unless given.

    Returns its directory.
    """
    ratings, catalogue, model = folder / "r.parquet", folder / "c.parquet", folder / "model"
    (tiny_ratings() if entries is None else entries).write_parquet(ratings)
    (tiny_catalogue() if anime is None else anime).write_parquet(catalogue)
    command = f"train --ratings {ratings} --catalogue {catalogue} --out {model} --quiet"
    assert main([*command.split(), "--shrinkage", "10", "--k", "8", "--name", "tiny"]) == 0
    return model
