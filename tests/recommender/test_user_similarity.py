"""How alike two fans are, against the formula written out and against what must hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.recommender import Model, UserList, WatchStatus
from app.recommender.fold_in import UserProfile, fold_in
from app.recommender.user_similarity import MIN_SHARED_ITEMS, compare_users, favourite_mask
from model_build.train.serving_parameters import default_parameters
from tests.recommender.drawn import lists

SHRINKAGE = default_parameters().user_similarity_shrinkage


def scored(model: Model, scores: dict[int, float]) -> UserProfile:
    """A fan by positions of the model's anime."""
    rows = [(int(model.anime_id[at]), score, WatchStatus.COMPLETED) for at, score in scores.items()]
    return fold_in(model, UserList.from_entries(rows))


def by_hand(one: UserProfile, other: UserProfile) -> tuple[int, float]:
    mine = dict(zip(one.rated.tolist(), one.residual.tolist(), strict=True))
    theirs = dict(zip(other.rated.tolist(), other.residual.tolist(), strict=True))
    shared = sorted(mine.keys() & theirs.keys())
    top = sum(mine[at] * theirs[at] for at in shared)
    below = math.sqrt(sum(mine[at] ** 2 for at in shared) * sum(theirs[at] ** 2 for at in shared))
    return len(shared), top / below if below else 0.0


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_the_formula(model: Model, data: st.DataObject) -> None:
    one, other = (fold_in(model, data.draw(lists(model, most=60))) for _ in range(2))
    found = compare_users(model, one, other, 3).similarity
    n, r = by_hand(one, other)
    assert found.shared_scored == n
    assert found.shared_seen == len({*one.seen.tolist()} & {*other.seen.tolist()})
    if n < MIN_SHARED_ITEMS:
        assert found.value is None
        assert found.probability is None
    elif found.value is not None:
        assert found.value == pytest.approx(n / (n + SHRINKAGE) * r, abs=1e-9)
        assert found.probability is not None
        assert 0 < found.probability < 1
        assert (found.probability > 0.5) == (found.value > 0) or abs(found.value) < 1e-12


def test_the_same_taste_is_alike_and_the_more_is_shared_the_surer(model: Model) -> None:
    draw = np.random.default_rng(3)
    chances = []
    for count in (5, 10, 20, 40):
        own = model.global_mean + model.item_bias[:count] + draw.normal(0, 1.5, count)
        scores = {at: float(np.clip(own[at], 1, 10)) for at in range(count)}
        fan = scored(model, scores)
        likeness = compare_users(model, fan, fan, 3).similarity
        assert likeness.value == pytest.approx(count / (count + SHRINKAGE))
        assert likeness.mean_difference == 0
        assert likeness.probability is not None
        chances.append(likeness.probability)
    assert chances == sorted(chances)
    assert chances[-1] > 0.9


def test_a_stricter_fan_of_the_same_taste_is_as_alike(model: Model) -> None:
    draw = np.random.default_rng(5)
    taste = draw.normal(0, 1, 30)
    expected = model.global_mean + model.item_bias[:30]
    kind = scored(model, {at: float(expected[at] + taste[at]) for at in range(30)})
    strict = scored(model, {at: float(expected[at] + taste[at] - 2) for at in range(30)})
    opposite = scored(model, {at: float(expected[at] - taste[at]) for at in range(30)})
    alike = compare_users(model, kind, strict, 3).similarity
    apart = compare_users(model, kind, opposite, 3).similarity
    assert alike.value is not None
    assert alike.mean_difference == pytest.approx(2)
    # The bias of a fan is held back a little, so a rest of the two points stays in the residuals.
    assert alike.value > 0.8 * 30 / (30 + SHRINKAGE)
    assert apart.value is not None
    assert apart.value < -0.8 * 30 / (30 + SHRINKAGE)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_disagreements_and_favourites(model: Model, data: st.DataObject) -> None:
    """Against a plain loop over what both scored."""
    one, other = (fold_in(model, data.draw(lists(model, most=60))) for _ in range(2))
    found = compare_users(model, one, other, 100)
    mine = dict(zip(one.rated.tolist(), zip(one.score, one.residual, strict=True), strict=True))
    theirs = dict(
        zip(other.rated.tolist(), zip(other.score, other.residual, strict=True), strict=True)
    )
    loved = [set(fan.rated[favourite_mask(fan)].tolist()) for fan in (one, other)]
    opposed, shared = [], []
    for at in sorted(mine.keys() & theirs.keys()):
        (r, e), (s, f) = mine[at], theirs[at]
        if at in loved[0] and at in loved[1]:
            lesser = min(r - one.score.mean(), s - other.score.mean())
            shared.append((-lesser, -(e + f), int(model.anime_id[at])))
        elif e * f < 0 and abs(e - f) >= 1:
            opposed.append((-abs(e - f), int(model.anime_id[at])))
    assert [each.anime_id for each in found.disagreements] == [n for _, n in sorted(opposed)]
    assert [each.anime_id for each in found.favourites] == [n for *_, n in sorted(shared)]
    assert found.disagreements[:2] == compare_users(model, one, other, 2).disagreements


def test_too_little_is_not_judged(model: Model) -> None:
    few = scored(model, dict.fromkeys(range(MIN_SHARED_ITEMS - 1), 9.0))
    assert compare_users(model, few, few, 3).similarity.value is None
    nobody = fold_in(model, UserList.from_entries([]))
    found = compare_users(model, few, nobody, 3)
    assert (found.similarity.shared_seen, found.similarity.shared_scored) == (0, 0)
    assert found.similarity.mean_difference is None
    assert found.disagreements == found.favourites == ()
