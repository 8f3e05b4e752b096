"""What the second stage looks at: numbers about a user, an anime and what the two have in common.

Everything comes from what recommending has worked out already and from the model's content
features. What is not known is NaN, never zero: the trees send it a way of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.recommender.affinity import AffinityScores
from app.recommender.array_types import Float64Array, Int8Array, Int64Array
from app.recommender.fold_in import UserProfile
from app.recommender.model import Model
from app.recommender.rank import top_items
from app.recommender.reranking import kernels
from app.recommender.reranking.content_features import WORD_KINDS, ContentFeatures
from app.recommender.score_model import ScorePrediction

N_CANDIDATES = 300
HIGH_SCORE = 8.0
NEWEST_ENTRIES = 3


@dataclass(frozen=True, slots=True)
class _ListedItems:
    """A user's list over all n anime: what its entries are, and their scores above expectation.

    ``years`` are those of its anime, ascending, as far as they are known.
    """

    position: Int64Array
    years: Float64Array
    state: Int8Array
    residual: Float64Array

    @classmethod
    def of(cls, model: Model, profile: UserProfile, prediction: ScorePrediction) -> _ListedItems:
        state = np.zeros(len(model), np.int8)
        state[profile.planned] = kernels.PLANNED
        state[profile.seen] = kernels.SEEN
        state[profile.all_dropped] = kernels.DROPPED
        residual = np.full(len(model), np.nan)
        expected = model.global_mean + model.score_model.item_bias[profile.rated]
        residual[profile.rated] = profile.score - expected - prediction.user_bias
        position = profile.known_entries.position
        years = _years(model, position)
        return cls(position, np.sort(years[~np.isnan(years)]), state, residual)

    @property
    def newest_year(self) -> float:
        """That of the third newest: one anime may be mistaken."""
        if not len(self.years):
            return float("nan")
        return float(self.years[-min(NEWEST_ENTRIES, len(self.years))])


def compute_features(
    model: Model,
    items: ContentFeatures,
    profile: UserProfile,
    affinity: AffinityScores,
    prediction: ScorePrediction,
    candidates: Int64Array,
) -> Float64Array:
    """Return `FEATURES` of each candidate, (c, f)."""
    listed = _ListedItems.of(model, profile, prediction)
    columns = [
        _affinity_columns(model, items, affinity, listed, candidates),
        _franchise_columns(model, items, affinity, listed, candidates),
        _score_columns(model, profile, prediction, candidates),
        kernels.word_features(
            candidates,
            profile.seen,
            listed.residual,
            items.word_indptr,
            items.word_indices,
            items.word_kind,
            items.word_shares,
            len(WORD_KINDS),
            model.parameters.word_shrinkage,
        ),
        _format_columns(model, items, profile, listed, candidates),
        _popularity_columns(model, profile, candidates),
        _age_columns(model, affinity, listed, candidates),
        np.tile(_user_columns(model, items, profile, listed), (len(candidates), 1)),
    ]
    return np.column_stack(columns)


def _affinity_columns(
    model: Model,
    items: ContentFeatures,
    affinity: AffinityScores,
    listed: _ListedItems,
    candidates: Int64Array,
) -> Float64Array:
    unlisted = np.ones(len(model), bool)
    unlisted[listed.position] = False
    best = affinity.value[top_items(affinity.value, unlisted, N_CANDIDATES)]
    value, lift = affinity.value[candidates], affinity.lift[candidates]
    rank = np.searchsorted(-best, -value, side="left").astype(np.float64)
    spread = best.std() if len(best) else 0.0
    tenth = best[min(9, len(best) - 1)] if len(best) else 0.0
    slot = np.full(len(model), -1, np.int16)
    slot[candidates] = np.arange(len(candidates))
    matrices = [
        (matrix.indptr, matrix.indices, matrix.data, matrix.scale * weight)
        for matrix, weight in affinity.matrices[:2]
    ]
    terms = kernels.contribution_features(
        affinity.input_position,
        affinity.input_weight,
        items.franchises.series_number,
        listed.residual,
        slot,
        candidates,
        *matrices,
    )
    terms[:, :7] *= lift[:, None]
    share = terms[:, 2] / np.maximum(terms[:, 4], 1e-9)
    return np.column_stack(
        [
            value,
            value / lift,
            rank,
            (value - best.mean()) / spread if spread > 0 else np.zeros(len(value)),
            value / tenth if tenth > 0 else np.full(len(value), np.nan),
            affinity.prior[candidates],
            terms,
            share,
        ]
    )


def _franchise_columns(
    model: Model,
    items: ContentFeatures,
    affinity: AffinityScores,
    listed: _ListedItems,
    candidates: Int64Array,
) -> Float64Array:
    franchises = items.franchises
    known = kernels.franchise_features(
        candidates,
        franchises.franchise_id,
        franchises.first,
        franchises.watch_order,
        franchises.prequel,
        franchises.is_extra,
        listed.state,
        listed.residual,
        model.log_lists,
        affinity.value,
    )
    roles = franchises.is_extra[candidates], franchises.is_version[candidates]
    return np.column_stack([known, *roles])


def _score_columns(
    model: Model, profile: UserProfile, prediction: ScorePrediction, candidates: Int64Array
) -> Float64Array:
    gaussian_term = prediction.gaussian_terms(candidates)
    score = prediction.other_terms[candidates] + gaussian_term
    bias = model.score_model.item_bias[candidates]
    mean = profile.score.mean() if len(profile.score) else np.nan
    expected = model.global_mean + bias + prediction.user_bias
    return np.column_stack(
        [
            score,
            score - expected,
            prediction.knn_term[candidates],
            gaussian_term,
            bias,
            score - mean,
        ]
    )


def _format_columns(
    model: Model,
    items: ContentFeatures,
    profile: UserProfile,
    listed: _ListedItems,
    candidates: Int64Array,
) -> Float64Array:
    """How type and length fit the list."""
    own, kinds = items.media_type[profile.seen].astype(np.int64), items.media_type.max() + 2
    given = listed.residual[profile.seen]
    is_scored = ~np.isnan(given)
    count = np.bincount(own + 1, minlength=kinds)
    scored = np.bincount(own[is_scored] + 1, minlength=kinds)
    total = np.bincount(own[is_scored] + 1, given[is_scored], kinds)
    kind = items.media_type[candidates].astype(np.int64)
    length = _log_episodes(items, candidates)
    usual = _log_episodes(items, profile.seen)
    usual = usual[~np.isnan(usual)]
    columns = np.column_stack(
        [
            count[kind + 1] / max(1, len(own)),
            total[kind + 1] / (scored[kind + 1] + model.parameters.type_shrinkage),
            kind,
            length,
            length - (usual.mean() if len(usual) else np.nan),
        ]
    )
    columns[kind < 0, :3] = np.nan
    return columns


def _log_episodes(items: ContentFeatures, positions: Int64Array) -> Float64Array:
    episodes = items.episodes[positions].astype(np.float64)
    return np.log(np.where(episodes > 0, episodes, np.nan))


def _popularity_columns(model: Model, profile: UserProfile, candidates: Int64Array) -> Float64Array:
    lists = model.log_lists[candidates]
    members = model.item_members[candidates].astype(np.float64)
    members = np.log(np.where(members > 0, members, np.nan))
    usual = model.log_lists[profile.seen].mean() if len(profile.seen) else np.nan
    entries = np.maximum(model.entry_count[candidates], 1)
    listed_share = entries / max(1, model.manifest.counts["fans"])
    return np.column_stack(
        [
            lists,
            members,
            lists - members,
            lists - usual,
            model.rating_count[candidates] / entries,
            model.item_relevance[candidates] / listed_share,
        ]
    )


def _age_columns(
    model: Model, affinity: AffinityScores, listed: _ListedItems, candidates: Int64Array
) -> Float64Array:
    year, own = _years(model, candidates), listed.years
    near = np.full(len(year), np.nan)
    if len(own):
        counted = np.searchsorted(own, year + 2, "right") - np.searchsorted(own, year - 2, "left")
        near = np.where(np.isnan(year), np.nan, counted / len(own))
    as_of = model.as_of if model.as_of else np.nan
    return np.column_stack(
        [
            listed.newest_year - year,
            year - (own[len(own) // 2] if len(own) else np.nan),
            as_of - year,
            affinity.lift[candidates],
            near,
        ]
    )


def _years(model: Model, positions: Int64Array) -> Float64Array:
    year = model.item_year[positions].astype(np.float64)
    return np.where(year > 0, year, np.nan)


def _user_columns(
    model: Model, items: ContentFeatures, profile: UserProfile, listed: _ListedItems
) -> Float64Array:
    n, seen, score = len(listed.position), len(profile.seen), profile.score
    has_scores = len(score) > 0
    continues = items.franchises.prequel[profile.seen] >= 0
    return np.array(
        [
            np.log1p(n),
            np.log1p(len(score)),
            score.mean() if has_scores else np.nan,
            score.std() if has_scores else np.nan,
            (score >= HIGH_SCORE).mean() if has_scores else np.nan,
            1.0 - len(score) / seen if seen else np.nan,
            len(profile.all_dropped) / seen if seen else np.nan,
            len(profile.planned) / max(1, n),
            model.log_lists[profile.seen].mean() if seen else np.nan,
            continues.mean() if seen else np.nan,
            (model.as_of or np.nan) - listed.newest_year,
        ]
    )
