"""What is held out of ratings to measure a model on.

- `split_users`: whole users; of each a fifth of the scores is hidden.
- `cross_fit_splits`: all users in turn.
- `split_pairs`: a fifth of everybody's scores and likes.
- `hide_scores`: a fifth of the scores of given users, by positions (for early stopping).
- `truncate_history`: the same users with shorter lists; `redraw_hidden`: with others hidden.

Everything is drawn with a seed; the same seed holds out the same. `check_no_leakage` makes sure
that what was held out was not trained on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from app.recommender import UserList
from app.recommender.array_types import (
    BoolArray,
    Float64Array,
    Int8Array,
    Int32Array,
    Int64Array,
    UInt64Array,
)
from app.recommender.arrays import find_positions
from app.recommender.engines.base import like_labels
from app.recommender.user_list import KnownEntries
from model_build.data.catalogue import read_table
from model_build.data.config import SplitConfig
from model_build.data.grouping import rows_by_user
from model_build.data.ratings import Ratings, index_ratings, read_ratings
from model_build.util.errors import InputError
from model_build.util.hashing import splitmix64

HIDDEN_SHARE = 0.2
MIN_SCORES = 5

HoldoutFrames = dict[str, pl.DataFrame]
"""``ratings`` to train on, ``lists`` to show the model, ``holdout`` to find, each with the columns
user_id, anime_id, rating, status and collected."""


@dataclass(frozen=True, slots=True)
class HoldoutUser:
    """A user's visible list and hidden entries (ids int64, scores float64 with 0 for none).

    ``excluded_ids`` are neither shown to the model nor to be found by it: what was cut from a list
    to make it short. ``collected`` is the year in which the list was read, 0 for unknown.
    """

    visible: UserList
    hidden_ids: Int64Array
    hidden_scores: Float64Array
    excluded_ids: Int64Array = field(default_factory=lambda: np.empty(0, np.int64))
    hidden_status: Int8Array = field(default_factory=lambda: np.empty(0, np.int8))
    user_id: str = ""
    collected: int = 0


@dataclass(frozen=True, slots=True)
class ValidationUser:
    """A user left out to stop training by; positions are those in the ratings' anime."""

    visible: KnownEntries
    hidden: KnownEntries


def split_users(
    ratings: Ratings, n_users: int, seed: int, collected_since: int | None = None
) -> HoldoutFrames:
    """Take users out of the ratings, and hide a fifth of the scores of each.

    Drawn are users with at least five scores; at least one score of each is hidden. A user whose
    list is identical to that of one drawn is not trained on either: it is likely the same person.
    With ``collected_since`` only lists that are known to be of that year or later are drawn.

    Raises
    ------
    InputError
        There are not enough such users, or not two others with a score for training; or no list
        has a year.
    """
    rng = np.random.default_rng(seed)
    scores = np.bincount(ratings.user[ratings.rated_mask], minlength=len(ratings.user_ids))
    is_eligible = scores >= MIN_SCORES
    max_users, condition = int(is_eligible.sum()) - 1, ""
    if collected_since is not None:
        is_eligible &= _collected_since_mask(ratings, collected_since)
        condition = f" and a list of {collected_since} or later"
    eligible = np.flatnonzero(is_eligible)
    if n_users > min(max_users, len(eligible)):
        raise InputError(
            f"{n_users} fans cannot be taken out of the {len(eligible)} that have "
            f"{MIN_SCORES} scores or more{condition}; ask for fewer."
        )
    drawn = np.zeros(len(ratings.user_ids), bool)
    drawn[rng.choice(eligible, n_users, replace=False)] = True
    split = _hold_out(ratings, drawn, scores, rng)
    if not _can_be_trained_on(split["ratings"]):
        raise InputError(
            f"{n_users} fans taken out, and all whose lists are identical to theirs, leave fewer "
            "than two to train on, or nobody with a score; ask for fewer."
        )
    return split


def cross_fit_splits(ratings: Ratings, n_folds: int, seed: int) -> Iterator[HoldoutFrames]:
    """Hold out every user once, a share of them at a time, each as `split_users` does.

    Users with fewer than five scores are always trained on. A share that leaves nothing to train
    on, because all lists are identical, is left out.
    """
    rng = np.random.default_rng(seed)
    scores = np.bincount(ratings.user[ratings.rated_mask], minlength=len(ratings.user_ids))
    fold = rng.permutation(len(ratings.user_ids)) % n_folds
    for number in range(n_folds):
        split = _hold_out(ratings, (fold == number) & (scores >= MIN_SCORES), scores, rng)
        if _can_be_trained_on(split["ratings"]):
            yield split


def _can_be_trained_on(training: pl.DataFrame) -> bool:
    """Whether entries are of two users or more, and somebody scored something."""
    return training["user_id"].n_unique() > 1 and bool((training["rating"] > 0).any())


def _hold_out(
    ratings: Ratings, drawn: BoolArray, scores: Int64Array, rng: np.random.Generator
) -> HoldoutFrames:
    """Take the ``drawn`` (users,) out, who have ``scores`` (users,), and hide a fifth of these."""
    out = drawn[ratings.user]
    lists = user_list_fingerprints(ratings)
    duplicate = np.isin(lists, lists[drawn])[ratings.user] & ~out
    hidden = sample_per_user(ratings.user, np.flatnonzero(out & ratings.rated_mask), scores, rng)
    frame = _entries_frame(ratings)
    return {
        "ratings": frame.filter(~out & ~duplicate),
        "lists": frame.filter(out & ~hidden),
        "holdout": frame.filter(hidden),
    }


def _collected_since_mask(ratings: Ratings, year: int) -> BoolArray:
    """Where a list is known to be of this year or later, (users,); InputError: none has a year."""
    collected = ratings.user_collected
    if not collected.any():
        raise InputError(
            f"lists of {year} or later cannot be told from others: the ratings have no column "
            "collected, or no year in it."
        )
    return np.asarray(collected >= year)


def split_pairs(ratings: Ratings, n_users: int, seed: int) -> HoldoutFrames:
    """Hide each score and each like or dislike with a chance of a fifth; some users are measured.

    The lists are among the ratings to train on.

    Raises
    ------
    InputError
        Fewer than ``n_users`` have something hidden, or fewer than two users are left something.
    """
    rng = np.random.default_rng(seed)
    is_target = ratings.rated_mask | (like_labels(ratings.rating, ratings.status) >= 0)
    hidden = is_target & (rng.random(len(ratings)) < HIDDEN_SHARE)
    able = np.unique(ratings.user[hidden])
    if n_users > len(able):
        raise InputError(f"{n_users} fans cannot be measured on, {len(able)} have pairs to hide.")
    measured = np.isin(ratings.user, rng.choice(able, n_users, replace=False))
    frame = _entries_frame(ratings)
    if not _can_be_trained_on(frame.filter(~hidden)):
        raise InputError(
            "a fifth of the pairs hidden leaves fewer than two fans to train on, or nobody with a "
            "score; add ratings."
        )
    return {
        "ratings": frame.filter(~hidden),
        "lists": frame.filter(~hidden & measured),
        "holdout": frame.filter(hidden & measured),
    }


def hide_scores(
    ratings: Ratings, users: Int64Array, rng: np.random.Generator
) -> list[ValidationUser]:
    """Hide a fifth of the scored entries of each of ``users`` (indices, (u,)), at least one."""
    rows_of = rows_by_user(ratings.user, len(ratings.user_ids))
    found = []
    for user in users.tolist():
        rows = rows_of[user]
        hidden = _draw_hidden_scores(rows[ratings.rated_mask[rows]], rng)
        found.append(
            ValidationUser(
                entries_of_rows(ratings, np.setdiff1d(rows, hidden)),
                entries_of_rows(ratings, np.sort(hidden)),
            )
        )
    return found


def _draw_hidden_scores(scored: Int64Array, rng: np.random.Generator) -> Int64Array:
    """Draw a fifth of a user's scored entries (s,), at least one."""
    return rng.permutation(scored)[: max(1, round(HIDDEN_SHARE * len(scored)))]


def entries_of_rows(ratings: Ratings, rows: Int64Array) -> KnownEntries:
    """Rows (r,) of one user as a list, by ascending position in the ratings' anime."""
    rows = rows[np.argsort(ratings.item[rows], kind="stable")]
    return KnownEntries(
        ratings.item[rows].astype(np.int64),
        ratings.rating[rows],
        ratings.status[rows],
        np.zeros(len(rows), bool),
    )


def join_holdout(lists: Ratings, holdout: Ratings, *, rated_only: bool = True) -> list[HoldoutUser]:
    """Join visible and hidden entries by user id; a user without a visible list has an empty one.

    With ``rated_only`` hidden entries without a score are left out.

    Raises
    ------
    InputError
        The two share no user, or an anime is both visible and hidden.
    """
    visible = dict(zip(map(str, lists.user_ids), _user_lists(lists), strict=True))
    nothing = UserList.from_entries([])
    users = []
    for user, hidden, year in zip(
        map(str, holdout.user_ids),
        _user_lists(holdout),
        holdout.user_collected.tolist(),
        strict=True,
    ):
        listed = visible.get(user, nothing)
        both = np.intersect1d(hidden.anime_id, listed.anime_id)
        if len(both):
            raise InputError(
                f"user {user}: anime {both[0]} is both in the lists and in the holdout file; "
                "what must be found must not be seen."
            )
        wanted = hidden.score > 0 if rated_only else np.ones(len(hidden.score), bool)
        ids, scores, status = hidden.anime_id, hidden.score, hidden.status
        users.append(
            HoldoutUser(
                listed,
                ids[wanted],
                scores[wanted],
                hidden_status=status[wanted],
                user_id=user,
                collected=year,
            )
        )
    if not any(len(user.visible.anime_id) for user in users):
        raise InputError("the lists and the holdout file have no user in common.")
    return users


def index_split(
    split: HoldoutFrames, *, rated_only: bool = True
) -> tuple[Ratings, list[HoldoutUser]]:
    """Index what `split_users` or `split_pairs` gave: ratings to train on, users to measure on."""
    lists, holdout = index_ratings(split["lists"]), index_ratings(split["holdout"])
    users = join_holdout(lists, holdout, rated_only=rated_only)
    return index_ratings(split["ratings"]), users


def restrict_hidden(users: Sequence[HoldoutUser], anime_ids: Int32Array) -> list[HoldoutUser]:
    """Leave only hidden entries among ascending ``anime_ids`` (n,), and the users who have one.

    Raises InputError: nobody has.
    """
    found = []
    for user in users:
        is_known = find_positions(anime_ids, user.hidden_ids) >= 0
        if is_known.any():
            found.append(
                replace(
                    user,
                    hidden_ids=user.hidden_ids[is_known],
                    hidden_scores=user.hidden_scores[is_known],
                    hidden_status=user.hidden_status[is_known],
                )
            )
    if not found:
        raise InputError(
            "nothing that these fans hide is on a list that is trained on, so there is nothing to "
            "measure; ask for more fans, or add ratings."
        )
    return found


def truncate_history(users: Sequence[HoldoutUser], length: int, seed: int) -> list[HoldoutUser]:
    """Cut visible lists to ``length`` entries, drawn at random; users with fewer are left out.

    The other entries are excluded, and the lists partial and sampled. With the same seed a longer
    list holds the shorter one.
    """
    rng = np.random.default_rng(seed)
    cut = []
    for user in users:
        ids = user.visible.anime_id
        order = rng.permutation(len(ids))
        if len(ids) < length:
            continue
        rest = user.visible.without(ids[order[length:]].tolist())
        listed = replace(rest, is_partial=True, is_sampled=True)
        cut.append(replace(user, visible=listed, excluded_ids=ids[order[length:]]))
    return cut


def check_no_leakage(
    training: Ratings, lists: Ratings, holdout: Ratings, *, compare_ids: bool = True
) -> None:
    """Check that no user to measure on was trained on.

    With ``compare_ids`` the same id means the same user in all of them.

    Raises
    ------
    InputError
        A user's id is among the training ratings, or a list there is identical to what a user's
        visible and hidden entries are together.
    """
    frames = [
        _entries_frame(part).with_columns(pl.col("user_id").cast(pl.String))
        for part in (lists, holdout)
    ]
    whole = index_ratings(pl.concat(frames))
    trained = {str(user) for user in training.user_ids.to_list()}
    known = next((user for user in whole.user_ids.to_list() if str(user) in trained), None)
    if compare_ids and known is not None:
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


def redraw_hidden(user: HoldoutUser, rng: np.random.Generator) -> HoldoutUser:
    """Return the same list with another fifth of its scores hidden, at least one."""
    listed = user.visible
    ids = np.concatenate([listed.anime_id, user.hidden_ids])
    scores = np.concatenate([listed.score, user.hidden_scores])
    status = np.concatenate([listed.status, user.hidden_status])
    hidden = np.zeros(len(ids), bool)
    hidden[_draw_hidden_scores(np.flatnonzero(scores > 0), rng)] = True
    order = np.argsort(ids, kind="stable")
    shown, found = order[~hidden[order]], order[hidden[order]]
    return replace(
        user,
        visible=UserList(ids[shown], scores[shown], status[shown]),
        hidden_ids=ids[found],
        hidden_scores=scores[found],
        hidden_status=status[found],
    )


def user_list_fingerprints(ratings: Ratings) -> UInt64Array:
    """Hash every user's list, (users,): equal for lists of the same anime and scores.

    The sum modulo 2^64 of a mixed hash of every entry, so the order of the rows does not matter;
    two different lists agree by chance once in 2^64. Statuses are left out: they change between two
    crawls of the same list.
    """
    # Scores are compared in hundredths.
    scores = np.rint(ratings.rating * 100).astype(np.uint64)
    entry = splitmix64(ratings.anime_ids[ratings.item].astype(np.uint64) << np.uint64(16) | scores)
    total = np.zeros(len(ratings.user_ids), np.uint64)
    np.add.at(total, ratings.user, entry)
    return total


def sample_per_user(
    user: Int32Array,
    candidates: Int64Array,
    count: Int64Array,
    rng: np.random.Generator,
    min_entries: int = 1,
) -> BoolArray:
    """Where, among all rows, a fifth of every user's candidates is drawn, at least one.

    ``count`` (users,) is how many candidates each user has; nothing is drawn of a user with fewer
    than ``min_entries``.
    """
    shuffled = rng.permutation(candidates)
    shuffled = shuffled[np.argsort(user[shuffled], kind="stable")]
    owner = user[shuffled]
    rank = np.arange(len(shuffled)) - np.searchsorted(owner, owner)
    share = np.where(count >= min_entries, np.maximum(1, np.rint(HIDDEN_SHARE * count)), 0)
    drawn = np.zeros(len(user), bool)
    drawn[shuffled[rank < share[owner]]] = True
    return drawn


def _entries_frame(ratings: Ratings) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "user_id": ratings.user_ids.gather(ratings.user),
            "anime_id": ratings.anime_ids[ratings.item],
            "rating": ratings.rating,
            "status": ratings.status,
            "collected": ratings.collected,
        }
    )


def _user_lists(ratings: Ratings) -> list[UserList]:
    """Return the entries of every user, in the order of ``user_ids``."""
    ids = ratings.anime_ids[ratings.item].astype(np.int64)
    return [
        UserList(ids[rows], ratings.rating[rows], ratings.status[rows])
        for rows in rows_by_user(ratings.user, len(ratings.user_ids))
    ]


def write_split(config: SplitConfig) -> str:
    """Take fans out, write what is left and what was taken; returns what was done."""
    if config.out.exists() and any(config.out.iterdir()):
        raise InputError(f"{config.out}: exists and is not empty; choose another directory.")
    ratings = read_ratings(config.ratings)
    parts = split_users(ratings, config.fans, config.seed, config.collected_since)
    if config.interactions is not None:
        interactions = read_table(config.interactions, ["user_id"], "interactions")
        # All who are not trained on, those with the list of a fan drawn included.
        trained = parts["ratings"]["user_id"].unique().implode()
        taken = ratings.user_ids.filter(~ratings.user_ids.is_in(trained)).cast(pl.String)
        left = ~pl.col("user_id").cast(pl.String).is_in(taken.implode())
        parts = {**parts, "interactions": interactions.filter(left)}
    config.out.mkdir(parents=True, exist_ok=True)
    for name, frame in parts.items():
        frame.write_parquet(config.out / f"{name}.parquet")
    return "\n".join(
        f"{name:<8} {len(frame):>10,} rows, {frame['user_id'].n_unique():,} fans"
        for name, frame in parts.items()
    )
