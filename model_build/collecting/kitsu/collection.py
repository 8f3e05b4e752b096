"""The whole collection: users, their favourites, their libraries, and what became of them."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl
from tqdm import tqdm

from model_build.collecting.asking import Refused, Unanswered
from model_build.collecting.kitsu.favourites import with_favourites
from model_build.collecting.kitsu.library import AnimeFacts, page_name, read_library
from model_build.collecting.kitsu.site import Site
from model_build.collecting.kitsu.tables import entries_frame, interactions_table, users_table
from model_build.collecting.kitsu.users import User, draw_users
from model_build.collecting.patience import IN_A_ROW, KEPT
from model_build.errors import InputError

USUAL_PAGES = 1.14
"""Requests a library, as measured (docs/collecting.md)."""
CLOSED_WORDS = {403: "users with a private library", 404: "users who are gone"}


@dataclass(frozen=True, slots=True)
class Collected:
    """``users`` and ``interactions`` of all that were drawn, and how often what happened."""

    users: pl.DataFrame
    interactions: pl.DataFrame
    tally: Counter[str]


def collect(
    site: Site,
    wanted: int,
    *,
    seed: int,
    kitsu_to_mal: Mapping[int, int],
    bar: Callable[..., tqdm[None]],
    say: Callable[[str], None] = lambda _: None,
    rate: float | None = None,
) -> Collected:
    """Draw users and read what they have on Kitsu; what is kept is not asked for again.

    Users whose library cannot be read now are tried again at the end, and then counted. ``bar``
    makes a progress bar; ``say`` is told what is ahead, at ``rate`` requests a second.

    Raises:
        InputError: Kitsu refuses, is gone, or has no active user.
    """
    tally: Counter[str] = Counter()
    with bar(total=wanted, desc="users", unit=" user") as shown:
        users = draw_users(site, wanted, tally, seed, lambda found: _show(shown, found))
        if not users:
            raise InputError("Kitsu shows no user with time spent on anime or ratings.")
        users = with_favourites(site, users, tally)
    say(_ahead(site, users, rate))
    facts = AnimeFacts()
    frames = _libraries(site, users, facts, tally, bar)
    tally.update(f"kinds of requests that Kitsu refused in full ({path})" for path in site.plain)
    return Collected(
        users_table(users),
        interactions_table(frames, users, facts, kitsu_to_mal, tally),
        +tally,
    )


def _ahead(site: Site, users: list[User], rate: float | None) -> str:
    """What is still to be asked for, and for how long at least."""
    left = sum(not site.answers.has(page_name(user.kitsu_id)) for user in users)
    words = f"{len(users):,} users drawn; {left:,} libraries are still to be read"
    if rate and left:
        minutes = math.ceil(USUAL_PAGES * left / rate / 60)
        words += f": {minutes:,} min or more, at {rate:g} requests a second"
    return words


def _libraries(
    site: Site,
    users: list[User],
    facts: AnimeFacts,
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
        except Refused as error:
            refused = f"users whose library was refused (HTTP {error.status})"
            tally[CLOSED_WORDS.get(error.status, refused)] += 1
            closed.append(kitsu_id)
            _refuse_to_be_shut_out(site, closed, error)
        else:
            closed.clear()
            frames.append(entries_frame(number, entries))

    with bar(total=len(users), desc="libraries", unit=" user") as shown:
        for number in range(len(users)):
            try:
                read(number)
                shown.update()
            except Unanswered:
                later.append(number)
        for number in later:
            try:
                read(number)
                shown.update()
            except Unanswered:
                tally["users whose library could not be read yet"] += 1
    if later:
        tally["users whose library was tried again"] += len(later)
    return frames


def _refuse_to_be_shut_out(site: Site, closed: list[int], error: Refused) -> None:
    """So many closed libraries one after the other are no chance: it is us who are refused."""
    if len(closed) < IN_A_ROW:
        return
    for kitsu_id in closed:
        site.answers.forget(page_name(kitsu_id))
    raise InputError(
        f"Kitsu has refused {len(closed)} libraries in a row ({error}): it may have shut us out. "
        f"These are not counted as private; {KEPT}, perhaps with a lower --rate."
    )


def _show(bar: tqdm[None], found: int) -> None:
    bar.update(found - bar.n)


def silent_unless_asked(*, quiet: bool) -> Callable[..., tqdm[None]]:
    """Makes progress bars on a terminal, none anywhere else."""

    def make(**how: object) -> tqdm[None]:
        return tqdm(disable=quiet or not sys.stderr.isatty(), smoothing=0.05, **how)

    return make
