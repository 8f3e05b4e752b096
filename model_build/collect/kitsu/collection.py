"""The whole collection: users, their favourites, their libraries, and what became of them."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl
from tqdm import tqdm

from model_build.collect.backoff import MAX_CONSECUTIVE_FAILURES, RESUME_HINT
from model_build.collect.client import RequestFailed, RequestRejected
from model_build.collect.kitsu.api import KitsuApi
from model_build.collect.kitsu.favourites import add_favourites
from model_build.collect.kitsu.library import AnimeMetadata, page_cache_key, read_library
from model_build.collect.kitsu.tables import entries_table, interactions_table, users_table
from model_build.collect.kitsu.users import KitsuUser, sample_kitsu_users
from model_build.util.errors import InputError

PAGES_PER_LIBRARY = 1.14
"""Requests a library, as measured (docs/collecting.md)."""
INACCESSIBLE_LABELS = {403: "users with a private library", 404: "users who are gone"}


@dataclass(frozen=True, slots=True)
class CollectedUsers:
    """``users`` and ``interactions`` of all that were drawn, and how often what happened."""

    users: pl.DataFrame
    interactions: pl.DataFrame
    tally: Counter[str]


def collect_kitsu_users(
    site: KitsuApi,
    n_users: int,
    *,
    seed: int,
    kitsu_to_mal: Mapping[int, int],
    make_progress_bar: Callable[..., tqdm[None]],
    log: Callable[[str], None] = lambda _: None,
    rate: float | None = None,
) -> CollectedUsers:
    """Draw users and read what they have on Kitsu; what is kept is not asked for again.

    Users whose library cannot be read now are tried again at the end, and then counted. ``bar``
    makes a progress bar; ``say`` is told what is ahead, at ``rate`` requests a second.

    Raises:
        InputError: Kitsu refuses, is gone, or has no active user.
    """
    tally: Counter[str] = Counter()
    with make_progress_bar(total=n_users, desc="users", unit=" user") as shown:
        users = sample_kitsu_users(
            site, n_users, tally, seed, lambda found: _update_bar(shown, found)
        )
        if not users:
            raise InputError("Kitsu shows no user with time spent on anime or ratings.")
        users = add_favourites(site, users, tally)
    log(_remaining_work_text(site, users, rate))
    facts = AnimeMetadata()
    frames = _read_libraries(site, users, facts, tally, make_progress_bar)
    tally.update(
        f"kinds of requests that Kitsu refused in full ({path})" for path in site.fallback_paths
    )
    return CollectedUsers(
        users_table(users), interactions_table(frames, users, facts, kitsu_to_mal, tally), +tally
    )


def _remaining_work_text(site: KitsuApi, users: list[KitsuUser], rate: float | None) -> str:
    """What is still to be asked for, and for how long at least."""
    left = sum(not site.cache.has(page_cache_key(user.kitsu_id)) for user in users)
    words = f"{len(users):,} users drawn; {left:,} libraries are still to be read"
    if rate and left:
        minutes = math.ceil(PAGES_PER_LIBRARY * left / rate / 60)
        words += f": {minutes:,} min or more, at {rate:g} requests a second"
    return words


def _read_libraries(
    site: KitsuApi,
    users: list[KitsuUser],
    facts: AnimeMetadata,
    tally: Counter[str],
    bar: Callable[..., tqdm[None]],
) -> list[pl.DataFrame]:
    frames: list[pl.DataFrame] = []
    later: list[int] = []
    closed: list[int] = []

    def read(number: int) -> None:
        kitsu_id = users[number].kitsu_id
        try:
            entries = read_library(site, kitsu_id, facts, tally)
        except RequestRejected as error:
            refused = f"users whose library was refused (HTTP {error.status})"
            tally[INACCESSIBLE_LABELS.get(error.status, refused)] += 1
            closed.append(kitsu_id)
            _detect_blocking(site, closed, error)
        else:
            closed.clear()
            frames.append(entries_table(number, entries))

    with bar(total=len(users), desc="libraries", unit=" user") as shown:
        for number in range(len(users)):
            try:
                read(number)
                shown.update()
            except RequestFailed:
                later.append(number)
        for number in later:
            try:
                read(number)
                shown.update()
            except RequestFailed:
                tally["users whose library could not be read yet"] += 1
    if later:
        tally["users whose library was tried again"] += len(later)
    return frames


def _detect_blocking(site: KitsuApi, closed: list[int], error: RequestRejected) -> None:
    """So many closed libraries one after the other are no chance: it is us who are refused."""
    if len(closed) < MAX_CONSECUTIVE_FAILURES:
        return
    for kitsu_id in closed:
        site.cache.remove(page_cache_key(kitsu_id))
    raise InputError(
        f"Kitsu has refused {len(closed)} libraries in a row ({error}): it may have shut us out. "
        f"These are not counted as private; {RESUME_HINT}, perhaps with a lower --rate."
    )


def _update_bar(bar: tqdm[None], found: int) -> None:
    bar.update(found - bar.n)


def progress_bar_factory(*, quiet: bool) -> Callable[..., tqdm[None]]:
    """Makes progress bars on a terminal, none anywhere else."""

    def make(**how: object) -> tqdm[None]:
        return tqdm(disable=quiet or not sys.stderr.isatty(), smoothing=0.05, **how)

    return make
