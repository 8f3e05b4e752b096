"""The measures of what was shown, against counting by hand and against lists written out twice."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import pytrec_eval
from hypothesis import assume, given
from hypothesis import strategies as st

from app.recommender import UserList
from model_build.data.holdout import HoldoutUser
from model_build.evaluate.metrics import (
    average_precision,
    bootstrap_intervals,
    calibration_table,
    intra_list_diversity,
    match_percentile_table,
    ndcg,
    precision,
    recall,
    summary,
    weighted_metrics,
)
from model_build.evaluate.ranking import (
    EvaluationItems,
    RankedItems,
    Ranker,
    RankingResult,
    rank_users,
    unlisted_item_ranker,
)

TRAINED = 64
GENRES = ["Drama", "Drama;Comedy", "Comedy", "", "Action;Drama;Comedy", "Action"] * 10
IDS = np.arange(100, 160, dtype=np.int32)
ANIME = EvaluationItems.from_catalogue(
    IDS,
    np.where(np.arange(60) % 4 == 0, -1, np.arange(60) % 7),
    (1 + np.arange(60) ** 2 % 61).astype(np.int32),
    TRAINED,
    GENRES,
    (2015 + np.arange(60) % 12).astype(np.int16),
    2026,
)


def fan_of(visible: list[int], hidden: dict[int, float], collected: int = 2026) -> HoldoutUser:
    listed = UserList.from_entries([(anime, 7.0, 2) for anime in visible])
    ids, scores = np.array(list(hidden), np.int64), np.array(list(hidden.values()))
    return HoldoutUser(listed, ids, scores, collected=collected)


def random_fans(seed: int, count: int) -> list[HoldoutUser]:
    rng = np.random.default_rng(seed)
    fans = []
    for _ in range(count):
        drawn = rng.permutation(np.arange(100, 164))[: rng.integers(8, 40)].tolist()
        scores = rng.integers(1, 11, 5).astype(float).tolist()
        fans.append(fan_of(drawn[5:], dict(zip(drawn[:5], scores, strict=True))))
    return fans


def some_ranker(seed: int) -> Ranker:
    """Scores that depend on the list, predictions in 1..10, errors of about two points."""
    mix = np.random.default_rng(seed).normal(size=(60, 64))

    def rank(listed: UserList) -> RankedItems:
        key = mix[:, listed.anime_id - 100].sum(axis=1)
        allowed = ~np.isin(IDS, listed.anime_id)
        predicted = np.clip(6 + key / 3, 1, 10)
        return RankedItems(key, allowed, predicted.take, lambda at: 1.5 + at / 60)

    return rank


@pytest.fixture(scope="module")
def observed() -> RankingResult:
    return rank_users(some_ranker(2), ANIME, random_fans(1, 40))


def test_what_was_shown_by_counting(observed: RankingResult) -> None:
    """Each measure once more, an anime and a fan at a time."""
    found = summary(observed, ANIME)
    tens = [row[row >= 0][:10].tolist() for row in observed.top_items]
    assert all(len(ten) == 10 for ten in tens)
    flat = [at for ten in tens for at in ten]
    assert found["coverage"] == len(set(flat))
    assert found["median_popularity"] == statistics.median(ANIME.list_count[flat].tolist())
    bits = [-math.log2(ANIME.list_count[at] / TRAINED) for at in flat]
    assert found["novelty"] == pytest.approx(statistics.mean(bits))

    shares = []
    for fan, ten in zip(random_fans(1, 40), tens, strict=True):
        loved = fan.hidden_ids[fan.hidden_scores >= 8]
        worth = {int(a): 1 / math.sqrt(ANIME.list_count[a - 100]) for a in loved if a < 160}
        hits = sum(worth.get(at + 100, 0.0) for at in ten)
        if worth:
            shares.append(hits / sum(worth.values()))
    assert found["stratified_recall@10"] == pytest.approx(statistics.mean(shares))

    def franchise(at: int) -> object:
        return f"alone {at}" if at % 4 == 0 else at % 7

    seen = 0
    for fan, ten in zip(random_fans(1, 40), tens, strict=True):
        known = {franchise(int(a) - 100) for a in fan.visible.anime_id if a < 160}
        seen += sum(franchise(at) in known for at in ten)
    assert 0 < seen < len(flat)
    assert found["seen_franchise_share"] == pytest.approx(seen / len(flat))

    lists = []
    for ten in tens:
        sets = [set(GENRES[at].split(";")) for at in ten if GENRES[at]]
        alike = [len(a & b) / len(a | b) for a, b in combinations(sets, 2)]
        lists.append(1 - statistics.mean(alike))
    assert found["diversity"] == pytest.approx(statistics.mean(lists))


def test_what_is_recent_by_counting() -> None:
    """Only fans of the last years count; where nobody knows theirs, their newest anime tell."""
    fans = [
        fan_of(
            list(fan.visible.anime_id),
            dict(zip(fan.hidden_ids.tolist(), scores, strict=True)),
            year,
        )
        for fan, scores, year in zip(
            random_fans(8, 60),
            np.random.default_rng(3).integers(6, 11, (60, 5)).tolist(),
            [2026, 2022, 2021, 2016] * 15,
            strict=True,
        )
    ]
    rank = some_ranker(2)
    found = summary(rank_users(rank, ANIME, fans), ANIME)
    recent = {int(i) for i, year in zip(IDS, ANIME.year, strict=True) if year >= 2021}
    gains, among, shown, listed = [], [], [], []
    for fan in fans:
        if fan.collected < 2022:
            continue
        ranked = rank(fan.visible)
        order = [int(IDS[at]) for at in np.argsort(-ranked.sort_key) if ranked.is_candidate[at]]
        wanted = {int(i) for i, s in zip(fan.hidden_ids, fan.hidden_scores, strict=True) if s >= 8}
        wanted &= recent
        whole = [int(i) for i in (*fan.visible.anime_id, *fan.hidden_ids) if i < 160]
        listed.append(statistics.mean(i in recent for i in whole))
        shown += [i in recent for i in order[:10]]
        if wanted:
            ideal = sum(1 / math.log2(n + 2) for n in range(len(wanted)))
            for into, ranking in ((gains, order), (among, [i for i in order if i in recent])):
                got = (1 / math.log2(n + 2) for n, i in enumerate(ranking[:10]) if i in wanted)
                into.append(sum(got) / ideal)
    assert 10 < len(gains) < 30
    assert found["recent_ndcg@10"] == pytest.approx(statistics.mean(gains))
    assert found["among_recent_ndcg@10"] == pytest.approx(statistics.mean(among))
    assert found["recent_shown"] == pytest.approx(statistics.mean(shown))
    assert found["recent_listed"] == pytest.approx(statistics.mean(listed))


def test_a_list_of_no_known_year_is_as_new_as_its_newest_anime() -> None:
    newest = [int(i) for i in IDS if ANIME.year[i - 100] == 2025]
    oldest = [int(i) for i in IDS if ANIME.year[i - 100] == 2015]
    assert ANIME.is_recent_user(fan_of(oldest + newest[:3], {}, 0))
    assert not ANIME.is_recent_user(fan_of(oldest + newest[:2], {}, 0))
    assert not ANIME.is_recent_user(fan_of(newest[:2], {}, 0))
    assert ANIME.is_recent_user(fan_of([], {}, 2023))


def test_rating_error_and_calibration_by_counting(observed: RankingResult) -> None:
    found = summary(observed, ANIME)
    rank = some_ranker(2)
    pairs = []
    for fan in random_fans(1, 40):
        ranking = rank(fan.visible)
        assert ranking.predicted_score is not None
        for anime, score in zip(fan.hidden_ids.tolist(), fan.hidden_scores.tolist(), strict=True):
            if anime < 160:
                at = anime - 100
                pairs.append(
                    (float(ranking.predicted_score(np.array([at]))[0]), score, 1.5 + at / 60)
                )
    assert found["pairs"] == len(pairs) < 200  # ids from 160 on are unknown
    errors = [p - g for p, g, _ in pairs]
    assert found["rmse"] == pytest.approx(math.sqrt(statistics.mean(e * e for e in errors)))
    assert found["mae"] == pytest.approx(statistics.mean(map(abs, errors)))
    inside = [abs(p - g) <= expected for p, g, expected in pairs]
    assert 0 < sum(inside) < len(pairs)
    assert found["within_expected_error"] == pytest.approx(sum(inside) / len(pairs))
    line = statistics.linear_regression([p for p, _, _ in pairs], [g for _, g, _ in pairs])
    assert found["calibration_slope"] == pytest.approx(line.slope)
    assert found["calibration_intercept"] == pytest.approx(line.intercept)

    bins: dict[int, list[tuple[float, float]]] = {}
    for p, g, _ in pairs:
        bins.setdefault(min(17, math.floor((p - 1) * 2)), []).append((p, g))
    gaps = [abs(sum(g - p for p, g in inside)) for inside in bins.values()]
    assert found["calibration_error"] == pytest.approx(sum(gaps) / len(pairs))
    table = calibration_table(observed)
    assert [row["pairs"] for row in table] == [len(bins[place]) for place in sorted(bins)]
    means = [statistics.mean(g for _, g in bins[place]) for place in sorted(bins)]
    assert [row["given"] for row in table] == pytest.approx(means)


@pytest.mark.parametrize(("planted", "power"), [(True, 2), (True, 10), (False, 2)])
def test_the_match_in_percent_tells_what_is_picked_and_loved(planted: bool, power: int) -> None:
    """All of 4,000 anime are counted, be 2,700 or 800 of them above the lowest bin."""
    rng = np.random.default_rng(6)
    count, n_fans = 4000, 80
    ids = np.arange(count, dtype=np.int32)
    items = EvaluationItems.from_catalogue(ids, np.full(count, -1), np.ones(count, np.int32), 100)
    percents, fans = [], []
    for fan in range(n_fans):
        percent = 100 * rng.random(count) ** power
        chance = (percent if planted else np.full(count, 50.0)) / 100
        hidden = np.flatnonzero(rng.random(count) < 0.3 * chance)
        scores = np.where(rng.random(len(hidden)) < chance[hidden], 9.0, 6.0)
        percents.append(percent)
        fans.append(fan_of([fan], dict(zip(hidden.tolist(), scores.tolist(), strict=True))))

    def rank(listed: UserList) -> RankedItems:
        percent = percents[int(listed.anime_id[0])]
        allowed = ids != listed.anime_id[0]
        return RankedItems(percent, allowed, match_percentile=lambda at: percent[at])

    table = match_percentile_table(rank_users(rank, items, fans))
    assert [(row["lower"], row["upper"]) for row in table] == [
        (ten, ten + 10) for ten in range(0, 100, 10)
    ]
    assert sum(row["candidates"] for row in table) == n_fans * (count - 1)
    for name, best in (("picked", 0.3 * 0.95), ("loved", 0.3 * 0.95**2)):
        shares = [row[name] for row in table]
        if planted:
            assert shares == sorted(shares)
            assert shares[-1] == pytest.approx(best, rel=0.1)
        else:
            assert max(shares) < 1.2 * min(shares)


def test_without_a_percentage_there_is_no_table_of_it(observed: RankingResult) -> None:
    assert match_percentile_table(observed) == []

    def rank(listed: UserList) -> RankedItems:
        unknown = some_ranker(2)(listed)
        return replace(unknown, match_percentile=lambda at: np.full(len(at), np.nan))

    assert match_percentile_table(rank_users(rank, ANIME, random_fans(1, 5))) == []


def test_a_weight_counts_a_fan_as_often(observed: RankingResult) -> None:
    """What the bootstrap rests on: weights give what a list with repeated fans gives."""
    drawn = np.random.default_rng(5).multinomial(40, np.full(40, 1 / 40), 6)
    weighted = weighted_metrics(observed, ANIME, drawn.astype(float))
    fans, rank = random_fans(1, 40), some_ranker(2)
    for row, counts in enumerate(drawn.tolist()):
        assert max(counts) > 1
        assert min(counts) == 0
        repeated = [fan for fan, n in zip(fans, counts, strict=True) for _ in range(n)]
        expected = summary(rank_users(rank, ANIME, repeated), ANIME)
        for name, of_row in weighted.items():
            assert of_row[row] == pytest.approx(expected[name]), name


def test_an_interval_holds_about_as_many_samples_as_it_says() -> None:
    """Of samples of fans from one world, about 95 in 100 have intervals that hold its mean."""
    rank = some_ranker(2)
    truth = summary(rank_users(rank, ANIME, random_fans(99, 4000)), ANIME)["rmse"]
    held = []
    for seed in range(60):
        low, high = bootstrap_intervals(rank_users(rank, ANIME, random_fans(seed, 60)), ANIME)[
            "rmse"
        ]
        held.append(low <= truth <= high)
    assert 0.85 <= statistics.mean(held) <= 1
    assert high - low < 1


def test_the_interval_of_a_mean_is_that_of_its_standard_error() -> None:
    many = rank_users(some_ranker(2), ANIME, random_fans(4, 480))
    found = bootstrap_intervals(many, ANIME)
    for name, of_fan in (
        ("ndcg@10", ndcg(many.hits, many.n_relevant, 10)),
        ("diversity", intra_list_diversity(many.top_items[:, :10], ANIME.genres)),
    ):
        of_fan = of_fan[np.isfinite(of_fan)]
        low, high = found[name]
        error = of_fan.std() / math.sqrt(len(of_fan))
        assert (low + high) / 2 == pytest.approx(of_fan.mean(), abs=0.3 * error)
        assert high - low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_the_interval_of_the_coverage_is_around_it() -> None:
    """Although no resample covers more than all fans do."""
    few = rank_users(some_ranker(2), ANIME, random_fans(4, 4))
    covered = summary(few, ANIME)["coverage"]
    low, high = bootstrap_intervals(few, ANIME)["coverage"]
    assert low < covered < high


def test_perfect_and_constant_predictions() -> None:
    fans = random_fans(1, 30)
    given = dict(zip(IDS.tolist(), np.linspace(1, 10, 60).tolist(), strict=True))
    known = [
        fan_of(fan.visible.anime_id.tolist(), {i: given[i] for i in fan.hidden_ids if i in given})
        for fan in fans
    ]
    perfect = unlisted_item_ranker(IDS, lambda _: np.linspace(1, 10, 60), predicts_ratings=True)
    found = summary(rank_users(perfect, ANIME, known), ANIME)
    assert found["rmse"] == found["mae"] == found["calibration_error"] == 0
    assert found["calibration_slope"] == pytest.approx(1)
    assert found["calibration_intercept"] == pytest.approx(0, abs=1e-9)
    assert math.isnan(found["within_expected_error"])  # it knows of no error
    constant = unlisted_item_ranker(IDS, lambda _: np.full(60, 7.0), predicts_ratings=True)
    assert math.isnan(summary(rank_users(constant, ANIME, known), ANIME)["calibration_slope"])


def test_an_ideal_ranking_of_new_franchises_reaches_one() -> None:
    """Shown: a franchise on the list, then two anime of one new franchise, then another."""
    anime = EvaluationItems.from_catalogue(
        IDS[:5], np.array([1, 1, 2, 2, -1]), np.ones(5, np.int32), TRAINED
    )  # 100 and 101, 102 and 103, 104 alone
    key = np.array([0.0, 5, 4, 3, 2])
    rank = unlisted_item_ranker(anime.anime_id, lambda _: key)

    def new_ndcg(hidden: dict[int, float]) -> float:
        return summary(rank_users(rank, anime, [fan_of([100], hidden)]), anime)["new_ndcg@10"]

    assert new_ndcg({102: 9, 103: 9, 104: 8}) == 1.0  # two franchises, both first
    assert new_ndcg({103: 9}) == 1.0  # any anime of the franchise counts
    assert new_ndcg({104: 9}) == pytest.approx(1 / math.log2(3))  # 102 and 103 are one place
    assert new_ndcg({104: 9, 999: 9}) == pytest.approx((1 / math.log2(3)) / (1 + 1 / math.log2(3)))
    assert math.isnan(new_ndcg({101: 9}))  # its franchise is on the list
    assert math.isnan(new_ndcg({102: 7}))  # not relevant


def test_ten_new_franchises_are_found_behind_any_number_of_known_ones() -> None:
    """The first 55 anime are of one franchise; the five that stand alone come last."""
    anime = EvaluationItems.from_catalogue(
        IDS, np.where(np.arange(60) < 55, 3, -1), np.ones(60, np.int32), TRAINED
    )
    rank = unlisted_item_ranker(anime.anime_id, lambda _: -np.arange(60.0))
    fan = fan_of([], {159: 9})
    observed = rank_users(rank, anime, [fan])
    assert observed.new_hits[0].tolist() == [False] * 5 + [True] + [False] * 4


@given(hits=st.lists(st.booleans(), min_size=1, max_size=15), missed=st.integers(0, 30))
def test_they_are_those_of_trec_eval(hits: list[bool], missed: int) -> None:
    """Of recall and average precision ours divide by what k places can hold at most."""
    n_relevant = sum(hits) + missed
    assume(n_relevant)
    truth = {f"hit{at}": 1 for at in range(len(hits)) if hits[at]}
    truth |= {f"missed{at}": 1 for at in range(missed)}
    run = {f"hit{at}" if hit else f"other{at}": float(-at) for at, hit in enumerate(hits)}
    measures = {"ndcg_cut.10", "P.10", "recall.10", "map_cut.10"}
    found = pytrec_eval.RelevanceEvaluator({"user": truth}, measures).evaluate({"user": run})
    theirs, ours = found["user"], np.array(hits)
    most = n_relevant / min(10, n_relevant)
    assert float(ndcg(ours, n_relevant, 10)) == pytest.approx(theirs["ndcg_cut_10"])
    assert float(precision(ours, n_relevant, 10)) == pytest.approx(theirs["P_10"])
    assert float(recall(ours, n_relevant, 10)) == pytest.approx(theirs["recall_10"] * most)
    assert float(average_precision(ours, n_relevant, 10)) == pytest.approx(
        theirs["map_cut_10"] * most
    )


def test_a_ranking_that_ends_early() -> None:
    anime = EvaluationItems.from_catalogue(
        IDS[:3], np.full(3, -1), np.array([8, 4, 2], np.int32), 16, ["a", "a;b", "b"]
    )
    rank = unlisted_item_ranker(anime.anime_id, lambda _: np.array([3.0, 2, 1]))
    observed = rank_users(rank, anime, [fan_of([100], {102: 9})])
    found = summary(observed, anime)
    assert observed.top_items[0].tolist() == [1, 2, *[-1] * 18]
    assert found["ndcg@20"] == pytest.approx(1 / math.log2(3))
    assert found["coverage"] == 2
    assert found["novelty"] == pytest.approx((2 + 3) / 2)
    assert found["median_popularity"] == 3
    assert found["diversity"] == pytest.approx(0.5)
    nothing = summary(rank_users(rank, anime, [fan_of([100, 101, 102], {})]), anime)
    assert nothing["coverage"] == 0
    assert all(math.isnan(nothing[name]) for name in ("novelty", "median_popularity", "diversity"))
