"""Collect the lists of many users from a service, to train on.

    python -m model_build collect kitsu --users 5000 --out kitsu
    python -m model_build collect myanimelist --usernames names.txt --out lists
    python -m model_build train --ratings kitsu/ratings.parquet --out model

Kitsu's users are drawn from random pages of all users, and sorted into the segments Low, Medium and
High by how much they do. Lists on MyAnimeList are those of the users whose names stand in a file.
Names are not kept. Raw answers are kept in DIR/raw: a collection that was stopped, however, goes on
where it was when it is run again. Base addresses and keys are those of the app (docs/settings.md).
"""

from __future__ import annotations

from model_build.collect.config import KitsuConfig, MyAnimeListConfig

CONFIG = {
    "kitsu": (KitsuConfig, "users from random pages, their libraries"),
    "myanimelist": (MyAnimeListConfig, "the lists of users by name"),
}
