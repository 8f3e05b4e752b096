"""The files of the four public dumps: names, columns, order and spelling as published.

Each function turns entries into the rows of one file; quotes are written here, where they belong,
so the writer adds none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from scripts.generating.catalogue import titles
from scripts.generating.entries import (
    SILENT_2016,
    Entries,
    list_entries,
    score_entries,
)
from scripts.generating.world import Chunk, World

LINE_BREAK_TAG = '"seen\ntwice"'


@dataclass(frozen=True, slots=True)
class Format:
    """How a dump is written: its entries, and each file of rows made from them."""

    entries: Callable[[World, Chunk], Entries]
    files: dict[str, Callable[[World, Entries], pl.DataFrame]]


def _cooperunion(world: World, rows: Entries) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "user_id": rows.fan + 1,
            "anime_id": world.anime_id[rows.anime],
            "rating": np.where(rows.score == 0, -1, rows.score),
        }
    )


def _azathoth(world: World, rows: Entries) -> pl.DataFrame:
    number = rows.anime.astype(np.int64)
    mixed = (rows.fan.astype(np.int64) * 7_919 + number * 104_729) % 1000
    tag = pl.Series(mixed.astype(np.int32))
    return pl.DataFrame(
        {
            "username": _names(rows.fan),
            "anime_id": world.anime_id[rows.anime],
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
                .then(pl.lit(LINE_BREAK_TAG))
                .when(tag < 10)
                .then(pl.lit('"good, funny"'))
                .otherwise(pl.lit(""))
            ).to_series(),
        }
    )


def _hernan_list(world: World, rows: Entries) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "user_id": rows.fan,
            "anime_id": world.anime_id[rows.anime],
            "rating": rows.score,
            "watching_status": rows.status,
            "watched_episodes": np.where(rows.status == 6, 0, 12).astype(np.int8),
        }
    )


def _hernan_ratings(world: World, rows: Entries) -> pl.DataFrame:
    """What the list file has of completed and scored anime; its flaws are left out."""
    good = (rows.status == 2) & (rows.score >= 1) & (rows.score <= 10)
    good[:-1] &= (rows.anime[1:] != rows.anime[:-1]) | (rows.fan[1:] != rows.fan[:-1])
    return pl.DataFrame(
        {
            "user_id": rows.fan[good],
            "anime_id": world.anime_id[rows.anime[good]],
            "rating": rows.score[good],
        }
    )


def _dbdmobile(world: World, rows: Entries) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "user_id": rows.fan * 4 + 1,
            "Username": _names(rows.fan),
            "anime_id": world.anime_id[rows.anime],
            "Anime Title": titles(world).gather(rows.anime),
            "rating": rows.score,
        }
    )


def _names(fan: np.ndarray[tuple[int], np.dtype[np.int32]]) -> pl.Series:
    """Invented usernames, one in 50 in quotes, one in 50 that looks like a number."""
    number = pl.Series(fan)
    text = number.cast(pl.String)
    return pl.select(
        pl.when(number % 50 == 7)
        .then(pl.format('"Fan_{}"', text))
        .when(number % 50 == 8)
        .then(text)
        .otherwise(pl.format("Fan_{}", text))
    ).to_series()


FORMATS = {
    "cooperunion2016": Format(
        lambda world, chunk: score_entries(world, chunk, SILENT_2016), {"rating.csv": _cooperunion}
    ),
    "azathoth2018": Format(list_entries, {"UserAnimeList.csv": _azathoth}),
    "hernan2020": Format(
        list_entries, {"animelist.csv": _hernan_list, "rating_complete.csv": _hernan_ratings}
    ),
    "dbdmobile2023": Format(score_entries, {"users-score-2023.csv": _dbdmobile}),
}
