"""Made-up lists, so that anyone can see what Hakken does without having one."""

from __future__ import annotations

from app.lists.entry import AnimeList, ListEntry
from app.recommender import WatchStatus

EXAMPLE_SLUG = "example"

_SCORES = {
    19: 10,  # Monster
    457: 9,  # Mushishi
    1: 9,  # Cowboy Bebop
    9253: 9,  # Steins;Gate
    199: 9,  # Spirited Away
    12189: 8,  # Hyouka
    2001: 8,  # Gurren Lagann
    4181: 8,  # Clannad: After Story
    1535: 7,  # Death Note
    30276: 7,  # One Punch Man
    20: 6,  # Naruto
    11757: 4,  # Sword Art Online
}

_SECOND_SCORES = {
    9253: 10,  # Steins;Gate
    199: 10,  # Spirited Away
    32281: 10,  # Your Name.
    1535: 9,  # Death Note
    4224: 9,  # Toradora!
    20: 8,  # Naruto
    16498: 8,  # Attack on Titan
    30276: 8,  # One Punch Man
    11757: 8,  # Sword Art Online
    12189: 7,  # Hyouka
    19: 7,  # Monster
    457: 5,  # Mushishi
}
_SECOND_PLANNED = (
    205,  # Samurai Champloo
    28851,  # A Silent Voice
)


def _build_list(scores: dict[int, int], plans: tuple[int, ...] = ()) -> AnimeList:
    scored = (
        ListEntry(anime_id, WatchStatus.COMPLETED, float(score))
        for anime_id, score in scores.items()
    )
    planned = (ListEntry(anime_id, WatchStatus.PLAN_TO_WATCH) for anime_id in plans)
    return AnimeList(source=EXAMPLE_SLUG, username=None, entries=(*scored, *planned))


EXAMPLE_LIST = _build_list(_SCORES)
SECOND_EXAMPLE_LIST = _build_list(_SECOND_SCORES, _SECOND_PLANNED)
"""A second one, for what two fans would both enjoy."""
