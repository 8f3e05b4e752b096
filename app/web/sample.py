"""A made-up list, so that anyone can see what Hakken does without having one."""

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

SAMPLE = FanList(
    source=SLUG,
    username=None,
    entries=tuple(
        ListEntry(anime_id, Status.COMPLETED, float(score)) for anime_id, score in _SCORES.items()
    ),
)
