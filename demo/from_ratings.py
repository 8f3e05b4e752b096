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
from app.recommender.status import Status
from demo.crowd import FIRST, Crowd, Member, Trouble, member
from demo.faults import Fault
from demo.world import Kind, Listed
from model_build.ratings import read_ratings

FAVOURITES = 10
LOVED = 8.0
UNKNOWN_TO_KITSU = 1_000_000
"""Added to MyAnimeList's id where the catalogue has none of Kitsu's."""
MINUTES = {"Movie": 100, "Music": 4}
USUAL_MINUTES = 24
_NAMES = {
    Status.WATCHING: "watching",
    Status.COMPLETED: "completed",
    Status.ON_HOLD: "on_hold",
    Status.DROPPED: "dropped",
    Status.PLAN_TO_WATCH: "plan_to_watch",
}


class RatingsCrowd(Crowd):
    """Every fan of a ratings file as a user of Kitsu.

    With ``troubled`` some are private, empty or never came back, some entries lead nowhere, pages
    shift, and requests are refused or fail now and then.
    """

    def __init__(self, file: Path, model_folder: Path, *, troubled: bool = False) -> None:
        ratings = read_ratings([file])
        order = np.lexsort((ratings.item, ratings.user))
        self._start = np.searchsorted(ratings.user[order], np.arange(len(ratings.user_ids) + 1))
        self._anime = ratings.anime_ids[ratings.item[order]]
        self._rating, self._status = ratings.rating[order], ratings.status[order]
        self._facts = _facts(model_folder, ratings.anime_ids.tolist())
        self._troubled = troubled
        shifting = range(FIRST, FIRST + len(ratings.user_ids), 13)
        trouble = Trouble(limited=400, failing=300, shifting=shifting, newcomers=True)
        super().__init__(trouble=trouble if troubled else None)
        self._made = lru_cache(64)(self._make)

    def __len__(self) -> int:
        return len(self._start) - 1

    def member(self, place: int) -> Member:
        return self._made(place)

    def _make(self, place: int) -> Member:
        if self._troubled:
            if place % 97 == 5:
                return member(place, minutes=5_000, fault=Fault.PRIVATE)
            if place % 89 == 4:
                return member(place, minutes=3_000)
            if place % 19 == 3:
                return member(place)
        rows = range(int(self._start[place]), int(self._start[place + 1]))
        entries = [self._listed(place, row) for row in rows]
        loved = sorted(
            (entry for entry in entries if entry.score >= LOVED),
            key=lambda entry: (-entry.score, entry.own_id),
        )
        favourites = [("anime", entry.own_id) for entry in loved[: place % (FAVOURITES + 1)]]
        others = [("characters", place + 1)] if place % 3 == 0 else []
        return member(place, entries, favourites=[*favourites, *others])

    def _listed(self, place: int, row: int) -> Listed:
        anime_id, score = int(self._anime[row]), float(self._rating[row])
        kitsu_id, episodes, minutes = self._facts[anime_id]
        status = Status(int(self._status[row]))
        if status is Status.UNKNOWN:
            status = Status.COMPLETED if score else Status.PLAN_TO_WATCH
        progress = episodes if status is Status.COMPLETED else episodes // 2
        draw = (31 * place + anime_id) % 1_009
        return Listed(
            None if self._troubled and draw == 4 else anime_id,
            score,
            _NAMES[status],
            media_id=kitsu_id,
            progress=0 if status is Status.PLAN_TO_WATCH else progress,
            episodes=episodes,
            minutes=minutes,
            reacted=bool(score) and draw % 53 == 10,
            reviewed=bool(score) and draw % 211 == 20,
            kind=_KINDS.get(draw, Kind.ANIME) if self._troubled else Kind.ANIME,
        )


_KINDS = {1: Kind.DELETED, 2: Kind.BARE, 3: Kind.MANGA}


def _facts(model_folder: Path, anime_ids: list[int]) -> dict[int, tuple[int, int, int]]:
    """Kitsu's id, the number of episodes and the minutes of each, by MyAnimeList's id."""
    catalogue = Catalogue.open(Model.open(model_folder).catalogue_path)
    columns = [catalogue.column(name, anime_ids) for name in ("kitsu_id", "episodes", "type")]
    return {
        anime_id: (
            kitsu_id or UNKNOWN_TO_KITSU + anime_id,
            episodes or 1,
            MINUTES.get(kind, USUAL_MINUTES),
        )
        for anime_id, kitsu_id, episodes, kind in zip(anime_ids, *columns, strict=True)
    }
