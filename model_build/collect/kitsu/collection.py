"""The whole collection: users, their favourites and libraries, and the tables made of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
from tqdm import tqdm

from app.recommender.array_types import Float64Array
from model_build.collect.client import (
    MAX_CONSECUTIVE_FAILURES,
    RESUME_HINT,
    RequestFailed,
    RequestRejected,
)
from model_build.collect.config import ACTIVITY_SEGMENTS
from model_build.collect.kitsu.api import KitsuApi
from model_build.collect.kitsu.library import (
    ENTRY_SCHEMA,
    AnimeMetadata,
    EntryRow,
    page_cache_key,
    read_library,
)
from model_build.collect.kitsu.users import (
    COUNT_ATTRIBUTES,
    MAX_COUNT,
    KitsuUser,
    add_favourites,
    sample_kitsu_users,
)
from model_build.util.errors import InputError

RATING_WEIGHT, FAVOURITE_WEIGHT = 1.25, 1.5
PAGES_PER_LIBRARY = 1.14
"""Measured (docs/collecting.md)."""
INACCESSIBLE_LABELS = {403: "users with a private library", 404: "users who are gone"}


@dataclass(frozen=True, slots=True)
class CollectedUsers:
    """``users`` and ``interactions`` of those collected, and counts of what happened.

    Their segments are those of the whole sample of ``sample_size`` users, with ``edges`` (4,).
    """

    users: pl.DataFrame
    interactions: pl.DataFrame
    tally: Counter[str]
    sample_size: int
    edges: Float64Array


def collect_kitsu_users(
    site: KitsuApi,
    n_users: int,
    *,
    seed: int,
    skip: int = 0,
    kitsu_to_mal: Mapping[int, int],
    make_progress_bar: Callable[..., tqdm[None]],
    log: Callable[[str], None] = lambda _: None,
    rate: float | None = None,
) -> CollectedUsers:
    """Sample users and read what they have on Kitsu; what is stored is not requested again.

    Users whose library cannot be read are tried again at the end, and then counted; those of the
    first ``skip`` users are left out. ``log`` gets an estimate of the work ahead, at ``rate``
    requests a second.
    """
    tally: Counter[str] = Counter()
    with make_progress_bar(total=n_users, desc="users", unit=" user") as shown:
        users = sample_kitsu_users(
            site, n_users, tally, seed, lambda found: shown.update(found - shown.n)
        )
        if not users:
            raise InputError("Kitsu shows no user with time spent on anime or ratings.")
        users = add_favourites(site, users, tally)
    log(_remaining_work_text(site, users[skip:], rate))
    metadata = AnimeMetadata()
    frames = _read_libraries(site, users, skip, metadata, tally, make_progress_bar)
    tally.update(
        f"kinds of requests that Kitsu refused in full ({path})" for path in site.fallback_paths
    )
    favourites, table = favourites_table(users), users_table(users)
    is_new = pl.col("user_id") >= skip
    interactions = interactions_table(
        frames, favourites.filter(is_new), metadata, kitsu_to_mal, tally
    )
    edges = bin_edges(table["score"].to_numpy())
    return CollectedUsers(table.filter(is_new), interactions, +tally, len(users), edges)


def _remaining_work_text(site: KitsuApi, users: list[KitsuUser], rate: float | None) -> str:
    """Estimate how many requests are left, and for how long."""
    left = sum(not site.cache.has(page_cache_key(user.kitsu_id)) for user in users)
    words = f"{len(users):,} users drawn; {left:,} libraries are still to be read"
    if rate and left:
        minutes = math.ceil(PAGES_PER_LIBRARY * left / rate / 60)
        words += f": {minutes:,} min or more, at {rate:g} requests a second"
    return words


def _read_libraries(
    site: KitsuApi,
    users: list[KitsuUser],
    skip: int,
    metadata: AnimeMetadata,
    tally: Counter[str],
    bar: Callable[..., tqdm[None]],
) -> list[pl.DataFrame]:
    frames: list[pl.DataFrame] = []
    inaccessible: list[int] = []

    def read(number: int) -> bool:
        kitsu_id = users[number].kitsu_id
        try:
            entries = read_library(site, kitsu_id, metadata, tally)
        except RequestFailed:
            return False
        except RequestRejected as error:
            refused = f"users whose library was refused (HTTP {error.status})"
            tally[INACCESSIBLE_LABELS.get(error.status, refused)] += 1
            inaccessible.append(kitsu_id)
            _detect_blocking(site, inaccessible, error)
        else:
            inaccessible.clear()
            frames.append(entries_table(number, entries))
        shown.update()
        return True

    with bar(total=len(users) - skip, desc="libraries", unit=" user") as shown:
        later = [number for number in range(skip, len(users)) if not read(number)]
        for number in later:
            if not read(number):
                tally["users whose library could not be read yet"] += 1
    if later:
        tally["users whose library was tried again"] += len(later)
    return frames


def _detect_blocking(site: KitsuApi, inaccessible: list[int], error: RequestRejected) -> None:
    """So many private libraries in a row are no chance: the service refuses us."""
    if len(inaccessible) < MAX_CONSECUTIVE_FAILURES:
        return
    for kitsu_id in inaccessible:
        site.cache.remove(page_cache_key(kitsu_id))
    raise InputError(
        f"Kitsu has refused {len(inaccessible)} libraries in a row ({error}): it may have shut us "
        f"out. These are not counted as private; {RESUME_HINT}, perhaps with a lower --rate."
    )


def progress_bar_factory(*, quiet: bool) -> Callable[..., tqdm[None]]:
    """Return what makes progress bars on a terminal, none anywhere else."""
    return partial(tqdm, disable=quiet or None, smoothing=0.05)


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
"""More is a mistake of the user's, or of Kitsu's."""


def entries_table(user_id: int, entries: Sequence[EntryRow]) -> pl.DataFrame:
    """One user's entries."""
    frame = pl.DataFrame(entries, schema=ENTRY_SCHEMA, orient="row")
    return frame.select(pl.lit(user_id, pl.Int32).alias("user_id"), pl.all())


def users_table(users: Sequence[KitsuUser]) -> pl.DataFrame:
    """Return one row a user, numbered in the order of the sample: counts, score and segment."""
    rows = [
        {"user_id": number, **user.counts, "created": user.created}
        for number, user in enumerate(users)
    ]
    counts = dict.fromkeys(("user_id", *COUNT_ATTRIBUTES), pl.Int32)
    return add_segments(pl.DataFrame(rows, schema={**counts, "created": pl.Date}))


def bin_edges(scores: Float64Array) -> Float64Array:
    """Where the bins begin and end (4,): three of equal width from the lowest score to the highest.

    Each ends before the next begins; the last holds its end.
    """
    if not len(scores):
        return np.zeros(len(ACTIVITY_SEGMENTS) + 1)
    return np.linspace(scores.min(), scores.max(), len(ACTIVITY_SEGMENTS) + 1)


def assign_segments(scores: Float64Array) -> list[str]:
    """Return the segment of every user of (n,) scores; Low for all if all have the same."""
    if not len(scores) or scores.min() == scores.max():
        return [ACTIVITY_SEGMENTS[0]] * len(scores)
    place = np.searchsorted(bin_edges(scores)[1:-1], scores, side="right")
    return [ACTIVITY_SEGMENTS[at] for at in place.tolist()]


def add_segments(users: pl.DataFrame) -> pl.DataFrame:
    """Add ``score`` and ``segment``: how much users do, in three bins of equal width.

    The score is ln(minutes spent on anime + 1.25 ratings + 1.5 favourites), so that a bin holds
    those whose activity is of one order of magnitude. Users with no time and no ratings have none.
    """
    weighed = (
        pl.col("life_spent_on_anime")
        + RATING_WEIGHT * pl.col("ratings")
        + FAVOURITE_WEIGHT * pl.col("favorites")
    )
    scored = users.with_columns(weighed.log().cast(pl.Float64).alias("score"))
    segments = assign_segments(scored["score"].to_numpy())
    return scored.with_columns(pl.Series("segment", segments, pl.String))


def interactions_table(
    entries: Sequence[pl.DataFrame],
    favourites: pl.DataFrame,
    metadata: AnimeMetadata,
    kitsu_to_mal: Mapping[int, int],
    tally: Counter[str],
) -> pl.DataFrame:
    """Return what users did with anime that MyAnimeList has, as `INTERACTIONS_SCHEMA`.

    ``favourites`` are as `favourites_table` has them; ``kitsu_to_mal`` is for anime of which Kitsu
    does not know MyAnimeList's id.
    """
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
        # Kitsu splits some anime of MyAnimeList: status and score are those of the scored part,
        # the rest is summed up.
        pl.struct("status", "rating")
        .sort_by(
            pl.col("rating") > 0,
            pl.col("status") > 0,
            pl.col("kitsu_anime"),
            descending=[True, True, False],
        )
        .first()
        .alias("entry"),
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
        pairs.unnest("entry")
        .with_columns(pl.col("progress", "minutes").clip(0, MAX_COUNT))
        .select(pl.col(name).cast(kind) for name, kind in INTERACTIONS_SCHEMA.items())
        .sort("user_id", "anime_id")
    )


def ratings_table(interactions: pl.DataFrame) -> pl.DataFrame:
    """Return what ``train --ratings`` takes: all entries of libraries, with or without a score."""
    listed = interactions.filter((pl.col("status") > 0) | (pl.col("rating") > 0))
    return listed.select("user_id", "anime_id", "rating", "status")


def favourites_table(users: Sequence[KitsuUser]) -> pl.DataFrame:
    """Return pairs of ``user_id``, numbered in the order of the sample, and ``kitsu_anime``."""
    pairs = [
        (number, anime)
        for number, user in enumerate(users)
        for anime in sorted(user.favourites or ())
    ]
    return pl.DataFrame(pairs, schema={"user_id": pl.Int32, "kitsu_anime": pl.Int64}, orient="row")


def _anime_table(metadata: AnimeMetadata, kitsu_to_mal: Mapping[int, int]) -> pl.DataFrame:
    """``anime_id`` (null if not known), ``episodes`` and ``length`` by ``kitsu_anime``."""
    ids = sorted({*metadata.episodes, *metadata.mal_id, *kitsu_to_mal})
    rows = [
        (
            number,
            metadata.mal_id.get(number) or kitsu_to_mal.get(number),
            metadata.episodes.get(number, 0),
            metadata.minutes.get(number, 0),
            number in metadata.episodes,
        )
        for number in ids
    ]
    numbers = dict.fromkeys(("kitsu_anime", "anime_id", "episodes", "length"), pl.Int64)
    return pl.DataFrame(rows, schema={**numbers, "known": pl.Boolean}, orient="row")


def _count_unmapped(both: pl.DataFrame, tally: Counter[str]) -> None:
    unmapped = both.filter(pl.col("anime_id").is_null())
    entry, known = unmapped["status"].is_not_null(), unmapped["known"].fill_null(value=False)
    tally["entries whose anime is deleted"] += int((entry & ~known).sum())
    tally["entries whose anime MyAnimeList does not have"] += int((entry & known).sum())
    tally["favourites without an entry and without MyAnimeList's id"] += int((~entry).sum())
