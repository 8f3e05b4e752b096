"""What a ranking shows to fans that it has not seen before, place by place.

Everything that is compared goes through here, whoever ranks: a `Ranker` turns a visible list into a
sort key over all anime, and what comes out is the same table of hits for the measures.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from app.recommender import UserList
from app.recommender.array_types import BoolArray, Float64Array, Int32Array, Int64Array
from app.recommender.rank import top_items
from model_build.data.holdout_users import HoldoutUser

RELEVANT_SCORE = 8.0
LIST_SIZE = 20
NEW_LIST_SIZE = 10
MIN_RATING, MAX_RATING = 1.0, 10.0


@dataclass(frozen=True, slots=True)
class EvaluationItems:
    """What the measures need to know of the n anime that can be shown, ``anime_id`` ascending.

    ``group`` (n,) numbers the franchises; an anime without one is a group of its own. ``lists``
    (n,) is how many of the ``fans`` trained on have an anime on their list. ``genres`` (n, g) bool.
    """

    anime_id: Int32Array
    franchise: Int64Array
    list_count: Int32Array
    n_users: int
    genres: BoolArray

    @classmethod
    def from_catalogue(
        cls,
        anime_id: Int32Array,
        franchise: Int64Array,
        list_count: Int32Array,
        n_users: int,
        genres: Sequence[str] = (),
    ) -> EvaluationItems:
        """From catalogue facts: ``franchise`` (n,), -1 where unknown; genres as "Drama;Comedy"."""
        single = franchise < 0
        key = np.where(single, np.arange(len(franchise)), franchise)
        group = np.unique(np.stack([single, key]), axis=1, return_inverse=True)[1].ravel()
        sets = [set(text.split(";")) - {""} for text in genres] or [set[str]()] * len(anime_id)
        names = sorted(set().union(*sets))
        has = np.array([[name in own for name in names] for own in sets], bool)
        return cls(anime_id, group, list_count, n_users, has.reshape(len(anime_id), len(names)))

    def find_positions(self, anime_ids: Int64Array) -> Int64Array:
        """Int64Array of anime, -1 where one is not among them."""
        at = np.searchsorted(self.anime_id, anime_ids)
        at[at == len(self.anime_id)] = 0
        return np.where(self.anime_id[at] == anime_ids, at, -1)


@dataclass(frozen=True, slots=True)
class RankedItems:
    """All anime ranked for one list: by falling ``sort_key`` (n,), where ``allowed`` (n,).

    ``predicted_score`` (n,) in 1..10, if it predicts scores; ``expected_error`` gives how far off
    they are expected to be at some positions, if it knows.
    """

    sort_key: Float64Array
    is_candidate: BoolArray
    predicted_score: Float64Array | None = None
    expected_error: Callable[[Int64Array], Float64Array] | None = None


Ranker = Callable[[UserList], RankedItems]
ItemScorer = Callable[[UserList], Float64Array]


def unlisted_item_ranker(
    items: EvaluationItems, score: ItemScorer, *, predicts_ratings: bool = False
) -> Ranker:
    """A ranker from scores (n,): anime on the list are not shown, nothing else is held back.

    With ``predicts`` the scores are also what the fan would give.
    """

    def rank(listed: UserList) -> RankedItems:
        scores = score(listed)
        at = items.find_positions(listed.anime_id)
        allowed = np.ones(len(scores), bool)
        allowed[at[at >= 0]] = False
        return RankedItems(
            scores, allowed, np.clip(scores, MIN_RATING, MAX_RATING) if predicts_ratings else None
        )

    return rank


@dataclass(frozen=True, slots=True)
class RankingResult:
    """A row a fan (F), and a row a held-out score whose anime is known (P).

    ``shown`` (F, 20) positions, -1 where the ranking has ended; ``hits`` (F, 20) where a relevant
    anime stands; ``relevant`` (F,) how many there are, known or not; ``of_seen`` (F, 20) where the
    franchise is on the visible list. ``new_hits`` (F, 10) and ``new_relevant`` (F,) are the same
    for franchises that are not, each shown once. ``pair_fan``, ``predicted``, ``given``,
    ``expected_error`` (P,), of which the second and the last may be NaN. ``seconds`` of ranking.
    """

    top_items: Int64Array
    hits: BoolArray
    n_relevant: Int64Array
    is_seen_franchise: BoolArray
    new_hits: BoolArray
    n_new_relevant: Int64Array
    pair_user: Int64Array
    predicted: Float64Array
    actual: Float64Array
    expected_error: Float64Array
    seconds: float


def rank_users(
    ranker: Ranker,
    items: EvaluationItems,
    users: Sequence[HoldoutUser],
    *,
    progress: bool = False,
    name: str = "fans",
) -> RankingResult:
    """Rank for every fan and look where the hidden anime stand."""
    count = len(users)
    result = RankingResult(
        top_items=np.full((count, LIST_SIZE), -1, np.int64),
        hits=np.zeros((count, LIST_SIZE), bool),
        n_relevant=np.zeros(count, np.int64),
        is_seen_franchise=np.zeros((count, LIST_SIZE), bool),
        new_hits=np.zeros((count, NEW_LIST_SIZE), bool),
        n_new_relevant=np.zeros(count, np.int64),
        pair_user=np.empty(0, np.int64),
        predicted=np.empty(0),
        actual=np.empty(0),
        expected_error=np.empty(0),
        seconds=0.0,
    )
    pairs: list[tuple[Int64Array, Float64Array, Float64Array, Float64Array]] = []
    seconds = 0.0
    # One fan is too little work to share: on a busy machine BLAS threads wait for one another.
    with threadpool_limits(1, "blas"):
        for row, fan in enumerate(tqdm(users, desc=name, unit=" fan", disable=not progress)):
            start = time.perf_counter()
            ranking = ranker(fan.visible)
            seconds += time.perf_counter() - start
            _record_ranking(result, row, ranking, items, fan)
            pairs.append(_score_pairs(row, ranking, items, fan))
    pair_fan, predicted, given, expected = (
        np.concatenate(part) for part in zip(*pairs, strict=True)
    )
    return RankingResult(
        result.top_items,
        result.hits,
        result.n_relevant,
        result.is_seen_franchise,
        result.new_hits,
        result.n_new_relevant,
        pair_fan,
        predicted,
        given,
        expected,
        seconds,
    )


def _record_ranking(
    result: RankingResult, row: int, ranking: RankedItems, items: EvaluationItems, user: HoldoutUser
) -> None:
    """Fill in one fan's row."""
    allowed = ranking.is_candidate.copy()
    allowed[_known_positions(items, user.excluded_ids)] = False
    relevant_id = user.hidden_ids[user.hidden_scores >= RELEVANT_SCORE]
    relevant = _known_positions(items, relevant_id)
    of_seen = np.isin(
        items.franchise, items.franchise[_known_positions(items, user.visible.anime_id)]
    )

    shown = top_items(ranking.sort_key, allowed, LIST_SIZE)
    result.top_items[row, : len(shown)] = shown
    result.hits[row, : len(shown)] = np.isin(shown, relevant)
    result.is_seen_franchise[row, : len(shown)] = of_seen[shown]
    result.n_relevant[row] = len(relevant_id)

    wanted = np.unique(items.franchise[relevant[~of_seen[relevant]]])
    groups = _top_franchises(ranking.sort_key, allowed & ~of_seen, items.franchise)
    result.new_hits[row, : len(groups)] = np.isin(groups, wanted)
    # An anime that is not known belongs to no known franchise, and cannot be found.
    result.n_new_relevant[row] = len(wanted) + len(relevant_id) - len(relevant)


def _top_franchises(
    sort_key: Float64Array, allowed: BoolArray, franchise: Int64Array
) -> Int64Array:
    """The first ten franchises by their best anime."""
    depth = 4 * NEW_LIST_SIZE
    while True:
        best = franchise[top_items(sort_key, allowed, depth)]
        found = best[np.sort(np.unique(best, return_index=True)[1])]
        if len(found) >= NEW_LIST_SIZE or len(best) < depth:
            return found[:NEW_LIST_SIZE]
        depth *= 4


def _score_pairs(
    row: int, ranking: RankedItems, items: EvaluationItems, user: HoldoutUser
) -> tuple[Int64Array, Float64Array, Float64Array, Float64Array]:
    at = items.find_positions(user.hidden_ids)
    given = user.hidden_scores[at >= 0]
    at = at[at >= 0]
    unknown = np.full(len(at), np.nan)
    predicted = unknown if ranking.predicted_score is None else ranking.predicted_score[at]
    expected = unknown if ranking.expected_error is None else ranking.expected_error(at)
    return np.full(len(at), row, np.int64), predicted, given, expected


def _known_positions(items: EvaluationItems, anime_ids: Int64Array) -> Int64Array:
    at = items.find_positions(anime_ids)
    return at[at >= 0]
