"""From what was read to the tables that are trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import polars as pl

from model_build.collect.kitsu.library import ENTRY_SCHEMA, AnimeMetadata, EntryRow
from model_build.collect.kitsu.users import COUNT_ATTRIBUTES, MAX_COUNT, KitsuUser
from model_build.collect.segments import add_segments

INTERACTIONS_SCHEMA = {
    "user_id": pl.Int32,
    "anime_id": pl.Int32,
    "status": pl.Int8,
    "rating": pl.Int8,
    "favourite": pl.Boolean,
    "commented": pl.Boolean,
    "reviewed": pl.Boolean,
    "progress": pl.Int32,
    "minutes": pl.Int32,
    "started": pl.Date,
    "finished": pl.Date,
    "updated": pl.Date,
}
"""The columns of ``interactions.parquet``, sorted by user and anime, each pair once."""
MAX_EPISODES, MAX_MINUTES = 1_000_000, 10_000
"""More than that is a slip of the user's, or of Kitsu's."""


def entries_table(user_id: int, entries: Sequence[EntryRow]) -> pl.DataFrame:
    """One user's entries."""
    frame = pl.DataFrame(entries, schema=ENTRY_SCHEMA, orient="row")
    return frame.select(pl.lit(user_id, pl.Int32).alias("user_id"), pl.all())


def users_table(users: Sequence[KitsuUser]) -> pl.DataFrame:
    """A row a user, numbered in the order of the sample, with counts, score and segment."""
    columns: dict[str, pl.Series] = {
        "user_id": pl.Series(range(len(users)), dtype=pl.Int32),
        **{
            name: pl.Series([user.counts[name] for user in users], dtype=pl.Int32)
            for name in COUNT_ATTRIBUTES
        },
        "created": pl.Series([user.created for user in users], dtype=pl.Date),
    }
    return add_segments(pl.DataFrame(columns))


def interactions_table(
    entries: Sequence[pl.DataFrame],
    users: Sequence[KitsuUser],
    metadata: AnimeMetadata,
    kitsu_to_mal: Mapping[int, int],
    tally: Counter[str],
) -> pl.DataFrame:
    """All that users did with anime that MyAnimeList has, by its ids (`INTERACTIONS`).

    ``kitsu_to_mal`` is asked where Kitsu itself does not know the id.
    """
    favourites = _favourites_table(users)
    every = pl.concat([entries_table(0, []), *entries])
    anime = _anime_table(metadata, kitsu_to_mal)
    tally["favourites in no library"] += len(
        favourites.join(every, on=["user_id", "kitsu_anime"], how="anti")
    )
    both = every.join(
        favourites.with_columns(favourite=True),
        on=["user_id", "kitsu_anime"],
        how="full",
        coalesce=True,
    ).join(anime, on="kitsu_anime", how="left", maintain_order="left")
    _count_unmapped(both, tally)
    found = both.filter(pl.col("anime_id").is_not_null()).with_columns(
        pl.col("status", "rating").fill_null(0),
        pl.col("favourite", "commented", "reviewed").fill_null(value=False),
        pl.col("progress", "repeats").fill_null(0).cast(pl.Int64),
    )
    watched = (pl.col("progress") + pl.col("repeats") * pl.col("episodes")).clip(0, MAX_EPISODES)
    pairs = found.group_by("user_id", "anime_id").agg(
        # Kitsu splits some titles that MyAnimeList keeps as one: the scored half speaks, and what
        # was done with either was done.
        pl.struct("status", "rating")
        .sort_by(
            pl.col("rating") > 0,
            pl.col("status") > 0,
            pl.col("kitsu_anime"),
            descending=[True, True, False],
        )
        .first()
        .alias("said"),
        pl.col("favourite", "commented", "reviewed").any(),
        pl.col("progress").sum(),
        (watched * pl.col("length").clip(0, MAX_MINUTES)).sum().alias("minutes"),
        pl.col("started").min(),
        pl.col("finished").max(),
        pl.col("updated").max(),
        pl.len().alias("parts"),
    )
    tally["entries that are one anime on MyAnimeList"] += int((pairs["parts"] - 1).sum())
    return (
        pairs.unnest("said")
        .with_columns(pl.col("progress", "minutes").clip(0, MAX_COUNT))
        .select(pl.col(name).cast(kind) for name, kind in INTERACTIONS_SCHEMA.items())
        .sort("user_id", "anime_id")
    )


def ratings_table(interactions: pl.DataFrame) -> pl.DataFrame:
    """What ``train --ratings`` takes: all that stands in a library, with or without a score."""
    listed = interactions.filter((pl.col("status") > 0) | (pl.col("rating") > 0))
    return listed.select("user_id", "anime_id", "rating", "status")


def _favourites_table(users: Sequence[KitsuUser]) -> pl.DataFrame:
    pairs = [
        (number, anime)
        for number, user in enumerate(users)
        for anime in sorted(user.favourites or ())
    ]
    return pl.DataFrame(pairs, schema={"user_id": pl.Int32, "kitsu_anime": pl.Int64}, orient="row")


def _anime_table(facts: AnimeMetadata, kitsu_to_mal: Mapping[int, int]) -> pl.DataFrame:
    """``anime_id`` (null if not known), ``episodes`` and ``length`` by ``kitsu_anime``."""
    ids = sorted({*facts.episodes, *facts.mal_id, *kitsu_to_mal})
    return pl.DataFrame(
        {
            "kitsu_anime": ids,
            "anime_id": [facts.mal_id.get(number) or kitsu_to_mal.get(number) for number in ids],
            "episodes": [facts.episodes.get(number, 0) for number in ids],
            "length": [facts.minutes.get(number, 0) for number in ids],
            "known": [number in facts.episodes for number in ids],
        },
        schema={
            "kitsu_anime": pl.Int64,
            "anime_id": pl.Int64,
            "episodes": pl.Int64,
            "length": pl.Int64,
            "known": pl.Boolean,
        },
    )


def _count_unmapped(both: pl.DataFrame, tally: Counter[str]) -> None:
    lost = both.filter(pl.col("anime_id").is_null())
    entry, known = lost["status"].is_not_null(), lost["known"].fill_null(value=False)
    tally["entries whose anime is deleted"] += int((entry & ~known).sum())
    tally["entries whose anime MyAnimeList does not have"] += int((entry & known).sum())
    tally["favourites without an entry and without MyAnimeList's id"] += int((~entry).sum())
