"""The files of the four public dumps: names, columns, order and spelling as published.

Each function turns entries into the rows of one file; quotes are written here, where they belong,
so the writer adds none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from benchmarks.generate.catalogue import make_titles
from benchmarks.generate.entries import UNSCORED_SHARE_2016, DumpRows, list_rows, score_rows
from benchmarks.generate.population import ListChunk, SyntheticPopulation

MULTILINE_TAG = '"seen\ntwice"'


@dataclass(frozen=True, slots=True)
class SyntheticDumpFormat:
    """How a dump is written: its entries, and each file of rows made from them."""

    make_rows: Callable[[SyntheticPopulation, ListChunk], DumpRows]
    files: dict[str, Callable[[SyntheticPopulation, DumpRows], pl.DataFrame]]


def _cooperunion_rows(population: SyntheticPopulation, rows: DumpRows) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "user_id": rows.user + 1,
            "anime_id": population.anime_id[rows.anime],
            "rating": np.where(rows.score == 0, -1, rows.score),
        }
    )


def _azathoth_rows(population: SyntheticPopulation, rows: DumpRows) -> pl.DataFrame:
    number = rows.anime.astype(np.int64)
    mixed = (rows.user.astype(np.int64) * 7_919 + number * 104_729) % 1000
    tag = pl.Series(mixed.astype(np.int32))
    return pl.DataFrame(
        {
            "username": _make_usernames(rows.user),
            "anime_id": population.anime_id[rows.anime],
            "my_watched_episodes": np.where(rows.status == 6, 0, 12),
            "my_start_date": np.where(mixed < 300, "2014-07-05", "0000-00-00"),
            "my_finish_date": np.where(mixed < 250, "2014-09-27", "0000-00-00"),
            "my_score": rows.score,
            "my_status": rows.status,
            "my_rewatching": np.where(mixed < 600, "0", ""),
            "my_rewatching_ep": np.zeros(len(number), np.int8),
            "my_last_updated": 1_300_000_000 + mixed * 90_000 + number,
            "my_tags": pl.select(
                pl.when(tag == 0)
                .then(pl.lit(MULTILINE_TAG))
                .when(tag < 10)
                .then(pl.lit('"good, funny"'))
                .otherwise(pl.lit(""))
            ).to_series(),
        }
    )


def _hernan_list_rows(population: SyntheticPopulation, rows: DumpRows) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "user_id": rows.user,
            "anime_id": population.anime_id[rows.anime],
            "rating": rows.score,
            "watching_status": rows.status,
            "watched_episodes": np.where(rows.status == 6, 0, 12).astype(np.int8),
        }
    )


def _hernan_rating_rows(population: SyntheticPopulation, rows: DumpRows) -> pl.DataFrame:
    """Return what the list file has of completed and scored anime; its flaws are left out."""
    good = (rows.status == 2) & (rows.score >= 1) & (rows.score <= 10)
    good[:-1] &= (rows.anime[1:] != rows.anime[:-1]) | (rows.user[1:] != rows.user[:-1])
    return pl.DataFrame(
        {
            "user_id": rows.user[good],
            "anime_id": population.anime_id[rows.anime[good]],
            "rating": rows.score[good],
        }
    )


def _dbdmobile_rows(population: SyntheticPopulation, rows: DumpRows) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "user_id": rows.user * 4 + 1,
            "Username": _make_usernames(rows.user),
            "anime_id": population.anime_id[rows.anime],
            "Anime Title": make_titles(population).gather(rows.anime),
            "rating": rows.score,
        }
    )


def _make_usernames(user: np.ndarray[tuple[int], np.dtype[np.int32]]) -> pl.Series:
    """Invented usernames, one in 50 in quotes, one in 50 that looks like a number."""
    number = pl.Series(user)
    text = number.cast(pl.String)
    return pl.select(
        pl.when(number % 50 == 7)
        .then(pl.format('"Fan_{}"', text))
        .when(number % 50 == 8)
        .then(text)
        .otherwise(pl.format("Fan_{}", text))
    ).to_series()


FORMATS = {
    "cooperunion2016": SyntheticDumpFormat(
        lambda world, chunk: score_rows(world, chunk, UNSCORED_SHARE_2016),
        {"rating.csv": _cooperunion_rows},
    ),
    "azathoth2018": SyntheticDumpFormat(list_rows, {"UserAnimeList.csv": _azathoth_rows}),
    "hernan2020": SyntheticDumpFormat(
        list_rows, {"animelist.csv": _hernan_list_rows, "rating_complete.csv": _hernan_rating_rows}
    ),
    "dbdmobile2023": SyntheticDumpFormat(score_rows, {"users-score-2023.csv": _dbdmobile_rows}),
}
