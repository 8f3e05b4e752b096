"""A crowd made from a file of ratings, so that collecting can be tried on thousands of users.

Who listed what, with which score and status, is the file's. Made up, the same way every time, is
what a ratings file does not say: progress (from the number of episodes), favourites (a fan's
top-scored), who wrote about what, and all counts. A status that was not recorded becomes completed
where there is a score and planned where there is none.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from app.catalogue import Catalogue
from app.recommender import Model
from app.recommender.watch_status import WatchStatus
from demo.data import DemoEntry, EntryKind
from demo.faults import Fault
from demo.kitsu_users import (
    FIRST_USER_ID,
    DemoKitsuUser,
    FaultPlan,
    KitsuUsers,
    favourite_anime,
    make_kitsu_user,
)
from model_build.data.ratings import read_ratings

MAX_FAVOURITES = 10
FAVOURITE_SCORE = 8.0
FALLBACK_ID_OFFSET = 1_000_000
"""Added to MyAnimeList's id where the catalogue has none of Kitsu's."""
EPISODE_MINUTES = {"Movie": 100, "Music": 4}
DEFAULT_EPISODE_MINUTES = 24


class RatingsKitsuUsers(KitsuUsers):
    """Every fan of a ratings file as a user of Kitsu.

    With ``with_faults`` some are private, empty or never came back, some entries lead nowhere,
    pages shift, and requests are refused or fail now and then.
    """

    def __init__(self, file: Path, model_folder: Path, *, with_faults: bool = False) -> None:
        ratings = read_ratings([file])
        order = np.lexsort((ratings.item, ratings.user))
        self._indptr = np.searchsorted(ratings.user[order], np.arange(len(ratings.user_ids) + 1))
        self._anime = ratings.anime_ids[ratings.item[order]]
        self._rating, self._status = ratings.rating[order], ratings.status[order]
        self._anime_facts = _catalogue_facts(model_folder, ratings.anime_ids.tolist())
        self._with_faults = with_faults
        shifting = range(FIRST_USER_ID, FIRST_USER_ID + len(ratings.user_ids), 13)
        trouble = FaultPlan(
            rate_limited_every=400, failing_every=300, shifting_ids=shifting, add_new_users=True
        )
        super().__init__(fault_plan=trouble if with_faults else None)
        self._cached_user = lru_cache(64)(self._make_user)

    def __len__(self) -> int:
        return len(self._indptr) - 1

    def user_at(self, index: int) -> DemoKitsuUser:
        return self._cached_user(index)

    def _make_user(self, index: int) -> DemoKitsuUser:
        if self._with_faults:
            if index % 97 == 5:
                return make_kitsu_user(index, minutes_watched=5_000, fault=Fault.PRIVATE)
            if index % 89 == 4:
                return make_kitsu_user(index, minutes_watched=3_000)
            if index % 19 == 3:
                return make_kitsu_user(index)
        rows = range(int(self._indptr[index]), int(self._indptr[index + 1]))
        entries = [self._make_entry(index, row) for row in rows]
        favourites = favourite_anime(entries, FAVOURITE_SCORE, index % (MAX_FAVOURITES + 1))
        others = [("characters", index + 1)] if index % 3 == 0 else []
        return make_kitsu_user(index, entries, favourites=[*favourites, *others])

    def _make_entry(self, index: int, row: int) -> DemoEntry:
        anime_id, score = int(self._anime[row]), float(self._rating[row])
        kitsu_id, episodes, minutes = self._anime_facts[anime_id]
        status = WatchStatus(int(self._status[row]))
        if status is WatchStatus.UNKNOWN:
            status = WatchStatus.COMPLETED if score else WatchStatus.PLAN_TO_WATCH
        progress = episodes if status is WatchStatus.COMPLETED else episodes // 2
        draw = (31 * index + anime_id) % 1_009
        return DemoEntry(
            None if self._with_faults and draw == 4 else anime_id,
            score,
            status.slug,
            media_id=kitsu_id,
            progress=0 if status is WatchStatus.PLAN_TO_WATCH else progress,
            episodes=episodes,
            minutes=minutes,
            reacted=bool(score) and draw % 53 == 10,
            reviewed=bool(score) and draw % 211 == 20,
            kind=_ENTRY_KINDS.get(draw, EntryKind.ANIME) if self._with_faults else EntryKind.ANIME,
        )


_ENTRY_KINDS = {1: EntryKind.DELETED, 2: EntryKind.BARE, 3: EntryKind.MANGA}


def _catalogue_facts(model_folder: Path, anime_ids: list[int]) -> dict[int, tuple[int, int, int]]:
    """Kitsu's id, the number of episodes and the minutes of each, by MyAnimeList's id."""
    catalogue = Catalogue.open(Model.open(model_folder).catalogue_path)
    columns = [
        catalogue.column_values(name, anime_ids) for name in ("kitsu_id", "episodes", "type")
    ]
    return {
        anime_id: (
            kitsu_id or FALLBACK_ID_OFFSET + anime_id,
            episodes or 1,
            EPISODE_MINUTES.get(kind, DEFAULT_EPISODE_MINUTES),
        )
        for anime_id, kitsu_id, episodes, kind in zip(anime_ids, *columns, strict=True)
    }
