"""Made-up lists, so that anyone can see what Hakken does without having one."""

from __future__ import annotations

from app.lists.entry import FanList, ListEntry
from app.recommender import Status

SLUG = "example"

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

_OTHER_SCORES = {
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
_OTHER_PLANS = (
    205,  # Samurai Champloo
    28851,  # A Silent Voice
)


def _list(scores: dict[int, int], plans: tuple[int, ...] = ()) -> FanList:
    scored = (
        ListEntry(anime_id, Status.COMPLETED, float(score)) for anime_id, score in scores.items()
    )
    planned = (ListEntry(anime_id, Status.PLAN_TO_WATCH) for anime_id in plans)
    return FanList(source=SLUG, username=None, entries=(*scored, *planned))


SAMPLE = _list(_SCORES)
OTHER_SAMPLE = _list(_OTHER_SCORES, _OTHER_PLANS)
"""A second one, for what two fans would both enjoy."""
