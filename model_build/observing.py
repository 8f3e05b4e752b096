"""What a ranking shows to fans that it has not seen before, place by place.

Everything that is compared goes through here, whoever ranks: a `Ranker` turns a visible list into a
sort key over all anime, and what comes out is the same table of hits for the measures.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from app.recommender import Listed
from app.recommender.rank import top
from model_build.fans import Fan

Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

RELEVANT = 8.0
PLACES = 20
NEW_PLACES = 10
LOWEST, HIGHEST = 1.0, 10.0


@dataclass(frozen=True, slots=True)
class Anime:
    """What the measures need to know of the n anime that can be shown, ``anime_id`` ascending.

    ``group`` (n,) numbers the franchises; an anime without one is a group of its own. ``lists``
    (n,) is how many of the ``fans`` trained on have an anime on their list. ``genres`` (n, g) bool.
    """

    anime_id: npt.NDArray[np.int32]
    group: Longs
    lists: npt.NDArray[np.int32]
    fans: int
    genres: npt.NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        anime_id: npt.NDArray[np.int32],
        franchise: npt.NDArray[np.int64],
        lists: npt.NDArray[np.int32],
        fans: int,
        genres: Sequence[str] = (),
    ) -> Anime:
        """From catalogue facts: ``franchise`` (n,), -1 where unknown; genres as "Drama;Comedy"."""
        single = franchise < 0
        key = np.where(single, np.arange(len(franchise)), franchise)
        group = np.unique(np.stack([single, key]), axis=1, return_inverse=True)[1].ravel()
        sets = [set(text.split(";")) - {""} for text in genres] or [set[str]()] * len(anime_id)
        names = sorted(set().union(*sets))
        has = np.array([[name in own for name in names] for own in sets], bool)
        return cls(anime_id, group, lists, fans, has.reshape(len(anime_id), len(names)))

    def find(self, anime_ids: Longs) -> Longs:
        """Positions of anime, -1 where one is not among them."""
        at = np.searchsorted(self.anime_id, anime_ids)
        at[at == len(self.anime_id)] = 0
        return np.where(self.anime_id[at] == anime_ids, at, -1)


@dataclass(frozen=True, slots=True)
class Ranking:
    """All anime ranked for one list: by falling ``sort_key`` (n,), where ``allowed`` (n,).

    ``predicted_score`` (n,) in 1..10, if it predicts scores; ``expected_error`` gives how far off
    they are expected to be at some positions, if it knows.
    """

    sort_key: Floats
    allowed: npt.NDArray[np.bool_]
    predicted_score: Floats | None = None
    expected_error: Callable[[Longs], Floats] | None = None


Ranker = Callable[[Listed], Ranking]
Scorer = Callable[[Listed], Floats]


def rank_all_unlisted(anime: Anime, score: Scorer, *, predicts: bool = False) -> Ranker:
    """A ranker from scores (n,): anime on the list are not shown, nothing else is held back.

    With ``predicts`` the scores are also what the fan would give.
    """

    def rank(listed: Listed) -> Ranking:
        scores = score(listed)
        at = anime.find(listed.anime_id)
        allowed = np.ones(len(scores), bool)
        allowed[at[at >= 0]] = False
        return Ranking(scores, allowed, np.clip(scores, LOWEST, HIGHEST) if predicts else None)

    return rank


@dataclass(frozen=True, slots=True)
class Observed:
    """A row a fan (F), and a row a held-out score whose anime is known (P).

    ``shown`` (F, 20) positions, -1 where the ranking has ended; ``hits`` (F, 20) where a relevant
    anime stands; ``relevant`` (F,) how many there are, known or not; ``of_seen`` (F, 20) where the
    franchise is on the visible list. ``new_hits`` (F, 10) and ``new_relevant`` (F,) are the same
    for franchises that are not, each shown once. ``pair_fan``, ``predicted``, ``given``,
    ``expected_error`` (P,), of which the second and the last may be NaN. ``seconds`` of ranking.
    """

    shown: Longs
    hits: npt.NDArray[np.bool_]
    relevant: Longs
    of_seen: npt.NDArray[np.bool_]
    new_hits: npt.NDArray[np.bool_]
    new_relevant: Longs
    pair_fan: Longs
    predicted: Floats
    given: Floats
    expected_error: Floats
    seconds: float


def observe(
    rank: Ranker, anime: Anime, fans: Sequence[Fan], *, progress: bool = False, name: str = "fans"
) -> Observed:
    """Rank for every fan and look where the hidden anime stand."""
    count = len(fans)
    observed = Observed(
        shown=np.full((count, PLACES), -1, np.int64),
        hits=np.zeros((count, PLACES), bool),
        relevant=np.zeros(count, np.int64),
        of_seen=np.zeros((count, PLACES), bool),
        new_hits=np.zeros((count, NEW_PLACES), bool),
        new_relevant=np.zeros(count, np.int64),
        pair_fan=np.empty(0, np.int64),
        predicted=np.empty(0),
        given=np.empty(0),
        expected_error=np.empty(0),
        seconds=0.0,
    )
    pairs: list[tuple[Longs, Floats, Floats, Floats]] = []
    seconds = 0.0
    # One fan is too little work to share: on a busy machine BLAS threads wait for one another.
    with threadpool_limits(1, "blas"):
        for row, fan in enumerate(tqdm(fans, desc=name, unit=" fan", disable=not progress)):
            start = time.perf_counter()
            ranking = rank(fan.visible)
            seconds += time.perf_counter() - start
            _look_at(observed, row, ranking, anime, fan)
            pairs.append(_pairs(row, ranking, anime, fan))
    pair_fan, predicted, given, expected = (
        np.concatenate(part) for part in zip(*pairs, strict=True)
    )
    return Observed(
        observed.shown,
        observed.hits,
        observed.relevant,
        observed.of_seen,
        observed.new_hits,
        observed.new_relevant,
        pair_fan,
        predicted,
        given,
        expected,
        seconds,
    )


def _look_at(observed: Observed, row: int, ranking: Ranking, anime: Anime, fan: Fan) -> None:
    """Fill in one fan's row."""
    allowed = ranking.allowed.copy()
    allowed[_known(anime, fan.withheld)] = False
    relevant_id = fan.hidden_id[fan.hidden_score >= RELEVANT]
    relevant = _known(anime, relevant_id)
    of_seen = np.isin(anime.group, anime.group[_known(anime, fan.visible.anime_id)])

    shown = top(ranking.sort_key, allowed, PLACES)
    observed.shown[row, : len(shown)] = shown
    observed.hits[row, : len(shown)] = np.isin(shown, relevant)
    observed.of_seen[row, : len(shown)] = of_seen[shown]
    observed.relevant[row] = len(relevant_id)

    wanted = np.unique(anime.group[relevant[~of_seen[relevant]]])
    groups = _first_groups(ranking.sort_key, allowed & ~of_seen, anime.group)
    observed.new_hits[row, : len(groups)] = np.isin(groups, wanted)
    # An anime that is not known belongs to no known franchise, and cannot be found.
    observed.new_relevant[row] = len(wanted) + len(relevant_id) - len(relevant)


def _first_groups(sort_key: Floats, allowed: npt.NDArray[np.bool_], group: Longs) -> Longs:
    """The first ten franchises by their best anime."""
    depth = 4 * NEW_PLACES
    while True:
        best = group[top(sort_key, allowed, depth)]
        found = best[np.sort(np.unique(best, return_index=True)[1])]
        if len(found) >= NEW_PLACES or len(best) < depth:
            return found[:NEW_PLACES]
        depth *= 4


def _pairs(
    row: int, ranking: Ranking, anime: Anime, fan: Fan
) -> tuple[Longs, Floats, Floats, Floats]:
    at = anime.find(fan.hidden_id)
    given = fan.hidden_score[at >= 0]
    at = at[at >= 0]
    unknown = np.full(len(at), np.nan)
    predicted = unknown if ranking.predicted_score is None else ranking.predicted_score[at]
    expected = unknown if ranking.expected_error is None else ranking.expected_error(at)
    return np.full(len(at), row, np.int64), predicted, given, expected


def _known(anime: Anime, anime_ids: Longs) -> Longs:
    at = anime.find(anime_ids)
    return at[at >= 0]
