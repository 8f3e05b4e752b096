"""The measures, by hand on tiny cases and by a second, slow computation on a trained model."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from app.recommender import Model, RecommendOptions, SortOrder, WatchStatus, recommend
from app.recommender.recommend import RecommendedItem
from model_build.data.holdout import HoldoutUser, join_holdout, split_users, truncate_history
from model_build.data.ratings import read_evaluation_ratings
from model_build.evaluate.evaluation import evaluate, evaluate_by_length
from model_build.evaluate.metrics import average_precision, ndcg, recall
from model_build.evaluate.ranking import EvaluationItems, model_ranker
from model_build.util.errors import InputError
from tests.model_build.worlds import random_frame, train_model

HITS = {
    # hits, number of relevant; NDCG@10, recall@10 and average precision at 10 by hand
    "first": ([1, 0, 0], 1, 1.0, 1.0, 1.0),
    "second": ([0, 1, 0], 1, 1 / math.log2(3), 1.0, 0.5),
    "none": ([0] * 10, 4, 0.0, 0.0, 0.0),
    "two of three": ([1, 0, 1], 3, 1.5 / (1 + 1 / math.log2(3) + 0.5), 2 / 3, (1 + 2 / 3) / 3),
    "all ten of thirty": ([1] * 10, 30, 1.0, 1.0, 1.0),
    "an eleventh does not count": ([0] * 10 + [1], 1, 0.0, 0.0, 0.0),
    "half of twelve": (
        [1] * 5 + [0] * 5,
        12,
        sum(1 / math.log2(n) for n in range(2, 7)) / sum(1 / math.log2(n) for n in range(2, 12)),
        0.5,
        0.5,
    ),
    "a short answer": ([1], 2, 1 / (1 + 1 / math.log2(3)), 0.5, 0.5),
    "no answer": ([], 2, 0.0, 0.0, 0.0),
}


@pytest.mark.parametrize(("hits", "relevant", "gain", "share", "precise"), HITS.values(), ids=HITS)
def test_measures_by_hand(
    hits: list[int], relevant: int, gain: float, share: float, precise: float
) -> None:
    found = np.array(hits, bool)
    assert ndcg(found, relevant, 10) == pytest.approx(gain)
    assert recall(found, relevant, 10) == pytest.approx(share)
    assert average_precision(found, relevant, 10) == pytest.approx(precise)


@pytest.mark.parametrize("at", [10, 20])
@pytest.mark.parametrize("measure", [ndcg, recall, average_precision])
def test_many_fans_are_measured_as_one_is(measure: Any, at: int) -> None:
    hits = np.random.default_rng(at).random((30, 20)) < 0.3
    relevant = hits.sum(axis=1) + 1 + np.arange(30) % 3
    relevant[4], hits[4] = 0, False
    together = measure(hits, relevant, at)
    alone = [float(measure(h, r, at)) for h, r in zip(hits, relevant.tolist(), strict=True)]
    assert together == pytest.approx(alone, nan_ok=True)
    assert np.flatnonzero(np.isnan(together)).tolist() == [4]  # nothing to find: no value


@pytest.fixture(scope="module")
def trial(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Model, list[HoldoutUser], dict[int, int]]:
    """A model, the fans held out of its training and a franchise for most of its anime."""
    folder = tmp_path_factory.mktemp("trial")
    frame = random_frame(21, 260, 70, 0.5)
    frame.write_parquet(folder / "all.parquet")
    parts = split_users(read_evaluation_ratings(folder / "all.parquet"), 60, seed=1)
    # The model must not know some of what the fans have: neither its list nor its holdout.
    unknown = frame["anime_id"].unique().sort()[::9].to_list()
    model = train_model(parts["ratings"].filter(~pl.col("anime_id").is_in(unknown)), folder)
    model.as_of, model.item_year = 2026, (2015 + np.arange(len(model)) % 12).astype(np.int16)
    for name in ("lists", "holdout"):
        parts[name].write_csv(folder / f"{name}.csv")
    fans = join_holdout(
        *(read_evaluation_ratings(folder / f"{name}.csv") for name in ("lists", "holdout"))
    )
    groups = {anime: -1 if anime % 5 == 0 else anime % 23 for anime in model.anime_id.tolist()}
    return model, fans, groups


def answer_of(model: Model, fan: HoldoutUser, order: SortOrder) -> dict[int, RecommendedItem]:
    """All that may be shown, best first, by id."""
    wish = RecommendOptions(top_n=len(model), sort_order=order)
    return {item.anime_id: item for item in recommend(model, fan.visible, wish).recommendations}


def slow_measures(
    model: Model, fans: list[HoldoutUser], groups: dict[int, int], order: SortOrder
) -> dict[str, float]:
    """The protocol written down once more, a fan and an anime at a time."""
    place = set(model.anime_id.tolist())

    def group(anime: int) -> tuple[str, int]:
        known = groups.get(anime, -1)
        return ("anime", anime) if known < 0 else ("franchise", known)

    def gain(hits: list[bool], relevant: int) -> float:
        ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(10, relevant) + 1))
        return sum(1 / math.log2(rank + 1) for rank, hit in enumerate(hits, 1) if hit) / ideal

    errors, inside, gains, shares, new_gains, shown = [], [], [], [], [], set()
    for fan in fans:
        answer = answer_of(model, fan, order)
        # Hidden gems are of what is little known; the rest is predicted as for match.
        predicted = answer_of(model, fan, SortOrder.MATCH) | answer
        for anime, given in zip(fan.hidden_ids.tolist(), fan.hidden_scores.tolist(), strict=True):
            if anime in place:
                errors.append(predicted[anime].predicted_score - given)
                inside.append(abs(errors[-1]) <= predicted[anime].expected_error)
        ranked = list(answer)
        shown |= set(ranked[:10])
        wanted = {
            anime
            for anime, given in zip(fan.hidden_ids.tolist(), fan.hidden_scores, strict=True)
            if given >= 8
        }
        if wanted:
            hits = [anime in wanted for anime in ranked[:10]]
            gains.append(gain(hits, len(wanted)))
            shares.append(sum(hits) / min(10, len(wanted)))
        visible = {group(anime) for anime in fan.visible.anime_id.tolist()}
        wanted_groups = {group(anime) for anime in wanted} - visible
        if wanted_groups:
            new: list[Any] = []
            for anime in ranked:
                if group(anime) not in visible and group(anime) not in new:
                    new.append(group(anime))
            new_gains.append(gain([g in wanted_groups for g in new[:10]], len(wanted_groups)))
    return {
        "rmse": math.sqrt(sum(e * e for e in errors) / len(errors)),
        "mae": sum(map(abs, errors)) / len(errors),
        "within_expected_error": (  # told of the other score, not of that of KNN
            math.nan if order is SortOrder.SCORE else sum(inside) / len(inside)
        ),
        "ndcg@10": sum(gains) / len(gains),
        "recall@10": sum(shares) / len(shares),
        "new_ndcg@10": sum(new_gains) / len(new_gains),
        "coverage": len(shown),
        "users": len(fans),
        "pairs": len(errors),
    }


@pytest.mark.parametrize("order", list(SortOrder))
def test_measures_of_a_model(
    trial: tuple[Model, list[HoldoutUser], dict[int, int]], order: SortOrder
) -> None:
    model, fans, groups = trial
    franchise = np.array(list(groups.values()))
    measured = evaluate(model, franchise, fans, ranker=model_ranker(model, order))
    expected = slow_measures(model, fans, groups, order)
    assert set(measured) >= set(expected)
    for name, value in expected.items():
        assert measured[name] == pytest.approx(value, abs=1e-9, nan_ok=True), name
    assert 0 < expected["ndcg@10"] < 1
    assert 0 < expected["new_ndcg@10"] < 1
    hidden = sum(len(fan.hidden_ids) for fan in fans)
    assert 0 < expected["pairs"] < hidden  # some held-out anime are unknown to the model


def test_what_a_match_in_percent_is_worth_by_counting(
    trial: tuple[Model, list[HoldoutUser], dict[int, int]],
) -> None:
    """Each anime that may be shown to each fan, in the bin of the percentage that is shown."""
    model, fans, _ = trial
    bins: dict[int, list[float | None]] = {}
    for fan in fans:
        given = dict(zip(fan.hidden_ids.tolist(), fan.hidden_scores.tolist(), strict=True))
        wish = RecommendOptions(top_n=len(model))
        for item in recommend(model, fan.visible, wish).recommendations:
            assert item.match_percentile is not None
            bins.setdefault(min(9, int(item.match_percentile // 10)), []).append(
                given.get(item.anime_id)
            )
    expected = []
    for at, outcomes in sorted(bins.items()):
        hidden = [score for score in outcomes if score is not None]
        row = {
            "lower": 10 * at,
            "upper": 10 * at + 10,
            "candidates": len(outcomes),
            "picked": len(hidden) / len(outcomes),
            "loved": sum(score >= 8 for score in hidden) / len(outcomes),
            "given": sum(hidden) / len(hidden) if hidden else math.nan,
        }
        expected.append(pytest.approx(row, nan_ok=True))
    franchise = np.full(len(model), -1)
    assert len(expected) > 5
    assert evaluate(model, franchise, fans)["match_percentile"] == expected
    for order in (SortOrder.SCORE, SortOrder.DISCOVER):
        by_order = evaluate(model, franchise, fans, ranker=model_ranker(model, order))
        assert by_order["match_percentile"] == []


def test_nothing_to_measure_is_not_a_number(
    trial: tuple[Model, list[HoldoutUser], dict[int, int]],
) -> None:
    model, fans, groups = trial
    nothing = np.empty(0, np.int64)
    stranger = HoldoutUser(fans[0].visible, nothing, np.empty(0))
    measured = evaluate(model, np.array(list(groups.values())), [stranger])
    nothing_found = ("rmse", "mae", "ndcg@10", "recall@10", "map@20", "new_ndcg@10", "diversity")
    assert all(math.isnan(measured[name]) for name in nothing_found)
    assert all(math.isnan(end) for name in nothing_found for end in measured["ci"][name])
    assert measured["calibration"] == []
    assert (measured["users"], measured["pairs"]) == (1, 0)


def test_every_measure_has_an_interval_and_a_seed_gives_the_same(
    trial: tuple[Model, list[HoldoutUser], dict[int, int]],
) -> None:
    model, fans, groups = trial
    franchise = np.array(list(groups.values()))
    genres = [("Drama", "Drama;Comedy", "")[anime % 3] for anime in groups]
    one, again, other = (
        evaluate(model, franchise, fans, genres=genres, seed=seed) for seed in (1, 1, 2)
    )
    assert one == again
    assert one["ci"] != other["ci"]
    numbers = {k for k, v in one.items() if isinstance(v, int | float)} - {"users", "pairs"}
    assert set(one["ci"]) == numbers
    for name, (low, high) in one["ci"].items():
        assert low <= one[name] <= high, name
    assert one["ci"]["ndcg@10"][0] < one["ci"]["ndcg@10"][1]


def test_short_lists_are_parts_of_the_long_ones(
    trial: tuple[Model, list[HoldoutUser], dict[int, int]],
) -> None:
    _, fans, _ = trial
    long = [fan for fan in fans if len(fan.visible.anime_id) > 28]
    five = truncate_history(long, 5, seed=3)
    twenty = truncate_history(long, 20, seed=3)
    assert len(five) == len(twenty) == len(long)
    assert 0 < len(truncate_history(fans, 29, seed=3)) == len(long) < len(fans)
    places = []
    for fan, shorter, longer in zip(long, five, twenty, strict=True):
        whole = dict(zip(fan.visible.anime_id.tolist(), fan.visible.score.tolist(), strict=True))
        for cut, length in ((shorter, 5), (longer, 20)):
            kept, rest = cut.visible.anime_id.tolist(), cut.excluded_ids.tolist()
            assert len(kept) == length
            assert sorted(kept + rest) == sorted(whole)
            assert cut.visible.score.tolist() == [whole[anime] for anime in kept]
            assert cut.hidden_ids is fan.hidden_ids
        assert set(shorter.visible.anime_id.tolist()) <= set(longer.visible.anime_id.tolist())
        ids = fan.visible.anime_id.tolist()
        places += [ids.index(anime) / len(ids) for anime in shorter.visible.anime_id.tolist()]
    assert 0.35 < sum(places) / len(places) < 0.65  # drawn from the whole list
    other = [fan.visible.anime_id.tolist() for fan in truncate_history(long, 5, seed=4)]
    assert other != [fan.visible.anime_id.tolist() for fan in five]


def test_what_was_cut_away_is_neither_shown_nor_missed(
    trial: tuple[Model, list[HoldoutUser], dict[int, int]],
) -> None:
    """By a second computation for lists of five: ranked without the withheld, the same relevant."""
    model, fans, groups = trial
    anime = EvaluationItems.from_model(model, np.array(list(groups.values())))
    table = evaluate_by_length(
        model_ranker(model, SortOrder.MATCH), anime, fans, lengths=(5, 10_000), seed=3
    )
    assert set(table) == {"5"}  # no list has ten thousand
    short = truncate_history(fans, 5, seed=3)
    gains, popular_gains, shown = [], [], set()
    popular = model.anime_id[np.argsort(-model.entry_count, kind="stable")].tolist()
    for fan in short:
        out = {*fan.visible.anime_id.tolist(), *fan.excluded_ids.tolist()}
        answer = recommend(model, fan.visible, RecommendOptions(top_n=len(model))).recommendations
        ranked = [item.anime_id for item in answer if item.anime_id not in out][:10]
        shown |= set(ranked)
        wanted = fan.hidden_ids[fan.hidden_scores >= 8]
        if len(wanted):
            gains.append(ndcg(np.isin(ranked, wanted), len(wanted), 10))
            best = [anime_id for anime_id in popular if anime_id not in out][:10]
            popular_gains.append(ndcg(np.isin(best, wanted), len(wanted), 10))
    assert table["5"]["users"] == len(short)
    assert table["5"]["ndcg@10"] == pytest.approx(np.mean(gains))
    assert table["5"]["popularity_ndcg@10"] == pytest.approx(np.mean(popular_gains))
    assert table["5"]["coverage"] == len(shown)


def entries_of(tmp_path: Path, name: str, rows: list[tuple[object, int, float, int]]) -> Any:
    columns = ["user_id", "anime_id", "rating", "status"]
    pl.DataFrame(rows, schema=columns, orient="row").write_csv(tmp_path / name)
    return read_evaluation_ratings(tmp_path / name)


def test_fans_are_joined_by_id_whatever_its_type(tmp_path: Path) -> None:
    lists = entries_of(tmp_path, "lists.csv", [("7", 1, 9, 2), ("ann", 2, 0, 6), ("x", 5, 3, 2)])
    hidden = entries_of(tmp_path, "holdout.csv", [(7, 3, 8, 2), (7, 4, 0, 2), (8, 1, 5, 2)])
    seven, eight = join_holdout(lists, hidden)
    assert (seven.visible.anime_id.tolist(), seven.visible.score.tolist()) == ([1], [9])
    assert seven.visible.status.tolist() == [WatchStatus.COMPLETED]
    assert (seven.hidden_ids.tolist(), seven.hidden_scores.tolist()) == ([3], [8])
    assert (eight.visible.anime_id.tolist(), eight.hidden_ids.tolist()) == ([], [1])


def test_what_must_be_found_must_not_be_seen(tmp_path: Path) -> None:
    lists = entries_of(tmp_path, "lists.csv", [("ann", 1, 9, 2), ("ann", 2, 0, 6)])
    hidden = entries_of(tmp_path, "holdout.csv", [("ann", 2, 8, 2), ("ann", 3, 8, 2)])
    with pytest.raises(InputError, match="user ann: anime 2 "):
        join_holdout(lists, hidden)


def test_files_of_different_fans_are_refused(tmp_path: Path) -> None:
    lists = entries_of(tmp_path, "lists.csv", [("ann", 1, 9, 2)])
    hidden = entries_of(tmp_path, "holdout.csv", [("bob", 2, 8, 2)])
    with pytest.raises(InputError, match="no user in common"):
        join_holdout(lists, hidden)
