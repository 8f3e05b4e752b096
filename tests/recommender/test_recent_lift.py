"""Recent anime are lifted until their share is that of the list, and nothing else changes."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.recommender import Model, RecommendOptions, UserList, recommend
from app.recommender.affinity import affinity_contributions, score_affinity
from app.recommender.fold_in import fold_in
from app.recommender.score_model import predict_scores
from tests.recommender.drawn import lists

AS_OF = 2026


@pytest.fixture(scope="module")
def dated(model: Model) -> Model:
    """The model with every third anime of the last years."""
    found = copy.copy(model)
    vars(found).pop("is_recent", None)  # computed from what changes
    found.as_of = AS_OF
    found.item_year = np.where(np.arange(len(model)) % 3 == 0, 2025, 2000).astype(np.int16)
    return found


def with_share(model: Model, gain: float, floor: float, depth: int = 12) -> Model:
    changes = {"recent_share_gain": gain, "recent_share_floor": floor, "recent_depth": depth}
    # Affinities of short lists may pass 1 in so small a world, and are not lifted then.
    changes |= {"short_history_length": 2.0}
    return model.with_parameters(model.parameters.model_copy(update=changes))


def recent_among_best(model: Model, listed: UserList, count: int) -> int:
    profile = fold_in(model, listed)
    value = score_affinity(model, profile).value.copy()
    value[profile.known_entries.position] = -np.inf
    return int(model.is_recent[np.argsort(-value, kind="stable")[:count]].sum())


@settings(deadline=None)
@given(data=st.data(), wanted=st.floats(0.0, 0.9))
def test_the_share_is_reached_and_the_order_of_each_kind_stays(
    dated: Model, data: st.DataObject, wanted: float
) -> None:
    listed = data.draw(lists(dated))
    plain, lifted = with_share(dated, 0, 0), with_share(dated, 0, wanted)
    profile = fold_in(dated, listed)
    before, after = score_affinity(plain, profile), score_affinity(lifted, profile)
    assert (after.lift >= 1).all()
    assert (after.lift[~dated.is_recent] == 1).all()
    np.testing.assert_allclose(after.value, before.value * after.lift)
    assert len(np.unique(after.lift[after.lift > 1])) <= 1
    unlisted = np.ones(len(dated), bool)
    unlisted[profile.known_entries.position] = False
    possible = int((dated.is_recent & unlisted & (before.value > 0)).sum())
    others = int((~dated.is_recent & unlisted).sum())
    count = min(int(np.ceil(wanted * 12)), possible)
    most = float(after.value[dated.is_recent & unlisted].max(initial=0.0))
    unlifted = float(before.value[dated.is_recent & unlisted].max(initial=0.0))
    assert most <= max(1.0, unlifted) * (1 + 1e-9)
    if 0 < count < 12 and others > 12 - count and most < 1.0 - 1e-9:
        assert recent_among_best(lifted, listed, 12) >= count
    assert recent_among_best(lifted, listed, 12) >= recent_among_best(plain, listed, 12)


def test_the_share_follows_the_list(dated: Model) -> None:
    model = with_share(dated, 1.0, 0.0)
    recent, old = (
        [int(each) for each in dated.anime_id[mask]][:9]
        for mask in (dated.is_recent, ~dated.is_recent)
    )
    shares = []
    for n_recent in (0, 3, 6, 9):
        ids = recent[:n_recent] + old[: 9 - n_recent]
        listed = UserList.from_entries([(each, 8.0, 2) for each in ids])
        shares.append(recent_among_best(model, listed, 12))
    assert shares[1] >= 3
    assert shares[2] >= 5
    assert shares[3] > shares[2] > shares[1]


@settings(deadline=None)
@given(data=st.data())
def test_reasons_add_up_to_the_lifted_match(dated: Model, data: st.DataObject) -> None:
    model = with_share(dated, 0.0, 0.7)
    profile = fold_in(model, data.draw(lists(dated)))
    affinity = score_affinity(model, profile)
    positions = np.arange(len(model))
    total = affinity_contributions(affinity, positions).sum(axis=1) + affinity.prior
    np.testing.assert_allclose(total, affinity.value, atol=1e-9)
    shown = recommend(model, profile, RecommendOptions(top_n=5, explanation_size=len(model)))
    for item in shown.recommendations:
        reasons = sum(reason.weight for reason in item.contributions)
        assert item.match == pytest.approx(reasons + item.residual)


@settings(deadline=None)
@given(data=st.data())
def test_predicted_scores_do_not_change(dated: Model, data: st.DataObject) -> None:
    listed = data.draw(lists(dated))
    scores = []
    for wanted in (0.0, 0.8):
        model = with_share(dated, 0.0, wanted)
        profile = fold_in(model, listed)
        prediction = predict_scores(model, profile, score_affinity(model, profile))
        scores.append(prediction.scores(np.arange(len(model))))
    np.testing.assert_allclose(*scores, rtol=1e-9)


def test_a_model_without_years_lifts_nothing(model: Model) -> None:
    undated = copy.copy(model)
    vars(undated).pop("is_recent", None)
    undated.as_of, undated.item_year = 0, np.zeros(len(model), np.int16)
    lifted = with_share(undated, 1.0, 0.9)
    profile = fold_in(lifted, UserList.from_entries([(int(model.anime_id[0]), 8.0, 2)]))
    assert (score_affinity(lifted, profile).lift == 1).all()
