"""What two users would both enjoy.

Every anime is scored for each of them as for anybody; the two matches are joined by their geometric
mean, so that a high match of one does not make up for a low one of the other. On pairs of
held-out users it found more of what both loved than the mean, or the lower of the two
(`docs/model.md`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from app.recommender.array_types import Float64Array, Int64Array
from app.recommender.engines import EngineName
from app.recommender.explain import Contribution
from app.recommender.fold_in import UserProfile
from app.recommender.franchise import CollapsedFranchises
from app.recommender.model import Model
from app.recommender.rank import SortOrder, novelty_sort_key, top_items
from app.recommender.recommend import ItemScores, RecommendOptions, collapse_candidates, score_items
from app.recommender.user_list import UserList
from app.recommender.user_similarity import UserComparison, compare_users, favourite_mask

MAX_SHOWN_ITEMS = 5
"""Disagreements, shared favourites, and favourites of one suggested to the other."""


@dataclass(frozen=True, slots=True)
class MemberScore:
    """What an anime is for one of the two; ``planned``: it is on the plan-to-watch list.

    ``predicted_score`` is the expected score of `RecommendedItem`, in every order.
    """

    match: float
    predicted_score: float
    planned: bool
    contributions: tuple[Contribution, ...]


@dataclass(frozen=True, slots=True)
class GroupRecommendation:
    """An anime that neither has seen; ``match`` is that of both."""

    anime_id: int
    rank: int
    match: float
    members: tuple[MemberScore, MemberScore]
    more_of_franchise: int


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A favourite of one that the other has not seen.

    The ``score`` is the first's, ``match`` and ``predicted_score`` (see `MemberScore`) are the
    other's.
    """

    anime_id: int
    score: float
    match: float
    predicted_score: float


@dataclass(frozen=True, slots=True)
class GroupResult:
    """The answer for two users.

    ``is_personalized`` says of each whether the list could be used. ``suggestions``: from the first
    for the second, and the other way round.
    """

    model_version: str
    engine: EngineName
    sort_order: SortOrder
    is_personalized: tuple[bool, bool]
    profiles: tuple[UserProfile, UserProfile]
    recommendations: tuple[GroupRecommendation, ...]
    comparison: UserComparison
    suggestions: tuple[tuple[Suggestion, ...], tuple[Suggestion, ...]]


def recommend_group(
    model: Model,
    one: UserList | UserProfile,
    other: UserList | UserProfile,
    options: RecommendOptions,
) -> GroupResult:
    """Compare two users, and recommend what neither has seen; planned anime are included.

    A franchise is shown only where it would be the next part for both.
    """
    options = replace(options, include_planned=True, second_stage=False)
    first, second = (score_items(model, user, options) for user in (one, other))
    collapsed = (
        collapse_candidates(model, first, options),
        collapse_candidates(model, second, options),
    )
    chosen = top_items(
        group_sort_key(model, first, second),
        collapsed[0].allowed & collapsed[1].allowed,
        options.top_n,
        options.offset,
    )
    match = group_match(first.match, second.match)
    member_scores = [_member_scores(model, scores, chosen, options) for scores in (first, second)]
    recommendations = tuple(
        GroupRecommendation(
            anime_id=int(model.anime_id[target]),
            rank=options.offset + at + 1,
            match=float(match[target]),
            members=(member_scores[0][at], member_scores[1][at]),
            more_of_franchise=int(
                min(each_collapsed.hidden_count[target] for each_collapsed in collapsed)
            ),
        )
        for at, target in enumerate(chosen)
    )
    return GroupResult(
        model.version,
        options.engine,
        options.sort_order,
        (first.is_personalized, second.is_personalized),
        (first.profile, second.profile),
        recommendations,
        compare_users(model, first.profile, second.profile, MAX_SHOWN_ITEMS),
        (
            _suggestions(model, first, second, collapsed[1]),
            _suggestions(model, second, first, collapsed[0]),
        ),
    )


def group_match(one: Float64Array, other: Float64Array) -> Float64Array:
    """Return the geometric mean of two matches (n,), or the lower one where one is not above 0."""
    lower = np.minimum(one, other)
    return np.where(lower > 0, np.sqrt(np.maximum(one, 0)) * np.sqrt(np.maximum(other, 0)), lower)


def group_sort_key(model: Model, one: ItemScores, other: ItemScores) -> Float64Array:
    """Return what the order sorts by, (n,). Of two predicted scores the lower one counts."""
    if one.sort_order is SortOrder.SCORE:
        return np.minimum(one.sort_key, other.sort_key)
    match = group_match(one.match, other.match)
    return novelty_sort_key(model, match) if one.sort_order is SortOrder.DISCOVER else match


def _member_scores(
    model: Model, scores: ItemScores, chosen: Int64Array, options: RecommendOptions
) -> list[MemberScore]:
    explanations = scores.explain(model, chosen, options.explanation_size, options.franchises)
    expected = scores.expected_scores(model, chosen)
    planned = np.isin(chosen, scores.profile.planned)
    return [
        MemberScore(
            float(scores.match[target]), float(expected[at]), bool(planned[at]), explanations[at]
        )
        for at, target in enumerate(chosen)
    ]


def _suggestions(
    model: Model, giver: ItemScores, taker: ItemScores, collapsed: CollapsedFranchises
) -> tuple[Suggestion, ...]:
    """Return the giver's favourites that the taker would like best."""
    given = dict(zip(giver.profile.rated.tolist(), giver.profile.score.tolist(), strict=True))
    loved = np.zeros(len(model), bool)
    loved[giver.profile.rated[favourite_mask(giver.profile)]] = True
    best = top_items(taker.match, loved & collapsed.allowed, MAX_SHOWN_ITEMS)
    expected = taker.expected_scores(model, best)
    return tuple(
        Suggestion(int(model.anime_id[at]), given[int(at)], float(taker.match[at]), float(score))
        for at, score in zip(best, expected, strict=True)
    )
