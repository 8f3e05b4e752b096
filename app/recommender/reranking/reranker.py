"""The second stage: what the affinity finds is put in order by boosted trees.

The affinity of a user to an anime is a sum over the user's list. It knows nothing of series, of
years or of how long things are, and does not weigh itself against the predicted score. The trees
do; they were trained on users that the model they saw was not trained on
(`model_build.train.trees`). They put the best by affinity in a new order, and whatever then
stands at place k is ranked by the k-th largest affinity: so matches stay on their scale, and what
was moved, how far, and why can be told apart from what the list itself adds up to.

Whoever names a few titles of one taste (`app.recommender.reranking.focus`) would pick what
everybody has seen, too: the affinity is right about that, and says nothing. For them what is well
known goes down, and what these titles speak for more than others do comes up; the trees, which lean
on what everybody knows where a list says little, count the less.

The trees learnt from lists of which most are older than the recent anime, and take these for less
likely than they are: their odds are raised, the more the larger their share of the list is. The
lift of the affinity decides what is a candidate; where the trees have no say, recent anime are
lifted once more, to their share of the order that is made instead.

What a list speaks for far less than for the best candidate stays behind, however few there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.recommender.affinity import AffinityScores, recent_lift, wanted_recent_share
from app.recommender.array_types import BoolArray, Float64Array, Int64Array
from app.recommender.fold_in import UserProfile
from app.recommender.model import Model
from app.recommender.rank import top_items
from app.recommender.reranking.feature_names import TOLD_GROUPS, FeatureGroup
from app.recommender.reranking.features import N_CANDIDATES, compute_features
from app.recommender.reranking.focus import focus_weight, not_disliked
from app.recommender.score_model import ScorePrediction


@dataclass(frozen=True, slots=True)
class Reranking:
    """``value`` (n,): affinities of all anime, those of the ``candidates`` (c,) as they are moved.

    ``features`` (c, f) are what the trees looked at, None where they were not asked, and
    ``tree_weight`` how far they count; ``score`` (c,) is what the order is by, but for what stays
    behind, ``popularity_term`` (c,) what it has of how well known an anime is, and
    ``recency_term`` (c,) of whether it is recent.
    """

    value: Float64Array
    candidates: Int64Array
    features: Float64Array | None
    tree_weight: float
    score: Float64Array
    popularity_term: Float64Array
    recency_term: Float64Array


def rerank(
    model: Model,
    profile: UserProfile,
    affinity: AffinityScores,
    prediction: ScorePrediction,
    allowed: BoolArray,
) -> Reranking | None:
    """Move the best of the ``allowed`` (n,) anime; None where there is no second stage.

    A model may have none, or none for lists of so few entries.
    """
    trees, items = model.rerank_trees, model.content_features
    if trees is None or items is None:
        return None
    own, focus = model.parameters, focus_weight(model, items, profile)
    asks_trees = profile.is_partial and own.short_history_popularity > 0
    asks_trees |= len(profile.input_position) >= own.rerank_min_entries
    if not asks_trees and not focus:
        return None
    # Nothing comes forward for which nothing on the list speaks.
    candidates = top_items(
        affinity.value, allowed & (affinity.value > affinity.prior), N_CANDIDATES
    )
    popularity_term, recency_term = np.zeros(len(candidates)), np.zeros(len(candidates))
    if focus:
        held_back = -_hold_back(model, profile) * _log_known(model, candidates)
        lifted = _lift_change(model, profile, affinity, candidates, held_back)
        popularity_term, recency_term = focus * held_back, focus * lifted
    nearness = affinity.value[candidates]
    by_affinity = np.log(nearness)
    features, by_trees = None, by_affinity
    if asks_trees and focus < 1.0:
        features = compute_features(model, items, profile, affinity, prediction, candidates)
        by_trees = trees.predict(features)
        held_back = model.rerank_popularity_weight * model.log_lists[candidates]
        popularity_term -= (1.0 - focus) * held_back
        odds = 1.0 + own.recent_share_odds * wanted_recent_share(model, profile)
        recency_term += (1.0 - focus) * np.log(odds) * model.is_recent[candidates]
    score = focus * by_affinity + (1.0 - focus) * by_trees + popularity_term + recency_term
    # What is much further from the list than the best stays behind, however few there are.
    is_far = nearness < own.min_candidate_share * nearness.max(initial=0.0)
    # Candidates come by falling affinity, so of equal scores the one with the higher stays first.
    order = np.lexsort((np.where(is_far, 0.0, -score), is_far))
    value = affinity.value / affinity.lift
    value[candidates[order]] = -np.sort(-value[candidates])
    return Reranking(value, candidates, features, 1.0 - focus, score, popularity_term, recency_term)


def _lift_change(
    model: Model,
    profile: UserProfile,
    affinity: AffinityScores,
    candidates: Int64Array,
    popularity_term: Float64Array,
) -> Float64Array:
    """Return by what the logarithm of the lift of recent anime changes, (c,).

    Most recent anime are little known. Lifted to their share of what has the largest affinity, they
    would all come forward once more where the little known do: so to their share of that order.
    """
    value = np.zeros(len(model))
    by_affinity = affinity.value[candidates] / affinity.lift[candidates]
    value[candidates] = by_affinity * np.exp(popularity_term)
    lift = recent_lift(model, profile, value)
    is_recent = model.is_recent[candidates]
    return np.asarray(np.where(is_recent, np.log(lift / affinity.lift[candidates]), 0.0))


def _hold_back(model: Model, profile: UserProfile) -> float:
    """Return the power of how well known an anime is that its affinity is divided by.

    The affinities of titles that few listed are uncertain, and those to what is little known the
    most: shrunk by on how many lists the titles are that were liked, these do not come forward.
    """
    own = model.parameters
    lists = float(model.entry_count[not_disliked(model, profile)].sum())
    shrinkage = own.short_history_popularity_shrinkage
    return own.short_history_popularity * lists / max(lists + shrinkage, 1.0)


def _log_known(model: Model, candidates: Int64Array) -> Float64Array:
    """Return the logarithm of how well known candidates are, (c,).

    What may be a hidden gem is equally little known. What hardly anybody listed is taken for the
    best known: it does not come forward for that.
    """
    known = np.maximum(model.popularity[candidates], max(1, model.parameters.discover_max_members))
    rare = model.entry_count[candidates] < model.parameters.rare_item_lists
    known[rare] = known.max(initial=1.0)
    return np.log(known)


def moving_reasons(
    model: Model, reranking: Reranking, positions: Int64Array, moved: Float64Array
) -> list[FeatureGroup | None]:
    """Return what moved each of some anime most; None for what was moved by 0 or is no candidate.

    ``moved`` (p,) is above 0 for up. Of the groups of features the one counts whose Shapley value
    is largest in that direction.
    """
    place = np.full(len(model), -1, np.int64)
    place[reranking.candidates] = np.arange(len(reranking.candidates))
    rows = place[positions]
    wanted = np.flatnonzero((rows >= 0) & (moved != 0))
    reasons: list[FeatureGroup | None] = [None] * len(positions)
    if not len(wanted) or model.rerank_trees is None:
        return reasons
    values = np.zeros((len(wanted), len(TOLD_GROUPS)))
    if reranking.features is not None:
        values = reranking.tree_weight * model.rerank_trees.shapley_values(
            reranking.features[rows[wanted]], model.rerank_leaves
        )
    for group, term in (
        (FeatureGroup.POPULARITY, reranking.popularity_term),
        (FeatureGroup.AGE, reranking.recency_term),
    ):
        values[:, TOLD_GROUPS.index(group)] += term[rows[wanted]] - term.mean()
    values *= np.sign(moved[wanted])[:, None]
    best = zip(wanted.tolist(), values.argmax(axis=1).tolist(), values.max(axis=1), strict=True)
    for at, strongest, value in best:
        if value > 0:
            reasons[at] = TOLD_GROUPS[strongest]
    return reasons
