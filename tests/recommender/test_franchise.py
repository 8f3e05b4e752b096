"""One title a franchise, the first unseen, and no extras of what was seen."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.recommender import Franchises, Model, RecommendOptions, UserList, WatchStatus, recommend
from app.recommender.array_types import BoolArray
from app.recommender.fold_in import fold_in
from app.recommender.franchise import CollapsedFranchises, collapse_franchises

# place: franchise, type, year, title
WORLD = [
    (1, "TV", 2004, "Hunt 2nd Season"),
    (1, "TV", 2001, "Hunt"),
    (1, "MOVIE", 2001, "Hunt: The Film"),
    (1, "OVA", 2000, "Hunt: Before"),
    (1, "SPECIAL", 1999, "Hunt Specials"),
    (1, "TV", 2006, "Hunt 3rd Season Recap"),
    (None, "TV", 2010, "Alone"),
    (2, "OVA", 1998, "Tale"),
    (2, "MUSIC", 1997, "Tale: The Song"),
    (None, None, None, "Nameless"),
]
GROUP, KIND, YEAR, TITLE = zip(*WORLD, strict=True)
FRANCHISES = Franchises.infer(GROUP, KIND, YEAR, TITLE)
LISTS = np.array([80, 100, 60, 50, 20, 10, 90, 9, 8, 7], np.int32)
SHARE = 0.5
EVERYTHING = np.ones(len(WORLD), bool)


def fold(
    seen: list[int] | None = None,
    waiting: list[int] | None = None,
    allowed: BoolArray = EVERYTHING,
    *,
    extras: bool = False,
) -> CollapsedFranchises:
    at = np.array(seen or [], np.int64)
    plans = np.array(waiting or [], np.int64)
    candidates = allowed.copy()
    candidates[at] = candidates[plans] = False
    return collapse_franchises(
        FRANCHISES, LISTS, SHARE, candidates, at, plans, include_extras=extras
    )


def shown(folded: CollapsedFranchises) -> list[int]:
    return np.flatnonzero(folded.allowed).tolist()


def test_series_come_before_ovas_and_extras_by_year() -> None:
    assert FRANCHISES.watch_order.tolist() == [1, 2, 0, 3, 4, 5, 7, 8]
    assert np.flatnonzero(FRANCHISES.is_extra).tolist() == [4, 5, 8, 9]


def test_a_new_franchise_is_shown_by_its_first() -> None:
    folded = fold()
    assert shown(folded) == [1, 6, 7, 9]
    assert folded.hidden_count[1] == 5
    assert folded.hidden_count[6] == 0


def test_the_next_unseen_follows_and_extras_stay_away() -> None:
    folded = fold(seen=[1, 2])
    assert shown(folded) == [0, 6, 7, 9]
    assert folded.hidden_count[0] == 1


def test_no_third_before_the_first() -> None:
    assert 1 in shown(fold(seen=[0]))
    assert 0 not in shown(fold(seen=[2]))


def test_extras_are_there_for_who_asks() -> None:
    seen = [0, 1, 2, 3]
    assert shown(fold(seen=seen)) == [6, 7, 9]
    assert shown(fold(seen=seen, extras=True)) == [4, 6, 7, 9]


def test_a_franchise_whose_way_in_is_planned_waits() -> None:
    assert shown(fold(waiting=[1])) == [6, 7, 9]
    assert shown(fold(waiting=[0])) == [1, 6, 7, 9]


def test_what_is_not_allowed_is_no_way_in() -> None:
    films = np.array([kind == "MOVIE" for kind in KIND])
    assert shown(fold(allowed=films)) == [2]


def test_what_hardly_anyone_has_seen_is_no_way_in() -> None:
    """Whatever its year says: a film from before the series, or one whose year is wrong."""
    lists = LISTS.copy()
    lists[1] = 30
    none = np.empty(0, np.int64)
    folded = collapse_franchises(FRANCHISES, lists, SHARE, EVERYTHING, none, none)
    assert shown(folded) == [2, 6, 7, 9]
    assert folded.hidden_count[2] == 5


def test_what_was_passed_in_is_left_alone() -> None:
    fold()
    assert EVERYTHING.all()


@given(st.data())
def test_at_most_one_a_franchise_and_none_lost(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 30))
    groups = data.draw(st.lists(st.none() | st.integers(0, 4), min_size=n, max_size=n))
    kinds = data.draw(
        st.lists(st.sampled_from(["TV", "OVA", "SPECIAL", None]), min_size=n, max_size=n)
    )
    years = data.draw(st.lists(st.none() | st.integers(1990, 2020), min_size=n, max_size=n))
    allowed = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    lists = np.array(data.draw(st.lists(st.integers(0, 5), min_size=n, max_size=n)), np.int32)
    franchises = Franchises.infer(groups, kinds, years, ["x"] * n)
    none = np.empty(0, np.int64)
    folded = collapse_franchises(franchises, lists, SHARE, allowed, none, none)
    assert not (folded.allowed & ~allowed).any()
    for group in {g for g in groups if g is not None}:
        members = franchises.franchise_id == group
        assert folded.allowed[members].sum() == (1 if allowed[members].any() else 0)
        if allowed[members].any():
            most = lists[members & allowed].max()
            assert lists[members & folded.allowed] >= most / 2
            assert folded.hidden_count[members & folded.allowed] == allowed[members].sum() - 1
    alone = franchises.franchise_id < 0
    np.testing.assert_array_equal(folded.allowed[alone], allowed[alone])


def test_the_page_has_one_title_a_franchise(model: Model) -> None:
    n = len(model)
    franchises = Franchises.infer([i // 6 for i in range(n)], ["TV"] * n, [2000] * n, [""] * n)
    seen = model.anime_id[[0, 7]].tolist()
    listed = UserList.from_entries([(anime_id, 9.0, 2) for anime_id in seen])
    answer = recommend(model, listed, RecommendOptions(top_n=50, franchises=franchises))
    at = model.find_positions(np.array([item.anime_id for item in answer.recommendations]))
    assert sorted(at // 6) == list(range(n // 6))
    # All of one year: the smallest unseen id that is on lists enough.
    for position in at.tolist():
        begin = position - position % 6
        unseen = [i for i in range(begin, begin + 6) if i not in (0, 7)]
        most = max(model.entry_count[i] for i in unseen)
        assert position == next(i for i in unseen if model.entry_count[i] >= most / 2)
    assert {item.more_of_franchise for item in answer.recommendations} == {4, 5}


def test_what_was_dropped_is_not_continued_unless_it_was_seen_otherwise(model: Model) -> None:
    """Every three neighbours are a series; the fan has dropped one of each of three series."""
    n = len(model)
    groups = Franchises.infer(
        [at // 3 for at in range(n)], ["TV"] * n, [1990 + at for at in range(n)], ["x"] * n
    )
    ids = model.anime_id.tolist()
    rows = [
        (ids[0], 3.0, WatchStatus.DROPPED),
        (ids[3], None, WatchStatus.DROPPED),
        (ids[6], None, WatchStatus.DROPPED),
        (ids[7], 8.0, WatchStatus.COMPLETED),
        (ids[9], 4.0, WatchStatus.DROPPED),
        (ids[10], None, WatchStatus.PLAN_TO_WATCH),
    ]

    def shown(*, ignore_dropped: bool) -> set[int]:
        wish = RecommendOptions(top_n=n, franchises=groups, include_planned=True)
        visitor = fold_in(model, UserList.from_entries(rows), ignore_dropped=ignore_dropped)
        found = recommend(model, visitor, wish).recommendations
        return {ids.index(item.anime_id) for item in found}

    rest = {at for at in range(12, n) if at % 3 == 0}
    for got, first in ((shown(ignore_dropped=False), set()), (shown(ignore_dropped=True), {0, 1})):
        assert {at // 3 for at in got if at < 12} == {2, 3} | first
        assert {at // 3 for at in got if at >= 12} == {at // 3 for at in rest}
