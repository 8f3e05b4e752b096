"""A list file in the recommender's form."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from app.recommender import UserList
from model_build.data.ratings import read_list_frame


def read_user_list(path: Path) -> UserList:
    """The list in a file with the columns anime_id, rating and optionally status.

    Raises:
        InputError: there is no such file, or it is no list.
    """
    entries = read_list_frame(path)
    return UserList(
        entries["anime_id"].to_numpy().astype(np.int64),
        entries["rating"].to_numpy(),
        entries["status"].to_numpy(),
    )
