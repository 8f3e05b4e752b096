"""Which fans, and which of their scores, are kept from training."""

from __future__ import annotations

import numpy as np
import polars as pl

from app.recommender.array_types import BoolArray
from model_build.data.leakage import user_list_fingerprints
from model_build.data.ratings import Ratings
from model_build.util.errors import InputError

HIDDEN_SHARE = 0.2
MIN_SCORES = 5


def split_users(ratings: Ratings, n_users: int, seed: int) -> dict[str, pl.DataFrame]:
    """Frames ``ratings``, ``lists`` and ``holdout`` (columns user_id, anime_id, rating, status).

    ``fans`` fans with at least five scores are drawn at random; of each, a fifth of the scored
    entries is hidden (at least one). The same seed draws the same fans. A fan left whose list is
    identical to that of one drawn is left out of training as well: it is likely the same person.

    Raises:
        InputError: there are not enough such fans to leave any for training.
    """
    rng = np.random.default_rng(seed)
    scores = np.bincount(ratings.user[ratings.rated_mask], minlength=len(ratings.user_ids))
    eligible = np.flatnonzero(scores >= MIN_SCORES)
    if n_users >= len(eligible):
        raise InputError(
            f"{n_users} fans cannot be taken out of the {len(eligible)} that have "
            f"{MIN_SCORES} scores or more; ask for fewer."
        )
    held = np.zeros(len(ratings.user_ids), bool)
    held[rng.choice(eligible, n_users, replace=False)] = True
    lists = user_list_fingerprints(ratings)
    out = held[ratings.user]
    twin = np.isin(lists, lists[held])[ratings.user] & ~out
    hidden = np.zeros(len(ratings), bool)
    candidates = np.flatnonzero(out & ratings.rated_mask)
    # A random order within each fan; the first fifth of it is hidden.
    shuffled = rng.permutation(candidates)
    shuffled = shuffled[np.argsort(ratings.user[shuffled], kind="stable")]
    count = scores[ratings.user[shuffled]]
    place = np.arange(len(shuffled)) - np.searchsorted(
        ratings.user[shuffled], ratings.user[shuffled]
    )
    hidden[shuffled[place < np.maximum(1, np.rint(HIDDEN_SHARE * count))]] = True

    def frame(mask: BoolArray) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "user_id": ratings.user_ids.gather(ratings.user[mask]),
                "anime_id": ratings.anime_ids[ratings.item[mask]],
                "rating": ratings.rating[mask],
                "status": ratings.status[mask],
            }
        )

    return {"ratings": frame(~out & ~twin), "lists": frame(out & ~hidden), "holdout": frame(hidden)}
