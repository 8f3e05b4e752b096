"""From a user's list to what the model can use of it.

The rules of what an entry says stand here and nowhere else:

====================  =====  ====================================  ======================
entry                 seen   for predicted scores                  weight for affinity
====================  =====  ====================================  ======================
scored                yes    its score, whatever the status        by the score
                             (but plan to watch)
watching, completed,
on hold, unknown,
not scored            yes    nothing                               that of an unscored one
dropped, not scored   yes    a weak dislike: the residual          the least
                             ``dropped_residual``
plan to watch         no     nothing, even with a score: it was    that of an unscored one,
                             not watched                           if anything was seen
====================  =====  ====================================  ======================

What weighs the least counts against its like in a partial list that somebody made by hand, as "not
for me" on a poster. (What was drawn from a longer list was named by nobody.)

With ``ignore_dropped`` a title dropped without a score is seen and says nothing, and no franchise
counts as dropped. The weights are `app.recommender.input_weights.InputWeights`. In the bundled
model's data, anime dropped *with* a score were rated 1.9 below expectation on average
(`docs/model.md`); a silent drop is taken for half as much and leaves the user's bias alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.recommender.array_types import BoolArray, Float64Array, Int64Array
from app.recommender.model import Model
from app.recommender.user_list import KnownEntries, UserList
from app.recommender.watch_status import WatchStatus


@dataclass(frozen=True, slots=True)
class UserProfile:
    """A user folded into the model; arrays of int64 are ascending positions of the model's anime.

    ``rated`` with ``score`` and ``residual`` (score minus exact baseline) are the entries with a
    score; ``dropped_unscored`` those dropped without one, ``all_dropped`` with or without; ``seen``
    every anime not to recommend; ``planned`` the plan-to-watch entries. ``input_position`` with
    ``input_weight`` is every entry that counts for affinity, none if all are only planned.
    ``unknown_ids`` are those that the model does not know. ``known_entries`` is the list itself,
    for engines with rules of their own. ``is_partial`` is as in `UserList`.
    """

    user_bias: float
    rated: Int64Array
    score: Float64Array
    residual: Float64Array
    dropped_unscored: Int64Array
    all_dropped: Int64Array
    seen: Int64Array
    planned: Int64Array
    input_position: Int64Array
    input_weight: Float64Array
    unknown_ids: tuple[int, ...]
    known_entries: KnownEntries
    is_partial: bool = False

    @property
    def least_liked_score(self) -> float:
        """The user's own mean, rounded down: a 9 is no lower praise where it is 9.2."""
        return float(np.floor(self.score.mean())) if len(self.score) else 0.0

    @property
    def counts_against(self) -> Int64Array:
        """Positions (k,) of what weighs less than nothing: named, in a partial list, to say no."""
        return self.input_position[self.input_weight < 0]

    def liked(self) -> Int64Array:
        """Return positions (k,) of what was finished, and not scored below the user's own mean.

        What has a score and no status was finished. What counts against its like was not liked,
        even if nothing has a higher score.
        """
        entries = self.known_entries
        completed = entries.status == WatchStatus.COMPLETED
        scored = entries.score > 0
        finished = completed | ((entries.status == WatchStatus.UNKNOWN) & scored)
        liked: BoolArray = finished & (~scored | (entries.score >= self.least_liked_score))
        return np.setdiff1d(entries.position[liked], self.counts_against)

    def disliked(self, points: float) -> Int64Array:
        """Return positions (k,) of what was scored far below the user's own mean.

        By ``points`` or more, and a standard deviation of the user's scores or more: who uses
        the whole scale means less by two points. And what counts against its like.
        """
        if not len(self.score):
            return self.counts_against
        below = self.score.mean() - self.score
        far_below: BoolArray = (below >= points) & (below >= self.score.std())
        return np.union1d(self.rated[far_below], self.counts_against)


def ensure_profile(model: Model, user: UserList | UserProfile) -> UserProfile:
    """Return a user folded in, unless that is done already."""
    return user if isinstance(user, UserProfile) else fold_in(model, user)


def fold_in(model: Model, user_list: UserList, *, ignore_dropped: bool = False) -> UserProfile:
    """Fold a list in; ``ignore_dropped`` takes no title dropped without a score for a dislike.

    With the item biases fixed, the regularised least-squares bias of the user has the closed form
    sum(r - mu - b_i) / (reg_user + n) (Koren 2010, eq. 2, solved for one user).

    Examples
    --------
    A 9 and a 10 where 8 was to be expected of both, regularised as by one further entry:

    >>> deviation, reg_user = np.array([1.0, 2.0]), 1.0
    >>> user_bias = deviation.sum() / (reg_user + len(deviation))
    >>> user_bias, deviation - user_bias
    (np.float64(1.0), array([0., 1.]))
    """
    position = model.find_positions(user_list.anime_id)
    order = np.argsort(position, kind="stable")
    position, score, status = position[order], user_list.score[order], user_list.status[order]
    favourite = (
        np.zeros(len(order), bool) if user_list.favourite is None else user_list.favourite[order]
    )
    known = position >= 0
    activity = (
        None if user_list.activity is None else user_list.activity.select(order).select(known)
    )
    planned = known & (status == WatchStatus.PLAN_TO_WATCH)
    seen = known & ~planned
    rated = seen & (score > 0)
    dropped = seen & ~rated & (status == WatchStatus.DROPPED)
    ignored = dropped & ignore_dropped
    entry = known & ~ignored & (seen & ~ignored).any()

    deviation = score[rated] - model.global_mean - model.item_bias[position[rated]]
    user_bias = float(deviation.sum() / (model.reg_user + len(deviation))) if rated.any() else 0.0
    return UserProfile(
        user_bias=user_bias,
        rated=position[rated],
        score=score[rated],
        residual=deviation - user_bias,
        dropped_unscored=position[dropped & ~ignored],
        all_dropped=position[seen & (status == WatchStatus.DROPPED) & (not ignore_dropped)],
        seen=position[seen],
        planned=position[planned],
        input_position=position[entry],
        input_weight=model.input_weights.of_entries(
            score[entry],
            status[entry],
            is_handpicked=user_list.is_partial and not user_list.is_sampled,
        ),
        unknown_ids=tuple(sorted(user_list.anime_id[order][~known].tolist())),
        known_entries=KnownEntries(
            position[known], score[known], status[known], favourite[known], activity
        ),
        is_partial=user_list.is_partial,
    )
