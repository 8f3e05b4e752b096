"""What stands in a made-up list beside the anime: statuses, silence, the flaws of real dumps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from app.recommender.array_types import Int16Array, Int32Array, Int64Array
from benchmarks.generate.catalogue import make_titles
from benchmarks.generate.population import ListChunk, SyntheticPopulation

# What an entry is, and in how many of a thousand cases: (status, scored, cases).
ENTRY_KINDS = (
    (2, True, 530),
    (2, False, 90),
    (6, False, 250),
    (1, True, 18),
    (1, False, 32),
    (3, True, 10),
    (3, False, 30),
    (4, True, 20),
    (4, False, 20),
)
KIND_STATUS = np.array([status for status, _, _ in ENTRY_KINDS], np.int16)
KIND_SCORED = np.array([scored for _, scored, _ in ENTRY_KINDS])
KIND_CUMULATIVE = np.cumsum([cases for *_, cases in ENTRY_KINDS]) / 1000
STRAY_CODES = np.array([0, 5, 33, 55], np.int16)
UNSCORED_SHARE_2016 = 0.19

# One row in so many has a flaw of this kind.
REPEATED_EVERY = 20_000
STRAY_EVERY = 10_000
OUT_OF_RANGE_EVERY = 50_000


@dataclass(frozen=True, slots=True)
class DumpRows:
    """Rows of a dump: user number, anime position, score (0: none) and status.

    ``flaw_counts`` is how many rows were made wrong on purpose, by kind.
    """

    user: Int32Array
    anime: Int32Array
    score: Int16Array
    status: Int16Array
    flaw_counts: dict[str, int]


def list_rows(population: SyntheticPopulation, chunk: ListChunk) -> DumpRows:
    """Whole lists with statuses, of which some are scored."""
    kind = np.minimum(
        np.searchsorted(KIND_CUMULATIVE, chunk.chance, side="right"), len(ENTRY_KINDS) - 1
    )
    score = np.where(KIND_SCORED[kind], chunk.score, 0).astype(np.int16)
    return _add_flaws(population, chunk, score, KIND_STATUS[kind], statuses=True)


def score_rows(
    population: SyntheticPopulation, chunk: ListChunk, unscored_share: float = 0.0
) -> DumpRows:
    """Scores alone; ``unscored_share`` of the entries has none."""
    score = np.where(chunk.chance < unscored_share, 0, chunk.score).astype(np.int16)
    return _add_flaws(population, chunk, score, np.full(len(score), 2, np.int16), statuses=False)


def _add_flaws(
    population: SyntheticPopulation,
    chunk: ListChunk,
    score: Int16Array,
    status: Int16Array,
    *,
    statuses: bool,
) -> DumpRows:
    rng = np.random.default_rng([population.seed, 2, int(chunk.user[0])])

    def one_in(cases: int) -> Int64Array:
        return np.flatnonzero(rng.random(len(score)) * cases < 1)

    planted = {}
    wrong = one_in(OUT_OF_RANGE_EVERY)
    score[wrong] = rng.choice(np.array([11, 100, -2], np.int16), len(wrong))
    planted["score out of range"] = len(wrong)
    if statuses:
        stray = one_in(STRAY_EVERY)
        stray = stray[~np.isin(stray, wrong)]
        status[stray] = rng.choice(STRAY_CODES, len(stray))
    repeated = one_in(REPEATED_EVERY)
    repeated = repeated[~np.isin(repeated, wrong)]
    planted["repeated"] = len(repeated)
    # The first of the two stands right before the one that counts, with another score.
    where = np.sort(np.concatenate([np.arange(len(score)), repeated]))
    score, status = score[where], status[where]
    first = np.flatnonzero(where[1:] == where[:-1])
    score[first] = np.where(score[first] == 1, 2, 1)
    if statuses:
        known = np.isin(status, [*KIND_STATUS, 0])
        planted["stray status"] = int((~known & (np.abs(score - 4) <= 6)).sum())
    return DumpRows(chunk.user[where], chunk.anime[where], score, status, planted)


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
