"""Is a fan that a model is measured on in its training ratings, under this id or another?"""

from __future__ import annotations

import numpy as np
import polars as pl

from app.recommender.array_types import UInt64Array
from model_build.data.ratings import Ratings, index_ratings
from model_build.util.errors import InputError


def user_list_fingerprints(ratings: Ratings) -> UInt64Array:
    """A number for every fan's list, (users,): equal for lists of the same anime and scores.

    The sum modulo 2^64 of a mixed hash of every entry, so the order of the rows does not matter;
    two different lists agree by chance once in 2^64. Statuses are left out: they change between two
    crawls of the same list.
    """
    # Scores are compared in hundredths.
    scores = np.rint(ratings.rating * 100).astype(np.uint64)
    entry = _splitmix64(ratings.anime_ids[ratings.item].astype(np.uint64) << np.uint64(16) | scores)
    total = np.zeros(len(ratings.user_ids), np.uint64)
    np.add.at(total, ratings.user, entry)
    return total


def check_no_leakage(training: Ratings, lists: Ratings, holdout: Ratings) -> None:
    """Check that none of the fans to measure on was trained on.

    Raises:
        InputError: a fan's id is among the training ratings, or a list there is identical to what
            a fan's visible and hidden entries are together.
    """
    whole = _merge_ratings(lists, holdout)
    trained = {str(user) for user in training.user_ids.to_list()}
    known = next((user for user in whole.user_ids.to_list() if str(user) in trained), None)
    if known is not None:
        raise InputError(
            f"user {known} is to be measured on and is among the training ratings, too; "
            "what is measured must not have been trained on."
        )
    _, held, other = np.intersect1d(
        user_list_fingerprints(whole), user_list_fingerprints(training), return_indices=True
    )
    if len(held):
        raise InputError(
            f"user {whole.user_ids[int(held[0])]}: the same list stands in the training ratings "
            f"as that of user {training.user_ids[int(other[0])]}; "
            "what is measured must not have been trained on."
        )


def _merge_ratings(lists: Ratings, holdout: Ratings) -> Ratings:
    frames = [
        pl.DataFrame(
            {
                "user_id": part.user_ids.gather(part.user).cast(pl.String),
                "anime_id": part.anime_ids[part.item],
                "rating": part.rating,
                "status": part.status,
            }
        )
        for part in (lists, holdout)
    ]
    return index_ratings(pl.concat(frames))


def _splitmix64(value: UInt64Array) -> UInt64Array:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014): every bit depends on all."""
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
