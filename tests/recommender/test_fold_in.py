"""A visitor's list becomes a bias, residuals, and what not to show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from app.recommender import Model, UserList, WatchStatus, recommend
from app.recommender.fold_in import fold_in
from app.recommender.knn_baseline import predict_knn
from tests.model_build.worlds import dense_similarity
from tests.recommender.drawn import entry_lists, lists

SEEN_STATUSES = (
    WatchStatus.UNKNOWN,
    WatchStatus.WATCHING,
    WatchStatus.COMPLETED,
    WatchStatus.ON_HOLD,
    WatchStatus.DROPPED,
)


def outcome(model: Model, score: float | None, status: int) -> set[str]:
    """In which of a visitor's groups the one entry of a list ends up."""
    visitor = fold_in(model, UserList.from_entries([(int(model.anime_id[17]), score, status)]))
    groups = {
        "seen": visitor.seen,
        "rated": visitor.rated,
        "dropped": visitor.dropped_unscored,
        "planned": visitor.planned,
    }
    assert visitor.unknown_ids == ()
    assert all(group.tolist() in ([], [17]) for group in groups.values())
    return {name for name, group in groups.items() if len(group)}


@pytest.mark.parametrize("status", SEEN_STATUSES)
def test_a_score_counts_whatever_the_status(model: Model, status: WatchStatus) -> None:
    assert outcome(model, 7.5, status) == {"seen", "rated"}


@pytest.mark.parametrize("status", [s for s in SEEN_STATUSES if s != WatchStatus.DROPPED])
@pytest.mark.parametrize("score", [None, 0.0])
def test_without_a_score_an_anime_is_only_seen(
    model: Model, status: WatchStatus, score: float | None
) -> None:
    assert outcome(model, score, status) == {"seen"}


def test_dropped_without_a_score_is_a_dislike(model: Model) -> None:
    assert outcome(model, None, WatchStatus.DROPPED) == {"seen", "dropped"}


@pytest.mark.parametrize(
    ("entry", "sign"),
    [
        ((17, 4.0, WatchStatus.COMPLETED), -1),
        ((17, 1.0, WatchStatus.UNKNOWN), -1),
        ((17, None, WatchStatus.DROPPED), -1),
        ((17, 5.0, WatchStatus.COMPLETED), 1),
        ((17, None, WatchStatus.COMPLETED), 1),
        ((17, 10.0, WatchStatus.DROPPED), 1),
    ],
)
def test_what_is_named_and_disliked_counts_against_its_like(
    model: Model, entry: tuple[int, float | None, int], sign: int
) -> None:
    """In a list made by hand; a whole list, or a sample of one, has it because it was watched."""
    partial = fold_in(model, UserList.from_entries([entry], is_partial=True))
    whole = fold_in(model, UserList.from_entries([entry]))
    sampled = fold_in(
        model, replace(UserList.from_entries([entry], is_partial=True), is_sampled=True)
    )
    assert whole.input_weight > 0
    assert partial.input_weight == sign * whole.input_weight
    assert sampled.input_weight == whole.input_weight


@pytest.mark.parametrize("score", [None, 9.0])
def test_planned_is_never_seen_nor_rated(model: Model, score: float | None) -> None:
    assert outcome(model, score, WatchStatus.PLAN_TO_WATCH) == {"planned"}


def test_unknown_anime_are_reported_and_say_nothing(model: Model) -> None:
    known = int(model.anime_id[3])
    absent = sorted(set(range(1, 10**4)) - set(model.anime_id.tolist()))
    strangers = [10**9, absent[0], absent[-1], 2**40]
    with_them = UserList.from_entries([(known, 8, 2)] + [(anime, 1, 4) for anime in strangers])
    visitor = fold_in(model, with_them)
    assert visitor.unknown_ids == tuple(sorted(strangers))
    assert visitor.user_bias == fold_in(model, UserList.from_entries([(known, 8, 2)])).user_bias


def test_of_an_anime_listed_twice_the_last_entry_counts(model: Model) -> None:
    anime, other = model.anime_id[:2].tolist()
    listed = UserList.from_entries([(anime, 3, 4), (other, 5, 2), (anime, None, 6)])
    assert sorted(zip(listed.anime_id, listed.score, listed.status, strict=True)) == [
        (anime, 0, 6),
        (other, 5, 2),
    ]
    assert fold_in(model, listed).planned.tolist() == [0]


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_the_bias_minimises_the_regularised_squared_error(
    model: Model, data: st.DataObject
) -> None:
    visitor = fold_in(model, data.draw(lists(model)))
    base = model.global_mean + model.item_bias[visitor.rated]

    def error(bias: float) -> float:
        return float(((visitor.score - base - bias) ** 2).sum() + model.reg_user * bias**2)

    assert visitor.user_bias == pytest.approx(minimize_scalar(error).x, abs=1e-5)
    np.testing.assert_allclose(
        visitor.residual, visitor.score - base - visitor.user_bias, rtol=0, atol=1e-12
    )


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_every_entry_ends_up_in_its_place(model: Model, data: st.DataObject) -> None:
    entries = data.draw(entry_lists(model))
    visitor = fold_in(model, UserList.from_entries(entries))
    position = {int(anime): place for place, anime in enumerate(model.anime_id)}
    known = [(position[a], score, status) for a, score, status in entries if a in position]
    seen = [(place, score, status) for place, score, status in known if status != 6]
    rated = sorted((place, score) for place, score, _ in seen if score)
    assert list(zip(visitor.rated.tolist(), visitor.score.tolist(), strict=True)) == rated
    assert visitor.seen.tolist() == sorted(place for place, _, _ in seen)
    assert visitor.dropped_unscored.tolist() == sorted(
        p for p, score, s in seen if not score and s == 4
    )
    assert visitor.planned.tolist() == sorted(p for p, _, status in known if status == 6)
    assert visitor.unknown_ids == tuple(sorted(a for a, _, _ in entries if a not in position))


@given(st.data(), st.sampled_from([None, 1, 3, 100]))
@settings(max_examples=60, deadline=None)
def test_a_predicted_score_is_the_weighted_mean_of_the_nearest(
    model: Model, data: st.DataObject, k: int | None
) -> None:
    """One anime at a time: k nearest entries with a say, of equals the smaller id."""
    visitor = fold_in(model, data.draw(lists(model, most=60)))
    prediction = predict_knn(model, visitor, k)
    said = dict(zip(visitor.rated.tolist(), visitor.residual.tolist(), strict=True))
    said |= dict.fromkeys(visitor.dropped_unscored.tolist(), model.parameters.dropped_residual)
    similarity = dense_similarity(model)
    for target in range(len(model)):
        near = [source for source in sorted(said) if similarity[target, source] > 0]
        near = sorted(near, key=lambda source: -similarity[target, source])[
            : k or model.neighbour_count
        ]
        weights = similarity[target, near]
        mean = weights @ [said[s] for s in near] / weights.sum() if near else 0.0
        baseline = model.global_mean + visitor.user_bias + model.item_bias[target]
        assert prediction.baseline[target] == pytest.approx(baseline, abs=1e-12)
        assert prediction.score[target] == pytest.approx(baseline + mean, abs=1e-9)
        assert prediction.total_similarity[target] == pytest.approx(weights.sum(), abs=1e-9)
        assert prediction.neighbourhood.neighbour_count[target] == len(near)


def test_a_silent_drop_pulls_its_neighbours_down(model: Model) -> None:
    visitor = fold_in(
        model, UserList.from_entries([(int(model.anime_id[5]), None, WatchStatus.DROPPED)])
    )
    prediction = predict_knn(model, visitor)
    near = dense_similarity(model)[:, 5] > 0
    assert near.sum() > 3
    assert visitor.user_bias == 0
    np.testing.assert_allclose(
        prediction.score - prediction.baseline, near * model.parameters.dropped_residual
    )


def test_positions_of_ids(model: Model) -> None:
    ids = model.anime_id.astype(np.int64)
    np.testing.assert_array_equal(model.find_positions(ids[::-1]), np.arange(len(model))[::-1])
    absent = np.setdiff1d(np.arange(-5, ids[-1] + 5), ids)
    assert (model.find_positions(absent) == -1).all()
    assert model.find_positions(np.empty(0, np.int64)).tolist() == []


def test_the_weights_into_an_anime(model: Model) -> None:
    dense = dense_similarity(model)
    for target in (0, 31, len(model) - 1):
        source, weight = model.similarity.column_entries(target)
        np.testing.assert_array_equal(source, np.flatnonzero(dense[target]))
        np.testing.assert_array_equal(weight, dense[target, source])


def test_popularity_falls(model: Model) -> None:
    assert (np.diff(model.popularity[model.popularity_order]) <= 0).all()
    assert sorted(model.popularity_order.tolist()) == list(range(len(model)))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_ignored_drops_are_seen_and_say_nothing(model: Model, data: st.DataObject) -> None:
    """As if what was dropped without a score stood on no list, but for being seen."""
    entries = data.draw(entry_lists(model))
    kept = [e for e in entries if e[1] or e[2] != WatchStatus.DROPPED]
    ignoring = fold_in(model, UserList.from_entries(entries), ignore_dropped=True)
    without, with_all = (
        fold_in(model, UserList.from_entries(kept)),
        fold_in(model, UserList.from_entries(entries)),
    )
    for name in (
        "user_bias",
        "rated",
        "score",
        "residual",
        "dropped_unscored",
        "input_position",
        "input_weight",
    ):
        assert np.array_equal(getattr(ignoring, name), getattr(without, name)), name
    for name in ("seen", "planned"):
        assert np.array_equal(getattr(ignoring, name), getattr(with_all, name)), name
    assert len(ignoring.dropped_unscored) == 0


def test_a_list_of_nothing_but_ignored_drops_says_nothing(model: Model) -> None:
    dropped = UserList.from_entries(
        [(int(n), None, WatchStatus.DROPPED) for n in model.anime_id[:4]]
    )
    planned = int(model.anime_id[9])
    both = UserList.from_entries(
        [*((int(n), None, 4) for n in model.anime_id[:4]), (planned, None, 6)]
    )
    for listed in (dropped, both):
        answer = recommend(model, fold_in(model, listed, ignore_dropped=True))
        assert not answer.is_personalized
        assert not {r.anime_id for r in answer.recommendations} & set(model.anime_id[:4].tolist())
        assert recommend(model, listed).is_personalized
