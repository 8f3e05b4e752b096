"""A small real model: sixty made-up anime, trained as an operator would, with a catalogue."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from model_build.cli import main
from tests.model_build.worlds import random_frame

SEED = 20
FANS, ANIME = 150, 60
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
"""AniList's id of an anime is its own id and this."""


def tiny_ratings() -> pl.DataFrame:
    """The list entries of the fans."""
    return random_frame(SEED, FANS, ANIME, 0.5)


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


def _facts(place: int, anime_id: int) -> dict[str, object]:
    return {
        "anime_id": anime_id,
        "anilist_id": anime_id + ANILIST_OFFSET,
        "title": title_of(anime_id),
        "title_english": f"English {anime_id}" if place % 2 else title_of(anime_id).upper(),
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


def write_tiny_model(folder: Path, anime: pl.DataFrame | None = None) -> Path:
    """Train and write the model into ``folder``, with `tiny_catalogue` or other facts.

    Returns its directory.
    """
    ratings, catalogue, model = folder / "r.parquet", folder / "c.parquet", folder / "model"
    tiny_ratings().write_parquet(ratings)
    (tiny_catalogue() if anime is None else anime).write_parquet(catalogue)
    command = f"train --ratings {ratings} --catalogue {catalogue} --out {model} --quiet"
    assert main([*command.split(), "--shrinkage", "10", "--k", "8", "--name", "tiny"]) == 0
    return model
