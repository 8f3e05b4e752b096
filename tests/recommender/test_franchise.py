"""One title a franchise, the first unseen, and no extras of what was seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.catalogue import MANY_FILMS, Catalogue, read_franchises
from app.recommender import Franchises, Model, RecommendOptions, UserList, WatchStatus, recommend
from app.recommender.array_types import BoolArray, Int64Array
from app.recommender.fold_in import fold_in
from app.recommender.franchise import CollapsedFranchises, collapse_franchises, way_through
from app.recommender.parameters import FranchiseShares

# franchise, place in its order, year, extra, what it continues
WORLD = [
    (1, 2, 2004, False, 1),
    (1, 0, 2001, False, -1),
    (1, 1, 2001, False, -1),
    (1, 3, 2000, False, -1),
    (1, 4, 1999, True, -1),
    (1, 5, 2006, True, -1),
    (None, None, 2010, False, -1),
    (2, 0, 1998, False, -1),
    (2, 1, 1997, True, -1),
    (None, None, None, False, -1),
]
GROUP, PLACE, YEAR, EXTRA, PREQUEL = zip(*WORLD, strict=True)
FRANCHISES = Franchises.from_columns(GROUP, PLACE, YEAR, EXTRA, PREQUEL, [False] * len(WORLD))
FILM = 2
LISTS = np.array([80, 100, 60, 50, 20, 10, 90, 9, 8, 7], np.int32)
SHARES = FranchiseShares(entry_point=0.5, prequel=0.25, between=0.75)
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
        FRANCHISES, LISTS, SHARES, candidates, at, plans, include_extras=extras
    )


def shown(folded: CollapsedFranchises) -> list[int]:
    return np.flatnonzero(folded.allowed).tolist()


def grouped(groups: Sequence[int | None], years: Sequence[int | None]) -> Franchises:
    """As a catalogue from before places were found out has them."""
    n = len(groups)
    return Franchises.from_columns(groups, [None] * n, years, [False] * n, [-1] * n, [False] * n)


def test_the_order_is_read_off_the_places() -> None:
    assert FRANCHISES.watch_order.tolist() == [1, 2, 0, 3, 4, 5, 7, 8]
    assert np.flatnonzero(FRANCHISES.is_extra).tolist() == [4, 5, 8]


def test_without_places_years_decide() -> None:
    older = grouped([7, 7, None, 7, 3], [2004, 2001, 2000, None, 1999])
    assert older.watch_order.tolist() == [4, 1, 0, 3]


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
    films = np.arange(len(WORLD)) == FILM
    assert shown(fold(allowed=films)) == [FILM]


def test_what_continues_something_that_may_not_be_shown_waits_for_it() -> None:
    later = EVERYTHING.copy()
    later[[1, FILM]] = False  # such as by a filter of years
    assert shown(fold(allowed=later)) == [6, 7, 9]
    assert shown(fold(seen=[1], allowed=later)) == [0, 6, 7, 9]
    assert shown(fold(waiting=[1], allowed=later)) == [6, 7, 9]


def test_what_hardly_anyone_has_seen_is_no_way_in() -> None:
    """Whatever its year says: a film from before the series, or one whose year is wrong."""
    lists = LISTS.copy()
    lists[1] = 30
    none = np.empty(0, np.int64)
    folded = collapse_franchises(FRANCHISES, lists, SHARES, EVERYTHING, none, none)
    assert shown(folded) == [2, 6, 7, 9]
    assert folded.hidden_count[2] == 5


def test_what_a_well_known_sequel_continues_comes_before_it() -> None:
    """The old beginning of a story, unless next to nobody has seen it."""
    lists = LISTS.copy()
    lists[[1, 2]] = 30, 0
    none = np.empty(0, np.int64)

    def first(prequel_share: float) -> list[int]:
        return shown(
            collapse_franchises(
                FRANCHISES, lists, SHARES._replace(prequel=prequel_share), EVERYTHING, none, none
            )
        )

    assert first(SHARES.prequel) == [1, 6, 7, 9]
    assert first(0.5) == [0, 6, 7, 9]


def test_what_was_begun_goes_on_though_few_have_seen_what_follows() -> None:
    """A new season is on few lists; what is well known between it and the last comes first."""
    none = np.empty(0, np.int64)

    def after_the_first(lists_of_film: int, *, other_version: bool = False) -> list[int]:
        lists = LISTS.copy()
        lists[[0, FILM]] = 5, lists_of_film
        versions = (np.arange(len(WORLD)) == FILM) & other_version
        series = replace(FRANCHISES, is_version=versions)
        allowed = EVERYTHING & (np.arange(len(WORLD)) != 1)
        seen = np.array([1], np.int64)
        return shown(collapse_franchises(series, lists, SHARES, allowed, seen, none))[:1]

    assert after_the_first(74) == [0], "not the OVA either, which more have seen"
    assert after_the_first(75) == [FILM]
    assert after_the_first(75, other_version=True) == [0]


def test_who_has_seen_all_seasons_goes_on_to_the_end_not_back_to_a_recap() -> None:
    """Two seasons with a film between, and a film that ends it, which no source calls a sequel."""
    none, seasons = np.empty(0, np.int64), np.array([0, 2], np.int64)
    allowed = np.array([False, True, False, True])

    def after_the_last(*lists: int, end_is_version: bool = False) -> list[int]:
        versions = [False, False, False, end_is_version]
        series = Franchises.from_columns(
            [1] * 4, [0, 1, 2, 3], [None] * 4, [False] * 4, [-1, -1, 0, -1], versions
        )
        counts = np.array(lists, np.int32)
        return shown(collapse_franchises(series, counts, SHARES, allowed, seasons, none))

    assert after_the_last(100, 59, 80, 10) == [3], "most passed the film over"
    assert after_the_last(100, 60, 80, 10) == [1], "few did"
    assert after_the_last(100, 60, 80, 30) == [3], "but half as many have seen the end already"
    assert after_the_last(100, 60, 80, 30, end_is_version=True) == [1], "another version is no end"


def of_films(
    count: int, *, members: int = 10, demographics: str = "", relation: str = "side_story"
) -> Franchises:
    """Return a series, and films that are the ``relation`` of it."""
    n = count + 1
    columns = {
        "anime_id": list(range(1, n + 1)),
        "title": ["A"] * n,
        "type": ["TV"] + ["Movie"] * count,
        "franchise_id": [1] * n,
        "watch_order": list(range(n)),
        "members": [100] + [members] * count,
        "demographics": [""] + [demographics] * count,
        "relation_kind": [None] + [relation] * count,
        "relation_id": [None] + [1] * count,
    }
    return read_franchises(Catalogue(columns), columns["anime_id"])


def test_a_film_waits_for_its_series_unless_it_stands_by_itself() -> None:
    assert of_films(2).waits_for.tolist() == [-1, 0, 0]
    assert of_films(2).prequel.tolist() == [-1, -1, -1], "it is no sequel all the same"
    assert of_films(2, relation="sequel").waits_for.tolist() == [-1, 0, 0]
    for own in (
        of_films(1, members=100),
        of_films(1, demographics="Kids"),
        of_films(1, relation="alternative"),
        of_films(MANY_FILMS),
    ):
        assert set(own.waits_for.tolist()) == {-1}


def test_who_looks_for_films_is_not_shown_what_waits_for_a_series() -> None:
    films, lists = np.array([False, True]), np.array([100, 60], np.int32)
    none, series = np.empty(0, np.int64), np.array([0], np.int64)

    def shown_of(franchises: Franchises, seen: Int64Array, allowed: BoolArray) -> list[int]:
        return shown(collapse_franchises(franchises, lists, SHARES, allowed, seen, none))

    assert shown_of(of_films(1), none, films) == []
    assert shown_of(of_films(1), series, films) == [1]
    assert shown_of(of_films(1), none, films | True) == [0]
    assert shown_of(of_films(1, demographics="Kids"), none, films) == [1]


def test_the_way_through_is_what_a_fan_of_nothing_else_gets() -> None:
    order = FRANCHISES.watch_order[:6]

    def way(*seen: int, lists: list[int] | None = None) -> tuple[int, int]:
        counts = LISTS.copy()
        counts[[0, 1, 2, 3]] = lists or counts[[0, 1, 2, 3]]
        return way_through(FRANCHISES, counts, SHARES, order, np.array(seen, np.int64))

    assert way() == (1, 1)
    assert way(1) == (1, 0), "the sequel, not the film between, which fewer have seen"
    assert way(1, 2, 0) == (1, 3)
    assert way(1, 2, 0, 3) == (1, -1), "extras are none"
    assert way(1, lists=[80, 1, 20, 100]) == (0, 0), "what hardly anyone saw is no beginning"


def followed(target: int, seen: list[int], liked: list[int]) -> int:
    numbers = (np.array(each, np.int64) for each in ([target], seen, liked))
    return int(FRANCHISES.followed(*numbers)[0])


def test_what_comes_next_after_something_liked() -> None:
    assert followed(0, [1], [1]) == 1, "what it continues"
    assert followed(0, [1, 2], [1, 2]) == 1, "not the film between"
    assert followed(3, [0, 1], [0, 1]) == 0, "else the last before it"
    assert followed(3, [0, 1], [1]) == -1, "which was not liked"
    assert followed(3, [4, 5], [4, 5]) == -1, "extras are nothing to follow"
    assert followed(1, [0], [0]) == -1, "nothing comes before the beginning"
    assert followed(7, [3], [3]) == followed(6, [1], [1]) == -1, "another series, or none"
    assert followed(0, [1], []) == -1


def test_what_was_passed_in_is_left_alone() -> None:
    fold()
    assert EVERYTHING.all()


@given(st.data())
def test_at_most_one_a_franchise_and_none_lost_but_what_has_to_wait(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 30))
    groups = data.draw(st.lists(st.none() | st.integers(0, 4), min_size=n, max_size=n))
    places = data.draw(st.lists(st.integers(0, 9), min_size=n, max_size=n))
    prequel = data.draw(st.lists(st.integers(-1, n - 1), min_size=n, max_size=n))
    years = data.draw(st.lists(st.none() | st.integers(1990, 2020), min_size=n, max_size=n))
    allowed = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    lists = np.array(data.draw(st.lists(st.integers(0, 5), min_size=n, max_size=n)), np.int32)
    franchises = Franchises.from_columns(groups, places, years, [False] * n, prequel, [False] * n)
    none = np.empty(0, np.int64)
    folded = collapse_franchises(
        franchises, lists, FranchiseShares(0.5, 0.5, 0.5), allowed, none, none
    )
    assert not (folded.allowed & ~allowed).any()
    for group in {g for g in groups if g is not None}:
        members = np.array([each == group for each in groups])
        assert folded.allowed[members].sum() <= 1
        if allowed[members].any() and not folded.allowed[members].any():
            before = [prequel[at] for at in np.flatnonzero(members & allowed)]
            assert any(at >= 0 and members[at] and not allowed[at] for at in before)
        if folded.allowed[members].any():
            most = lists[members & allowed].max()
            steps = np.flatnonzero(members).size  # each halves at most: prequels of prequels
            assert lists[members & folded.allowed] >= most / 2 ** (steps + 1)
            assert folded.hidden_count[members & folded.allowed] == allowed[members].sum() - 1
    alone = franchises.franchise_id < 0
    np.testing.assert_array_equal(folded.allowed[alone], allowed[alone])


def test_the_page_has_one_title_a_franchise(model: Model) -> None:
    n = len(model)
    franchises = grouped([i // 6 for i in range(n)], [2000] * n)
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
    groups = grouped([at // 3 for at in range(n)], [1990 + at for at in range(n)])
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


def test_what_was_disliked_is_not_continued_unless_else_was_liked(model: Model) -> None:
    """Every three neighbours are a series; of four the fan saw the first."""
    n = len(model)
    groups = grouped([at // 3 for at in range(n)], [1990 + at for at in range(n)])
    ids = model.anime_id.tolist()
    done = WatchStatus.COMPLETED
    seen = [(0, 1.0), (3, 2.0), (4, 9.0), (6, 8.0), (9, 9.0), (12, 9.0), (15, 9.0)]
    rows = [(ids[at], score, done) for at, score in seen]
    found = recommend(
        model, UserList.from_entries(rows), RecommendOptions(top_n=n, franchises=groups)
    ).recommendations
    shown = {ids.index(item.anime_id) // 3: item.follows for item in found}
    assert 0 not in shown, "scored 1, where the mean is 6.7"
    assert shown[1] == ids[4], "the second was liked"
    assert shown[2] == ids[6]
    assert shown[6] is None


def test_a_score_is_far_below_the_mean_of_the_fan(model: Model) -> None:
    ids = model.anime_id.tolist()

    def disliked(*scores: float) -> list[float]:
        rows = [(ids[at], score, WatchStatus.COMPLETED) for at, score in enumerate(scores)]
        profile = fold_in(model, UserList.from_entries(rows))
        by_position = dict(zip(profile.rated.tolist(), profile.score.tolist(), strict=True))
        return sorted(by_position[at] for at in profile.disliked(2.0).tolist())

    assert disliked(9, 9, 9, 9, 6) == [6]
    assert disliked(9, 9, 9, 9, 8) == []
    assert disliked(10, 1, 10, 1, 10, 1, 4) == [1, 1, 1], "who uses the whole scale"
    assert disliked(1) == disliked() == []


def test_what_few_saw_the_beginning_of_is_not_begun_in_its_middle() -> None:
    """A film, another telling as a series, the series' second season, and the film's sequel."""
    prequels, versions = [-1, -1, 1, 0], [False, True, False, False]
    years = [1995, 2002, 2004, 2004]
    series = Franchises.from_columns([1] * 4, [0, 1, 2, 3], years, [False] * 4, prequels, versions)
    lists = np.array([90, 80, 70, 60], np.int32)
    seen, none = np.array([0], np.int64), np.empty(0, np.int64)
    allowed = np.array([False, True, True, True])
    assert shown(collapse_franchises(series, lists, SHARES, allowed, seen, none)) == [3]
    lists[1] = 10  # hardly anybody begins there
    assert shown(collapse_franchises(series, lists, SHARES, allowed, seen, none)) == [2]
