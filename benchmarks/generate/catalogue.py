"""The catalogue files of the four public dumps, with made-up titles.

Columns that Hakken has no use for are there, too, because readers must cope with them; they hold
what the dump writes where nothing is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl

from benchmarks.generate.population import SyntheticPopulation

GENRES = ("Action", "Adventure", "Comedy", "Drama", "Fantasy", "Romance", "Sci-Fi", "Slice of Life")
TYPES = ("TV", "TV", "TV", "OVA", "Movie", "Special", "ONA", "Music")
SEASONS = ("Winter", "Spring", "Summer", "Fall")
FIRST_YEAR, YEARS = 1980, 43


@dataclass(frozen=True, slots=True)
class CatalogueFormat:
    """A catalogue file: its header as published, and what stands where nothing is known."""

    file: str
    header: str
    unknown: str


CATALOGUE_FORMATS = {
    "cooperunion2016": CatalogueFormat(
        "anime.csv", "anime_id,name,genre,type,episodes,rating,members", ""
    ),
    "azathoth2018": CatalogueFormat(
        "AnimeList.csv",
        "anime_id,title,title_english,title_japanese,title_synonyms,image_url,type,source,episodes,"
        "status,airing,aired_string,aired,duration,rating,score,scored_by,rank,popularity,members,"
        "favorites,background,premiered,broadcast,related,producer,licensor,studio,genre,"
        "opening_theme,ending_theme",
        "",
    ),
    "hernan2020": CatalogueFormat(
        "anime.csv",
        "MAL_ID,Name,Score,Genres,English name,Japanese name,Type,Episodes,Aired,Premiered,"
        "Producers,Licensors,Studios,Source,Duration,Rating,Ranked,Popularity,Members,Favorites,"
        "Watching,Completed,On-Hold,Dropped,Plan to Watch,Score-10,Score-9,Score-8,Score-7,Score-6,"
        "Score-5,Score-4,Score-3,Score-2,Score-1",
        "Unknown",
    ),
    "dbdmobile2023": CatalogueFormat(
        "anime-dataset-2023.csv",
        "anime_id,Name,English name,Other name,Score,Genres,Synopsis,Type,Episodes,Aired,Premiered,"
        "Status,Producers,Licensors,Studios,Source,Duration,Rating,Rank,Popularity,Favorites,"
        "Scored By,Members,Image URL",
        "UNKNOWN",
    ),
}


@lru_cache(maxsize=1)
def make_titles(population: SyntheticPopulation) -> pl.Series:
    """Return titles as CSV cells: some have commas, some quotes, some are Japanese."""
    kinds = ('"Title {}, the Anime"', '"""Title"" {}"', "題名 {}", "Title {}")
    return pl.Series(
        [kinds[min(at % 7, 3)].format(number) for at, number in enumerate(population.anime_id)]
    )


def make_catalogue(population: SyntheticPopulation, dataset: str) -> tuple[str, pl.DataFrame]:
    """Return the name of the file and its rows, by ascending id."""
    table = CATALOGUE_FORMATS[dataset]
    count = len(population.anime_id)
    number = np.arange(count)
    year = FIRST_YEAR + number % YEARS
    season = np.array(SEASONS)[number % 4]
    cells = make_titles(population).to_numpy().astype(str)
    genres = np.array(
        [
            f'"{GENRES[at % 8]}, {GENRES[(at + 3) % 8]}"' if at % 9 else table.unknown
            for at in range(count)
        ]
    )
    known = number % 11 != 0
    facts = {
        "id": population.anime_id,
        "title": np.char.replace(cells, '""Title""', "&quot;Title&quot;")
        if dataset == "cooperunion2016"
        else cells,
        "english": np.where(known, np.char.add("English ", number.astype(str)), table.unknown),
        "genres": genres,
        "type": np.where(known, np.array(TYPES)[number % 8], table.unknown),
        "episodes": np.where(known, (1 + number % 26).astype(str), table.unknown or "Unknown"),
        "score": np.where(known, np.round(population.item_mean, 2).astype(str), table.unknown),
        "members": (1_000_000 // (1 + number)).astype(str),
        "premiered": np.char.add(np.char.add(season, " "), year.astype(str)),
        "image": np.char.add("https://cdn.myanimelist.net/images/anime/1/", number.astype(str)),
    }
    names = {
        **dict.fromkeys(("anime_id", "MAL_ID"), "id"),
        **dict.fromkeys(("name", "Name"), "title"),
        **dict.fromkeys(("title_english", "English name"), "english"),
        **dict.fromkeys(("genre", "Genres"), "genres"),
        **dict.fromkeys(("score", "Score"), "score"),
        **{name: name.lower() for name in ("title", "type", "Type", "episodes", "Episodes")},
        **{name: name.lower() for name in ("members", "Members", "premiered", "Premiered")},
        **dict.fromkeys(("image_url", "Image URL"), "image"),
    }
    if dataset == "cooperunion2016":
        names["rating"] = "score"  # elsewhere that column is an age rating
    columns = {
        name: facts[names[name]] if name in names else np.full(count, table.unknown)
        for name in table.header.split(",")
    }
    return table.file, pl.DataFrame(columns)[np.argsort(population.anime_id)]
