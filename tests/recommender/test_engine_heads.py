"""Folding a list into frozen networks: against a closed form, and against every step nearby."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from app.recommender.engines.base import EngineBiases, like_labels
from app.recommender.engines.cosine import CosineEngine, scale_residuals
from app.recommender.engines.heads import (
    LabelBlock,
    LinearHead,
    PredictionHead,
    ReluHead,
    fit_user_vector,
    sigmoid,
)
from app.recommender.engines.networks import (
    HybridEngine,
    MatrixFactorizationEngine,
    MlpEngine,
    NeuralEngine,
)
from app.recommender.user_list import KnownEntries

ANIME, SIZE, HIDDEN = 40, 6, 8
STATUSES = (0, 1, 2, 3, 4, 6)
LISTS = st.dictionaries(
    st.integers(0, ANIME - 1), st.tuples(st.integers(0, 10), st.sampled_from(STATUSES)), max_size=25
)


def head(kind: type[PredictionHead], seed: int) -> PredictionHead:
    rng = np.random.default_rng(seed)
    offset = rng.normal(0, 0.3, ANIME)
    if kind is LinearHead:
        return LinearHead(offset, rng.normal(0, 0.5, (ANIME, SIZE)).astype(np.float32))
    base = rng.normal(0, 0.5, (ANIME, HIDDEN)).astype(np.float32)
    return ReluHead(offset, base, rng.normal(0, 0.5, (HIDDEN, SIZE)), rng.normal(0, 1, HIDDEN))


def evidence(of: PredictionHead, seed: int, *, logistic: bool, entries: int = 15) -> LabelBlock:
    rng = np.random.default_rng(seed)
    position = np.sort(rng.choice(ANIME, entries, replace=False))
    target = rng.normal(0, 1, entries)
    return LabelBlock(of, position, target > 0 if logistic else target, 0.2, 1.0, logistic)


def engine(kind: type[NeuralEngine], seed: int) -> NeuralEngine:
    rng = np.random.default_rng(seed)
    of = ReluHead if kind.uses_relu else LinearHead
    one, other = head(of, seed), head(of, seed + 1)
    if kind.shares_user_vector and isinstance(one, ReluHead) and isinstance(other, ReluHead):
        other = ReluHead(other.offset, one.hidden_bias, one.projection, other.output_weight)
    embedding = rng.normal(0, 1, (ANIME, SIZE)).astype(np.float32)
    baseline = EngineBiases(7.0, rng.normal(0, 0.5, ANIME), 15.0)
    known = np.ones(ANIME, bool)
    return kind(baseline, one, other, 1.1, (0.5, 0.7), (1.0, 5.0), known, embedding, 1.2)


def cosine(seed: int) -> CosineEngine:
    rng = np.random.default_rng(seed)
    item = rng.normal(0, 1, (ANIME, SIZE))
    item /= np.linalg.norm(item, axis=1, keepdims=True)
    baseline = EngineBiases(7.0, rng.normal(0, 0.5, ANIME), 15.0)
    mean, known = rng.normal(0, 0.1, SIZE), np.ones(ANIME, bool)
    return CosineEngine(
        baseline, item.astype(np.float32), 3.0, 0.1, mean, 6 * np.eye(SIZE), 1.0, known, 1.2
    )


def known(entries: dict[int, tuple[int, int]]) -> KnownEntries:
    position = np.array(sorted(entries), np.int64)
    score = np.array([entries[at][0] for at in sorted(entries)], np.float64)
    status = np.array([entries[at][1] for at in sorted(entries)], np.int8)
    return KnownEntries(position, score, status, np.zeros(len(position), bool))


@pytest.mark.parametrize("seed", range(4))
def test_scores_fold_into_a_dot_product_in_closed_form(seed: int) -> None:
    of = head(LinearHead, seed)
    assert isinstance(of, LinearHead)
    part = evidence(of, seed, logistic=False)
    item = of.item_vectors[part.position].astype(np.float64)
    right = item.T @ (part.target - part.value_offset - of.offset[part.position])
    exact = np.linalg.solve(item.T @ item + 0.3 * np.eye(SIZE), right)
    assert fit_user_vector([part], 0.3).user_vector == pytest.approx(exact, abs=1e-10)


def objective(part: LabelBlock, fan: np.ndarray) -> float:
    return part.loss(fan) + 0.15 * float(fan @ fan)


@pytest.mark.parametrize("seed", range(5))
def test_no_vector_tells_liked_from_not_liked_better(seed: int) -> None:
    """A dot product with a sigmoid is convex, so its only flat place is the best."""
    part = evidence(head(LinearHead, seed), seed, logistic=True)
    fan = fit_user_vector([part], 0.3).user_vector
    slopes, _, off = part.gradients(fan)
    assert off @ slopes == pytest.approx(0.3 * fan, abs=1e-3)
    assert objective(part, fan) == pytest.approx(minimize(lambda x: objective(part, x), fan).fun)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("logistic", [False, True])
def test_more_steps_hardly_help_where_it_bends(seed: int, logistic: bool) -> None:
    part = evidence(head(ReluHead, seed), seed, logistic=logistic)
    few = objective(part, fit_user_vector([part], 0.3).user_vector)
    many = objective(part, fit_user_vector([part], 0.3, max_steps=500).user_vector)
    assert few < objective(part, np.zeros(SIZE))
    assert many <= few <= 1.01 * many


def test_slopes_are_those_of_the_values() -> None:
    rng = np.random.default_rng(1)
    for kind in (LinearHead, ReluHead):
        of, fan = head(kind, 3), rng.normal(0, 1, SIZE)
        at, tiny = np.arange(ANIME), 1e-6
        for axis, unit in enumerate(np.eye(SIZE)):
            rise = (of.predict(fan + tiny * unit, at) - of.predict(fan - tiny * unit, at)) / (
                2 * tiny
            )
            assert of.user_jacobian(fan, at)[:, axis] == pytest.approx(rise, abs=1e-5)
        assert of.predict(fan) == pytest.approx(of.predict(fan, at), abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    LISTS, st.sampled_from((MatrixFactorizationEngine, MlpEngine, HybridEngine)), st.integers(0, 5)
)
def test_what_is_told_of_any_list(
    entries: dict[int, tuple[int, int]], kind: type[NeuralEngine], seed: int
) -> None:
    network, listed = engine(kind, seed), known(entries)
    judged = network.score(listed)
    assert ((judged.match >= 0) & (judged.match <= 100)).all()
    assert judged.predicted_score is not None
    assert np.isfinite(judged.predicted_score).all()
    assert network.user_embedding(listed).shape == (SIZE,)
    shares = judged.contributions(np.arange(ANIME))
    assert shares.shape == (ANIME, len(listed.position))
    label = like_labels(listed.score, listed.status)
    told = (label >= 0) | (network.shares_user_vector & (listed.score > 0) & (listed.status != 6))
    assert not shares[:, ~told].any()
    assert (np.abs(shares.sum(axis=1)) <= 100 + 1e-9).all()


def test_the_shares_of_a_dot_product_are_all_that_the_list_adds() -> None:
    network = engine(MatrixFactorizationEngine, 2)
    listed = known({3: (9, 2), 8: (2, 2), 11: (0, 4), 20: (7, 0)})
    judged = network.score(listed)
    level = network.bias_model.user_residuals(listed)[2]
    nobody = network.interaction_head.predict(np.zeros(SIZE)) + network.user_bias_weight * level
    added = judged.match - 100 * sigmoid(nobody)
    # To the last digits only where the vector has settled: the steps stop a little short.
    assert judged.contributions(np.arange(ANIME)).sum(axis=1) == pytest.approx(added, abs=0.05)


@settings(max_examples=30, deadline=None)
@given(LISTS, st.integers(0, 5))
def test_cosine_is_asked_for_any_list(entries: dict[int, tuple[int, int]], seed: int) -> None:
    network, listed = cosine(seed), known(entries)
    judged, everything = network.score(listed), np.arange(ANIME)
    assert judged.predicted_score is not None
    assert judged.predicted_score == pytest.approx(
        network.predict_scores_at(listed, everything), abs=1e-5
    )
    fan, system, terms, _ = network.fold_in(listed)
    assert np.linalg.norm(fan) <= 1 + 1e-9
    assert network.user_embedding(listed).tolist() == fan.tolist()
    prior = network.ridge * network.user_prior_precision @ network.user_prior_mean
    assert np.linalg.solve(system, prior + terms.sum(axis=0)) == pytest.approx(fan, abs=1e-9)
    assert np.isfinite(judged.contributions(everything)).all()


def test_residuals_are_scaled() -> None:
    assert scale_residuals(np.array([-9.0, -5.0, 0.0, 2.5, 9.0])).tolist() == [0, 0, 0.5, 0.75, 1]


def test_what_was_liked() -> None:
    score = np.array([6.0, 5, 0, 9, 0, 9, 9, 9, 8, 3])
    status = np.array([2, 2, 2, 4, 4, 1, 3, 6, 0, 0], np.int8)
    assert like_labels(score, status).tolist() == [1, 0, -1, 0, 0, -1, -1, -1, 1, 0]
