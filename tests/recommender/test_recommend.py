"""What is shown: for any list, a ranked, explained answer with nothing of the list in it."""

from __future__ import annotations

import math
from dataclasses import astuple
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.recommender import (
    Model,
    RecommendedItem,
    RecommendOptions,
    SortOrder,
    UserList,
    WatchStatus,
    recommend,
)
from app.recommender.rank import top_items
from tests.model_build.worlds import random_frame, rated_frame, train_model
from tests.recommender.drawn import Entry, entry_lists

orders = st.sampled_from(list(SortOrder))


def assert_sound(shown: tuple[RecommendedItem, ...], model: Model) -> None:
    """What holds of every answer: known anime, once each, numbered, and all numbers finite."""
    ids = [item.anime_id for item in shown]
    assert len(set(ids)) == len(ids)
    assert set(ids) <= set(model.anime_id.tolist())
    assert [item.rank for item in shown] == list(range(1, len(shown) + 1))
    for item in shown:
        numbers = [item.match, item.predicted_score, item.expected_error, item.residual]
        numbers += [reason.weight for reason in item.contributions]
        assert all(math.isfinite(number) for number in numbers), astuple(item)
        assert 1 <= item.predicted_score <= 10


@given(st.data(), orders, st.booleans(), st.integers(1, 80))
@settings(max_examples=80, deadline=None)
def test_what_was_seen_is_not_shown(
    model: Model, data: st.DataObject, order: SortOrder, include_planned: bool, count: int
) -> None:
    entries = data.draw(entry_lists(model, most=70))
    wish = RecommendOptions(top_n=count, sort_order=order, include_planned=include_planned)
    answer = recommend(model, UserList.from_entries(entries), wish)
    assert_sound(answer.recommendations, model)
    assert len(answer.recommendations) <= count
    assert answer.sort_order == order
    shown = {item.anime_id for item in answer.recommendations}
    seen = {anime for anime, _, status in entries if status != WatchStatus.PLAN_TO_WATCH}
    planned = {anime for anime, _, status in entries if status == WatchStatus.PLAN_TO_WATCH}
    assert not shown & seen
    assert include_planned or not shown & planned


@given(st.data(), orders, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_the_list_does_not_matter(
    model: Model, data: st.DataObject, order: SortOrder, random: st.random.Random
) -> None:
    entries = data.draw(entry_lists(model))
    shuffled = list(entries)
    random.shuffle(shuffled)
    one, other = (
        recommend(model, UserList.from_entries(listed), RecommendOptions(sort_order=order))
        for listed in (entries, shuffled)
    )
    assert one.recommendations == other.recommendations
    assert one.profile.unknown_ids == other.profile.unknown_ids


@given(st.data(), orders, st.integers(0, 40))
@settings(max_examples=80, deadline=None)
def test_reasons_and_rest_add_up_to_what_they_explain(
    model: Model, data: st.DataObject, order: SortOrder, count: int
) -> None:
    entries = data.draw(entry_lists(model))
    wish = RecommendOptions(top_n=100, sort_order=order, explanation_size=count)
    given_score = {anime: score for anime, score, _ in entries}
    status = {anime: status for anime, _, status in entries}
    for item in recommend(model, UserList.from_entries(entries), wish).recommendations:
        weights = [reason.weight for reason in item.contributions]
        explained = item.predicted_score if order is SortOrder.SCORE else item.match
        assert sum(weights) + item.residual == pytest.approx(explained, abs=1e-9)
        assert weights == sorted(weights, reverse=True)
        assert all(weight > 0 for weight in weights)
        assert len(weights) <= count
        assert len({reason.anime_id for reason in item.contributions}) == len(weights)
        for reason in item.contributions:
            assert status[reason.anime_id] != WatchStatus.PLAN_TO_WATCH
            assert reason.score == given_score[reason.anime_id]
            if order is SortOrder.SCORE:
                assert reason.score or status[reason.anime_id] == WatchStatus.DROPPED


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_by_score_the_best_predicted_come_first(model: Model, data: st.DataObject) -> None:
    entries = data.draw(entry_lists(model))
    answer = recommend(
        model,
        UserList.from_entries(entries),
        RecommendOptions(top_n=100, sort_order=SortOrder.SCORE),
    )
    predicted = [item.predicted_score for item in answer.recommendations]
    # Sorted within what rests on enough, what has ratings enough, and the rest.
    assert sum(a < b - 1e-9 for a, b in pairwise(predicted)) <= 2


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_by_match_the_best_match_comes_first(model: Model, data: st.DataObject) -> None:
    answer = recommend(
        model, UserList.from_entries(data.draw(entry_lists(model))), RecommendOptions(top_n=100)
    )
    matches = [item.match for item in answer.recommendations]
    assert matches == sorted(matches, reverse=True)


@given(st.data(), orders)
@settings(max_examples=40, deadline=None)
def test_a_shorter_answer_is_the_start_of_a_longer_one(
    model: Model, data: st.DataObject, order: SortOrder
) -> None:
    listed = UserList.from_entries(data.draw(entry_lists(model)))
    long = recommend(model, listed, RecommendOptions(top_n=50, sort_order=order)).recommendations
    for count in (1, 7, 20):
        short = recommend(
            model, listed, RecommendOptions(top_n=count, sort_order=order)
        ).recommendations
        assert short == long[:count]


@given(
    st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), min_size=1, max_size=30),
    st.integers(1, 35),
    st.data(),
)
@settings(max_examples=100, deadline=None)
def test_the_top_is_that_of_a_full_sort(
    values: list[float], count: int, data: st.DataObject
) -> None:
    allowed = data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))
    expected = [i for i in sorted(range(len(values)), key=lambda i: (-values[i], i)) if allowed[i]]
    assert top_items(np.array(values), np.array(allowed), count).tolist() == expected[:count]


@pytest.mark.parametrize("order", list(SortOrder))
@pytest.mark.parametrize(
    ("entries", "personal"),
    [
        pytest.param(lambda ids: [], False, id="empty"),
        pytest.param(lambda ids: [(10**6 + n, 8, 2) for n in range(9)], False, id="unknown"),
        pytest.param(lambda ids: [(n, None, 6) for n in ids[:10]], False, id="planned"),
        pytest.param(lambda ids: [(n, None, 2) for n in ids[:10]], None, id="no scores"),
        pytest.param(lambda ids: [(ids[7], 9, 2)], True, id="one title"),
        pytest.param(lambda ids: [(n, 7, 2) for n in ids[::3]], True, id="one score"),
        pytest.param(lambda ids: [(n, 10, 2) for n in ids[::3]], True, id="all tens"),
        pytest.param(lambda ids: [(n, None, 4) for n in ids[::3]], True, id="all dropped"),
        pytest.param(
            lambda ids: [(n, 8, 2) for n in [*ids[::2], *range(10**6, 10**6 + 9970)]],
            True,
            id="ten thousand",
        ),
    ],
)
def test_any_list_gets_a_useful_answer(
    model: Model, entries: object, personal: bool | None, order: SortOrder
) -> None:
    listed = UserList.from_entries(entries(model.anime_id.tolist()))  # type: ignore[operator]
    answer = recommend(model, listed, RecommendOptions(top_n=10, sort_order=order))
    assert_sound(answer.recommendations, model)
    assert len(answer.recommendations) == 10
    if personal is not None:
        assert answer.is_personalized is personal


@pytest.mark.parametrize("order", list(SortOrder))
@pytest.mark.parametrize("length", range(1, 9))
def test_a_short_list_is_no_reason_for_a_short_answer(
    model: Model, length: int, order: SortOrder
) -> None:
    rng = np.random.default_rng(length)
    for _ in range(10):
        ids = rng.choice(model.anime_id, length, replace=False).tolist()
        listed = UserList.from_entries([(anime, float(rng.integers(4, 11)), 2) for anime in ids])
        assert (
            len(
                recommend(
                    model, listed, RecommendOptions(top_n=10, sort_order=order)
                ).recommendations
            )
            == 10
        )


@pytest.mark.parametrize("order", list(SortOrder))
def test_who_has_seen_everything_gets_an_empty_answer(model: Model, order: SortOrder) -> None:
    listed = UserList.from_entries([(anime, 8, 2) for anime in model.anime_id.tolist()])
    assert recommend(model, listed, RecommendOptions(sort_order=order)).recommendations == ()


def test_strangers_are_shown_what_is_popular_and_well_liked(model: Model) -> None:
    shown = recommend(model, UserList.from_entries([]), RecommendOptions(top_n=10)).recommendations
    at = model.find_positions(np.array([item.anime_id for item in shown]))
    assert np.median(model.item_bias[at]) > 0
    assert np.median(model.entry_count[at]) > np.median(model.entry_count)
    assert all(item.contributions == () for item in shown)


@pytest.mark.parametrize("order", list(SortOrder))
@pytest.mark.parametrize("entries", [[], [(0, 9.0, 2), (1, 3.0, 2), (2, 8.0, 2)]])
def test_only_what_is_allowed_is_shown(
    model: Model, entries: list[Entry], order: SortOrder
) -> None:
    ids = model.anime_id
    listed = UserList.from_entries(
        [(int(ids[place]), score, status) for place, score, status in entries]
    )
    allowed = np.arange(len(model)) % 4 == 1
    wish = RecommendOptions(top_n=100, sort_order=order, allowed_mask=allowed)
    shown = {item.anime_id for item in recommend(model, listed, wish).recommendations}
    assert shown
    assert shown <= set(ids[allowed].tolist())
    # Asking must not have changed the question.
    assert allowed.sum() == (np.arange(len(model)) % 4 == 1).sum()


def test_a_fan_of_one_kind_gets_that_kind(tmp_path: Path) -> None:
    """Two camps: each loves its own ten anime and dislikes the other's."""
    rng = np.random.default_rng(0)
    rows = []
    for fan in range(200):
        for anime in rng.permutation(20)[:14].tolist():
            mine = anime % 2 == fan % 2
            rows.append(
                (fan, anime + 1, float(rng.integers(7, 11) if mine else rng.integers(1, 5)))
            )
    model = train_model(rated_frame(rows), tmp_path)
    listed = UserList.from_entries([(1, 10, 2), (3, 9, 2), (2, 2, 2), (4, 3, 2)])
    answer = recommend(model, listed, RecommendOptions(top_n=8, sort_order=SortOrder.SCORE))
    assert [item.anime_id % 2 for item in answer.recommendations] == [1] * 8
    assert {
        reason.anime_id for item in answer.recommendations for reason in item.contributions
    } == {1, 3}


def test_without_regularisation_nothing_is_divided_by_zero(tmp_path: Path) -> None:
    """An anime that nobody scored, a fan who scored nothing, a visitor with an empty list."""
    frame = random_frame(5, 40, 30, 0.5, unscored=0)
    silent = pl.DataFrame({"user_id": [900], "anime_id": [901], "rating": [0.0], "status": [2]})
    model = train_model(
        pl.concat([frame, silent.cast(frame.schema)]), tmp_path, reg_user=0, reg_item=0
    )
    assert model.item_bias[model.find_positions(np.array([901]))[0]] == 0
    for entries in ([], [(901, None, 4)], [(901, 8, 2)]):
        assert_sound(recommend(model, UserList.from_entries(entries)).recommendations, model)
