"""Two fans: what both are shown is checked anime by anime against what each is shown alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.recommender import (
    Franchises,
    Model,
    RecommendOptions,
    SortOrder,
    UserList,
    WatchStatus,
    recommend_group,
)
from app.recommender.franchise import collapse_franchises
from app.recommender.group import MAX_SHOWN_ITEMS, group_match
from app.recommender.rank import little_known_mask, novelty_sort_key
from app.recommender.recommend import score_items
from tests.recommender.drawn import Entry, entry_lists

orders = st.sampled_from(list(SortOrder))


def without_plans(entries: list[Entry]) -> set[int]:
    return {anime for anime, _, status in entries if status != WatchStatus.PLAN_TO_WATCH}


@given(st.data(), orders, st.integers(1, 80))
@settings(max_examples=60, deadline=None)
def test_neither_has_seen_what_both_are_shown(
    model: Model, data: st.DataObject, order: SortOrder, count: int
) -> None:
    one, other = (data.draw(entry_lists(model, most=50)) for _ in range(2))
    found = recommend_group(
        model,
        UserList.from_entries(one),
        UserList.from_entries(other),
        RecommendOptions(top_n=count, sort_order=order),
    )
    shown = [item.anime_id for item in found.recommendations]
    left = set(model.anime_id.tolist()) - without_plans(one) - without_plans(other)
    if order is SortOrder.DISCOVER:  # what hardly anybody lists is no gem
        left &= set(model.anime_id[little_known_mask(model, None)].tolist())
    assert set(shown) <= left
    assert len(shown) == len(set(shown)) == min(count, len(left))
    assert [item.rank for item in found.recommendations] == list(range(1, len(shown) + 1))
    for item in found.recommendations:
        for fan, entries in zip(item.members, (one, other), strict=True):
            planned = {a for a, _, status in entries if status == WatchStatus.PLAN_TO_WATCH}
            assert fan.planned == (item.anime_id in planned)
            assert {why.anime_id for why in fan.contributions} <= without_plans(entries)


@given(st.data(), orders)
@settings(max_examples=60, deadline=None)
def test_the_order_is_that_of_both_matches(
    model: Model, data: st.DataObject, order: SortOrder
) -> None:
    """Every pair of neighbours, against what each fan is told alone."""
    lists = [UserList.from_entries(data.draw(entry_lists(model))) for _ in range(2)]
    wish = RecommendOptions(top_n=100, sort_order=order)
    alone = [score_items(model, each, wish) for each in lists]
    found = recommend_group(model, *lists, wish)
    keys = []
    for item in found.recommendations:
        at = int(np.searchsorted(model.anime_id, item.anime_id))
        a, b = (scores.match[at] for scores in alone)
        assert [fan.match for fan in item.members] == [a, b]
        assert [fan.predicted_score for fan in item.members] == [
            scores.expected_scores(model, np.array([at]))[0] for scores in alone
        ]
        match = math.sqrt(a * b) if min(a, b) > 0 else min(a, b)
        assert item.match == pytest.approx(match, abs=1e-12)
        if order is SortOrder.SCORE:
            keys.append(min(scores.sort_key[at] for scores in alone))
        elif order is SortOrder.DISCOVER:
            keys.append(novelty_sort_key(model, np.full(len(model), item.match))[at])
        else:
            keys.append(item.match)
    assert keys == sorted(keys, reverse=True)


@given(st.data(), orders)
@settings(max_examples=40, deadline=None)
def test_it_does_not_matter_who_comes_first(
    model: Model, data: st.DataObject, order: SortOrder
) -> None:
    one, other = (UserList.from_entries(data.draw(entry_lists(model))) for _ in range(2))
    wish = RecommendOptions(sort_order=order)
    here, there = (
        recommend_group(model, one, other, wish),
        recommend_group(model, other, one, wish),
    )
    assert [item.anime_id for item in here.recommendations] == [
        item.anime_id for item in there.recommendations
    ]
    assert [item.members for item in here.recommendations] == [
        item.members[::-1] for item in there.recommendations
    ]
    assert here.suggestions == there.suggestions[::-1]
    assert here.is_personalized == there.is_personalized[::-1]
    assert here.comparison.similarity.value == pytest.approx(there.comparison.similarity.value)


@given(st.lists(st.tuples(*2 * [st.floats(-5, 100)]), min_size=1, max_size=30))
def test_a_joint_match_lies_between_the_two(pairs: list[tuple[float, float]]) -> None:
    one, other = np.array(pairs).T
    both = group_match(one, other)
    assert (both >= np.minimum(one, other) - 1e-9).all()
    assert (both <= np.maximum(one, other) + 1e-9).all()
    cold = np.minimum(one, other) <= 0
    assert (both[cold] <= 0).all()
    assert (both[~cold] > 0).all()


def franchises(model: Model, size: int) -> Franchises:
    """Every ``size`` neighbouring anime are a series, watched in the order of their ids."""
    n = len(model)
    groups = [at // size for at in range(n)]
    years = [1990 + at for at in range(n)]
    return Franchises.from_columns(groups, [None] * n, years, [False] * n, [-1] * n, [False] * n)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_series_goes_on_where_both_stand(model: Model, data: st.DataObject) -> None:
    groups = franchises(model, 3)
    one, other = (data.draw(entry_lists(model)) for _ in range(2))
    wish = RecommendOptions(top_n=100, franchises=groups, include_planned=True)
    found = recommend_group(model, UserList.from_entries(one), UserList.from_entries(other), wish)
    ways_in = []
    for entries in (one, other):
        scores = score_items(model, UserList.from_entries(entries), wish)
        seen = scores.profile.seen
        left = {at // 3 for at in scores.profile.all_dropped} - {
            at // 3 for at in seen if at not in scores.profile.all_dropped
        }
        disliked = {at // 3 for at in scores.profile.disliked(model.parameters.disliked_points)}
        left |= disliked - {at // 3 for at in scores.profile.liked()}
        may = scores.allowed_mask & ~np.array(
            [at // 3 in left and at not in scores.profile.planned for at in range(len(model))]
        )
        shares = model.parameters.franchise_shares
        folded = collapse_franchises(groups, model.entry_count, shares, may, seen, seen[:0])
        ways_in.append({int(model.anime_id[at]) for at in np.flatnonzero(folded.allowed)})
    assert {item.anime_id for item in found.recommendations} == ways_in[0] & ways_in[1]


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_tips_are_favourites_that_the_other_has_not_seen(model: Model, data: st.DataObject) -> None:
    lists = [data.draw(entry_lists(model)) for _ in range(2)]
    listed = [UserList.from_entries(each) for each in lists]
    found = recommend_group(model, *listed, RecommendOptions())
    for giver, taker in ((0, 1), (1, 0)):
        visitor = found.profiles[giver]
        known = score_items(model, listed[taker], RecommendOptions())
        seen = without_plans(lists[taker])
        least = np.quantile(visitor.score, 0.75) if len(visitor.score) else 0
        wanted = sorted(
            (
                (-known.match[at], int(model.anime_id[at]))
                for at, score in zip(visitor.rated, visitor.score, strict=True)
                if score >= least and int(model.anime_id[at]) not in seen
            )
        )
        assert [tip.anime_id for tip in found.suggestions[giver]] == [n for _, n in wanted][
            :MAX_SHOWN_ITEMS
        ]


def test_a_list_that_says_nothing_is_a_typical_fan_s(model: Model) -> None:
    some = UserList.from_entries([(int(n), 8.0, WatchStatus.COMPLETED) for n in model.anime_id[:5]])
    found = recommend_group(model, some, UserList.from_entries([]), RecommendOptions(top_n=100))
    assert found.is_personalized == (True, False)
    typical = {int(model.anime_id[at]): 100 * model.item_relevance[at] for at in range(len(model))}
    for item in found.recommendations:
        assert item.members[1].match == pytest.approx(typical[item.anime_id])
        assert item.members[1].contributions == ()
