"""Predicted scores and affinities, computed again from the stored arrays the slow, dense way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.recommender import Model, RecommendOptions, SortOrder, UserList, WatchStatus, recommend
from app.recommender.affinity import score_affinity
from app.recommender.array_types import Float64Array
from app.recommender.arrays import ItemMatrix
from app.recommender.artifact import open_artifact
from app.recommender.fold_in import UserProfile, fold_in
from app.recommender.score_model import expected_error, predict_scores
from tests.recommender.drawn import lists


def dense(matrix: ItemMatrix, n: int) -> Float64Array:
    """``[j, i]``: what j on a list gives i."""
    found = np.zeros((n, n))
    found[np.repeat(np.arange(n), np.diff(matrix.indptr)), matrix.indices] = matrix.data
    return found * matrix.scale


def affinity_again(model: Model, visitor: UserProfile) -> Float64Array:
    n, entries, own = len(model), len(visitor.input_position), model.parameters
    length = max(entries, 1)
    until = own.partial_history_length if visitor.is_partial else own.short_history_length
    share = min(1.0, until / length) ** own.short_history_exponent
    complete = 1 - share if 1 - share > 0.1 else 0.0
    weights = complete * dense(model.affinity_matrix, n)
    newcomer = max(own.short_history_weight * share, min(1.0, own.weight_decay_length / length))
    if newcomer > 0.1:
        weights = weights + newcomer * dense(model.short_history_matrix, n)
        if model.little_known_matrix is not None and entries < own.rerank_min_entries:
            weights = weights + newcomer * dense(model.little_known_matrix, n)
    general = model.item_relevance / (1 + entries) ** 2
    return np.asarray(visitor.input_weight @ weights[visitor.input_position] + general)


def taste_again(model: Model, visitor: UserProfile) -> tuple[Float64Array, Float64Array]:
    """Predicted scores and expected errors, with the covariance of the entries inverted whole."""
    taste, n = model.score_model, len(visitor.rated)
    x = visitor.score - model.global_mean - taste.item_bias[visitor.rated]
    level = x.sum() / (taste.reg_user + n)
    squares = ((x - level) ** 2).sum() + taste.score_std_weight * taste.score_std**2
    spread = np.sqrt(squares / (n + taste.score_std_weight))
    source = np.concatenate([visitor.rated, visitor.dropped_unscored])
    x = np.concatenate(
        [x, np.full(len(visitor.dropped_unscored), level + model.parameters.dropped_residual)]
    )

    cubes = dense(taste.similarity, len(model))[source] ** 3
    nearest = ((x - level) / spread) @ cubes / (0.005 + cubes.sum(axis=0))

    factor = np.zeros((len(model), taste.item_factors.shape[1]))
    factor[:, -1] = taste.constant_factor
    factor[taste.factor_position] = taste.item_factors
    covariance = factor @ factor.T
    at = taste.factor_position
    covariance[np.ix_(at, at)] += dense(taste.close_covariance, len(at))
    known = taste.factor_row[source] >= 0
    on = source[known]
    kernel = covariance[np.ix_(on, on)] + np.diag(taste.noise_variance[taste.factor_row[on]])
    reach = np.linalg.solve(kernel, covariance[on]).T
    joint = reach @ (x[known] / spread)
    # What the closest say makes the score, but not its expected error.
    wide = factor @ factor.T
    noisy = wide[np.ix_(on, on)] + np.diag(taste.noise_variance[taste.factor_row[on]])
    variance = wide.diagonal() - (np.linalg.solve(noisy, wide[on]) * wide[on]).sum(axis=0)

    own, t = model.parameters, n / (n + model.parameters.score_count_shrinkage)
    score = model.global_mean + taste.item_bias + level
    score = score + (own.knn_weight + own.knn_weight_gain * t) * spread * nearest
    score = score + (own.gaussian_weight + own.gaussian_weight_gain * t) * (spread * joint - level)
    score = score + own.score_affinity_weight * affinity_again(model, visitor) + own.score_offset
    error = spread * np.sqrt(variance[taste.factor_position] + taste.noise_variance)
    return score, error


@pytest.fixture(scope="module", params=["closest", "older", "long-term"])
def variant(model: Model, request: pytest.FixtureRequest) -> Model:
    """The model, one written before covariances of the closest, and other blend weights."""
    if request.param == "older":
        artifact = open_artifact(model.catalogue_path.parent)
        arrays = {
            name: array
            for name, array in artifact.arrays.items()
            if not name.startswith("score_model_close_covariance")
        }
        return Model(replace(artifact, arrays=arrays))
    if request.param == "long-term":
        weights = {"knn_weight_gain": 0.3, "gaussian_weight_gain": -0.2}
        return model.with_parameters(model.parameters.model_copy(update=weights))
    return model


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_affinity_and_score_are_those_of_the_formulas(variant: Model, data: st.DataObject) -> None:
    model = variant
    visitor = fold_in(model, data.draw(lists(model, most=70)))
    affinity = score_affinity(model, visitor)
    np.testing.assert_allclose(affinity.value, affinity_again(model, visitor), atol=1e-12)
    taste = predict_scores(model, visitor, affinity)
    score, error = taste_again(model, visitor)
    np.testing.assert_allclose(taste.scores(np.arange(len(model))), score, atol=1e-5)
    np.testing.assert_allclose(
        expected_error(model, taste, model.score_model.factor_position.astype(np.int64)),
        error,
        atol=1e-5,
    )


def test_more_scores_make_it_surer(model: Model) -> None:
    ids, wanted = model.anime_id.tolist(), model.score_model.factor_position[-8:].astype(np.int64)
    errors = []
    for count in (0, 5, 45):
        visitor = fold_in(
            model, UserList.from_entries([(n, 7.0 + 2 * (n % 2), 2) for n in ids[:count]])
        )
        taste = predict_scores(model, visitor, score_affinity(model, visitor))
        errors.append(expected_error(model, taste, wanted) / taste.user_std)
    assert (errors[0] > errors[1]).all()
    assert (errors[1] > errors[2]).all()


def test_who_loves_a_kind_is_recommended_more_of_it(model: Model) -> None:
    """The anime whose affinity rises most with a 10 instead of a 1 is among its neighbours."""
    ids = model.anime_id.tolist()
    for source in range(0, 60, 7):
        loved, hated = (
            score_affinity(
                model, fold_in(model, UserList.from_entries([(ids[source], score, 2)]))
            ).value
            for score in (10, 1)
        )
        weights = dense(model.short_history_matrix, len(model))[source]
        if model.little_known_matrix is not None:
            weights = weights + dense(model.little_known_matrix, len(model))[source]
        weights *= model.parameters.short_history_weight
        np.testing.assert_allclose(loved - hated, (1.75 - 0.1) * weights, atol=1e-12)


def test_plans_alone_say_nothing_but_beside_a_list_they_do(model: Model) -> None:
    ids = model.anime_id.tolist()
    plans = [(n, None, WatchStatus.PLAN_TO_WATCH) for n in ids[:5]]
    assert not recommend(model, UserList.from_entries(plans)).is_personalized
    seen = [(ids[30], 9.0, WatchStatus.COMPLETED)]
    with_plans, without = (
        recommend(model, UserList.from_entries(entries), RecommendOptions(top_n=60)).recommendations
        for entries in (seen + plans, seen)
    )
    assert {item.anime_id: item.match for item in with_plans} != {
        item.anime_id: item.match for item in without if item.anime_id not in ids[:5]
    }


def test_discover_brings_out_what_few_have_seen(model: Model) -> None:
    ids = model.anime_id.tolist()
    lists_of = dict(zip(ids, model.entry_count.tolist(), strict=True))
    mean = {
        order: np.mean(
            [
                lists_of[item.anime_id]
                for begin in range(5)
                for item in recommend(
                    model,
                    UserList.from_entries([(n, 8.0, 2) for n in ids[begin::5]]),
                    RecommendOptions(top_n=5, sort_order=order),
                ).recommendations
            ]
        )
        for order in (SortOrder.MATCH, SortOrder.DISCOVER)
    }
    assert mean[SortOrder.DISCOVER] < mean[SortOrder.MATCH]


@pytest.mark.parametrize("order", list(SortOrder))
def test_no_reason_is_asked_for_and_none_is_told(model: Model, order: SortOrder) -> None:
    listed = UserList.from_entries([(n, 8.0, 2) for n in model.anime_id.tolist()[::5]])
    for item in recommend(
        model, listed, RecommendOptions(sort_order=order, explanation_size=0)
    ).recommendations:
        assert item.contributions == ()
        explained = item.predicted_score if order is SortOrder.SCORE else item.match
        assert item.residual == explained
