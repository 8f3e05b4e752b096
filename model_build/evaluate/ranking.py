"""The protocol that every recommender is measured by, and what a ranking shows to held-out users.

A fitted recommender is a `Ranker`: a function from a visible list to `RankedItems` over all
anime. Reference models, engines and Hakken's model all come in this form, so that the same code
measures them: `rank_users` here for rankings, `model_build.evaluate.rating_prediction` for scores
and likes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from app.recommender import EngineName, Model, RecommendOptions, SortOrder, UserList
from app.recommender.array_types import (
    BoolArray,
    Float64Array,
    Int16Array,
    Int32Array,
    Int64Array,
    IntArray,
)
from app.recommender.arrays import find_positions
from app.recommender.engines import CosineEngine, Engine
from app.recommender.model import RECENT_YEARS, recent_mask
from app.recommender.rank import top_items
from app.recommender.recommend import score_items
from model_build.data.holdout import HoldoutUser
from model_build.data.interactions import known_entries

RELEVANT_SCORE = 8.0
LIST_SIZE = 20
NEW_LIST_SIZE = 10
NEWEST_ENTRIES = 3
MIN_RATING, MAX_RATING = 1.0, 10.0
PERCENT = 100.0
N_PERCENTILE_BINS = 10
PERCENTILE_DEPTH = 1000
"""The lowest bin of most users begins before so many of the best."""


@dataclass(frozen=True, slots=True)
class RankedItems:
    """What a recommender makes of all n anime for one list.

    Anime are ranked by falling ``sort_key`` (n,) where ``is_candidate`` (n,). ``like_probability``
    (n,) is there if it predicts likes. The others tell something at some positions:
    ``predicted_score``, if it predicts scores; ``expected_error`` how far off these are expected to
    be; ``match_percentile`` the match in percent that a user is told (NaN where none is), which
    must not fall as ``sort_key`` rises.
    """

    sort_key: Float64Array
    is_candidate: BoolArray
    predicted_score: Callable[[Int64Array], Float64Array] | None = None
    expected_error: Callable[[Int64Array], Float64Array] | None = None
    like_probability: Float64Array | None = None
    match_percentile: Callable[[Int64Array], Float64Array] | None = None


Ranker = Callable[[UserList], RankedItems]
ItemScorer = Callable[[UserList], Float64Array]
"""Scores (n,) of all anime for a list; those of anime on the list do not matter."""


def unlisted_item_ranker(
    anime_ids: Int32Array, score: ItemScorer, *, predicts_ratings: bool = False
) -> Ranker:
    """Rank by scores (n,): anime on the list are not shown, nothing else is held back.

    With ``predicts_ratings`` the scores are also what the user would give.
    """

    def rank(listed: UserList) -> RankedItems:
        scores = score(listed)
        candidates = _unlisted_mask(anime_ids, listed)
        predicted = np.clip(scores, MIN_RATING, MAX_RATING).take if predicts_ratings else None
        return RankedItems(scores, candidates, predicted)

    return rank


def model_ranker(
    model: Model, order: SortOrder = SortOrder.MATCH, engine: EngineName = EngineName.HAKKEN
) -> Ranker:
    """Return the model's ranking as it is served, before the franchise rules."""
    options = RecommendOptions(sort_order=order, engine=engine)
    # Another order or engine does not rank by what the percentile is of.
    by_match = order is SortOrder.MATCH and engine is EngineName.HAKKEN

    def rank(listed: UserList) -> RankedItems:
        scores = score_items(model, listed, options)
        return RankedItems(
            scores.sort_key,
            scores.allowed_mask,
            lambda wanted: scores.predicted_scores(model, wanted),
            # It is the error of another score than the one that KNN predicts.
            (
                (lambda wanted: scores.expected_errors(model, wanted))
                if scores.knn_prediction is None
                else None
            ),
            match_percentile=(
                (lambda wanted: scores.match_percentiles(model, wanted)) if by_match else None
            ),
        )

    return rank


def engine_ranker(engine: Engine, anime_ids: Int32Array) -> Ranker:
    """Rank by an engine alone, over its ``anime_ids`` (n,); its scores are not clipped."""
    # Cosine embeddings learn no likes: their match is a score on another scale.
    predicts_likes = not isinstance(engine, CosineEngine)

    def rank(listed: UserList) -> RankedItems:
        scores = engine.score(known_entries(listed, anime_ids))
        return RankedItems(
            scores.match,
            _unlisted_mask(anime_ids, listed) & scores.known_items,
            None if scores.predicted_score is None else scores.predicted_score.take,
            like_probability=scores.match / PERCENT if predicts_likes else None,
        )

    return rank


@dataclass(frozen=True, slots=True)
class EvaluationItems:
    """What the metrics need to know of the n anime that can be shown, ``anime_id`` ascending.

    ``franchise`` (n,) numbers the franchises; an anime without one is a franchise of its own.
    ``list_count`` (n,) is how many of the ``n_users`` trained on have an anime on their list.
    ``genres`` (n, g) bool. ``year`` (n,) is when they are from, 0 for unknown, and ``is_recent``
    (n,) bool marks those from five years before ``as_of`` on, as `Model` has it.
    """

    anime_id: Int32Array
    franchise: Int64Array
    list_count: Int32Array
    n_users: int
    genres: BoolArray
    year: Int16Array
    as_of: int

    @property
    def is_recent(self) -> BoolArray:
        """Where an anime is from `RECENT_YEARS` years before ``as_of`` on, (n,)."""
        return recent_mask(self.year, self.as_of)

    @property
    def rarity_weight(self) -> Float64Array:
        """What finding an anime is worth, (n,), if few know it: 1 over the root of its lists."""
        return 1.0 / np.sqrt(np.maximum(self.list_count, 1))

    def is_recent_user(self, user: HoldoutUser) -> bool:
        """Whether a list is from the last years, so that what is recent could be on it.

        Where nobody knows the year of a list, it is that of the `NEWEST_ENTRIES`-th newest anime
        that is visible.
        """
        if not self.as_of:
            return False
        if user.collected:
            return user.collected > self.as_of - RECENT_YEARS
        years = np.sort(self.year[self.known_positions(user.visible.anime_id)])
        newest = years[-NEWEST_ENTRIES] if len(years) >= NEWEST_ENTRIES else 0
        return bool(newest > self.as_of - RECENT_YEARS)

    @classmethod
    def from_catalogue(
        cls,
        anime_id: Int32Array,
        franchise: Int64Array,
        list_count: Int32Array,
        n_users: int,
        genres: Sequence[str] = (),
        year: Int16Array | None = None,
        as_of: int = 0,
    ) -> EvaluationItems:
        """From catalogue facts: ``franchise`` (n,), -1 where unknown; genres as "Drama;Comedy"."""
        single = franchise < 0
        key = np.where(single, np.arange(len(franchise)), franchise)
        group = np.unique(np.stack([single, key]), axis=1, return_inverse=True)[1].ravel()
        sets = [set(text.split(";")) - {""} for text in genres] or [set[str]()] * len(anime_id)
        names = sorted(set().union(*sets))
        has = np.array([[name in own for name in names] for own in sets], bool)
        year = np.zeros(len(anime_id), np.int16) if year is None else year
        genre_flags = has.reshape(len(anime_id), len(names))
        return cls(anime_id, group, list_count, n_users, genre_flags, year, as_of)

    @classmethod
    def from_model(
        cls, model: Model, franchise: Int64Array, genres: Sequence[str] = ()
    ) -> EvaluationItems:
        """Those of a model; ``franchise`` (n,) is -1 where unknown."""
        n_users = model.manifest.counts["fans"]
        return cls.from_catalogue(
            model.anime_id,
            franchise,
            model.entry_count,
            n_users,
            genres,
            model.item_year,
            model.as_of,
        )

    def known_positions(self, anime_ids: Int64Array) -> Int64Array:
        """Positions (p,) of those of the anime that can be shown."""
        at = find_positions(self.anime_id, anime_ids)
        return at[at >= 0]


@dataclass(frozen=True, slots=True)
class RankingResult:
    """A row for each of F users, and one for each of P held-out scores whose anime is known.

    ``top_items`` (F, 20) positions, -1 where the ranking has ended; ``hits`` (F, 20) where a
    relevant anime stands; ``n_relevant`` (F,) how many there are, known or not, and
    ``relevant_weight`` (F,) the sum of `EvaluationItems.rarity_weight` over those that are known;
    ``is_seen_franchise`` (F, 20) where the franchise is on the visible list. ``new_hits`` (F, 10)
    and ``n_new_relevant`` (F,) are the same for franchises that are not, each shown once.
    ``among_recent_hits`` (F, 10) and ``n_recent_relevant`` (F,) are of recent anime alone, and
    ``recent_listed`` (F,) is their share of the whole list: none of it for a user of earlier years,
    whose ``recent_listed`` is NaN.
    ``pair_user``, ``predicted``, ``actual``, ``expected_error`` (P,), of which the second and the
    last may be NaN. ``candidate_bins``, ``picked_bins`` and ``loved_bins`` (F, 10) count, by tens
    of the match percentile, all that may be shown, what of it was hidden, and what of that was
    scored 8 or more; ``given_bins`` (F, 10) is the sum of the hidden scores. They are 0 where no
    percentile is told. ``seconds`` is the time that recommending took.
    """

    top_items: Int64Array
    hits: BoolArray
    n_relevant: Int64Array
    relevant_weight: Float64Array
    is_seen_franchise: BoolArray
    new_hits: BoolArray
    n_new_relevant: Int64Array
    among_recent_hits: BoolArray
    n_recent_relevant: Int64Array
    recent_listed: Float64Array
    pair_user: Int64Array
    predicted: Float64Array
    actual: Float64Array
    expected_error: Float64Array
    candidate_bins: Int64Array
    picked_bins: Int64Array
    loved_bins: Int64Array
    given_bins: Float64Array
    seconds: float


def rank_users(
    ranker: Ranker, items: EvaluationItems, users: Sequence[HoldoutUser], *, name: str | None = None
) -> RankingResult:
    """Recommend to every user and look where the hidden anime stand.

    With a ``name`` a terminal shows how far that has come.
    """
    rows: list[dict[str, Any]] = []
    pairs, seconds = [], 0.0
    # One user is too little work to share: on a busy machine BLAS threads wait for one another.
    with threadpool_limits(1, "blas"):
        for user in tqdm(users, desc=name, unit=" fan", disable=None if name else True):
            start = time.perf_counter()
            scores = ranker(user.visible)
            seconds += time.perf_counter() - start
            pairs.append(_score_pairs(len(rows), scores, items, user))
            rows.append(_ranking_row(scores, items, user))
    pair_user, predicted, actual, expected = (
        np.concatenate(part) for part in zip(*pairs, strict=True)
    )
    return RankingResult(
        **{name: np.stack([row[name] for row in rows]) for name in rows[0]},
        pair_user=pair_user,
        predicted=predicted,
        actual=actual,
        expected_error=expected,
        seconds=seconds,
    )


def _padded(values: IntArray | BoolArray, size: int, fill: int = 0) -> npt.NDArray[Any]:
    return np.concatenate([values, np.full(size - len(values), fill, values.dtype)])


def _ranking_row(scores: RankedItems, items: EvaluationItems, user: HoldoutUser) -> dict[str, Any]:
    """Return what `RankingResult` has of one user, but for the pairs."""
    allowed = scores.is_candidate.copy()
    allowed[items.known_positions(user.excluded_ids)] = False
    relevant_id = user.hidden_ids[user.hidden_scores >= RELEVANT_SCORE]
    relevant = items.known_positions(relevant_id)
    seen = items.known_positions(user.visible.anime_id)
    of_seen = np.isin(items.franchise, items.franchise[seen])

    depth = LIST_SIZE if scores.match_percentile is None else PERCENTILE_DEPTH
    best = top_items(scores.sort_key, allowed, depth)
    shown = best[:LIST_SIZE]
    wanted = np.unique(items.franchise[relevant[~of_seen[relevant]]])
    groups = _top_franchises(scores.sort_key, allowed & ~of_seen, items.franchise)
    row: dict[str, Any] = {
        "top_items": _padded(shown, LIST_SIZE, -1),
        "hits": _padded(np.isin(shown, relevant), LIST_SIZE),
        "is_seen_franchise": _padded(of_seen[shown], LIST_SIZE),
        "n_relevant": len(relevant_id),
        "relevant_weight": items.rarity_weight[relevant].sum(),
        "new_hits": _padded(np.isin(groups, wanted), NEW_LIST_SIZE),
        # An anime that is not known belongs to no known franchise, and cannot be found.
        "n_new_relevant": len(wanted) + len(relevant_id) - len(relevant),
        "among_recent_hits": np.zeros(NEW_LIST_SIZE, bool),
        "n_recent_relevant": 0,
        "recent_listed": np.nan,
    }
    if items.is_recent_user(user):
        is_recent = items.is_recent
        wanted = relevant[is_recent[relevant]]
        found = top_items(scores.sort_key, allowed & is_recent, NEW_LIST_SIZE)
        row["among_recent_hits"] = _padded(np.isin(found, wanted), NEW_LIST_SIZE)
        row["n_recent_relevant"] = len(wanted)
        listed = items.known_positions(np.concatenate([user.visible.anime_id, user.hidden_ids]))
        row["recent_listed"] = is_recent[listed].mean() if len(listed) else np.nan
    return row | _percentile_bins(scores, allowed, best, items, user)


def _percentile_bins(
    scores: RankedItems,
    allowed: BoolArray,
    best: Int64Array,
    items: EvaluationItems,
    user: HoldoutUser,
) -> dict[str, Int64Array]:
    """Count one user's anime by match percentile, of all that may be shown, ``best`` first."""
    names = ("candidate_bins", "picked_bins", "loved_bins", "given_bins")
    nothing = {name: np.zeros(N_PERCENTILE_BINS, np.int64) for name in names}
    if scores.match_percentile is None:
        return nothing
    percentile = scores.match_percentile(best)
    if not len(best) or np.isnan(percentile).any():
        return nothing
    if len(best) == PERCENTILE_DEPTH and percentile[-1] >= PERCENT / N_PERCENTILE_BINS:
        best = np.flatnonzero(allowed)
        percentile = scores.match_percentile(best)
    # Nothing behind the last of them has a higher percentile: it is in the lowest bin.
    bin_index = np.zeros(len(allowed), np.int64)
    tens = (percentile * (N_PERCENTILE_BINS / PERCENT)).astype(np.int64)
    bin_index[best] = np.clip(tens, 0, N_PERCENTILE_BINS - 1)
    at = find_positions(items.anime_id, user.hidden_ids)
    known = at >= 0
    known[known] = allowed[at[known]]
    hidden, given = bin_index[at[known]], user.hidden_scores[known]
    counted = (
        (bin_index[allowed], None),
        (hidden, None),
        (hidden[given >= RELEVANT_SCORE], None),
        (hidden, given),
    )
    return {
        name: np.bincount(bins, weights, N_PERCENTILE_BINS)
        for name, (bins, weights) in zip(names, counted, strict=True)
    }


def _top_franchises(
    sort_key: Float64Array, allowed: BoolArray, franchise: Int64Array
) -> Int64Array:
    """Return the first ten franchises by their best anime."""
    depth = 4 * NEW_LIST_SIZE
    while True:
        best = franchise[top_items(sort_key, allowed, depth)]
        found = best[np.sort(np.unique(best, return_index=True)[1])]
        if len(found) >= NEW_LIST_SIZE or len(best) < depth:
            return found[:NEW_LIST_SIZE]
        depth *= 4


def _score_pairs(
    row: int, scores: RankedItems, items: EvaluationItems, user: HoldoutUser
) -> tuple[Int64Array, Float64Array, Float64Array, Float64Array]:
    at = find_positions(items.anime_id, user.hidden_ids)
    actual = user.hidden_scores[at >= 0]
    at = at[at >= 0]
    unknown = np.full(len(at), np.nan)
    predicted = unknown if scores.predicted_score is None else scores.predicted_score(at)
    expected = unknown if scores.expected_error is None else scores.expected_error(at)
    return np.full(len(at), row, np.int64), predicted, actual, expected


def _unlisted_mask(anime_ids: Int32Array, listed: UserList) -> BoolArray:
    """Where an anime is not on the list, (n,)."""
    at = find_positions(anime_ids, listed.anime_id)
    mask = np.ones(len(anime_ids), bool)
    mask[at[at >= 0]] = False
    return mask
