"""The measures, by hand on tiny cases and by a second, slow computation on a trained model."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from app.recommender import Listed, Model, Order, Status, Wish, recommend
from app.recommender.fold_in import fold_in
from app.recommender.predict import predict
from model_build.errors import InputError
from model_build.evaluation import Fan, evaluate, fans_of
from model_build.metrics import ndcg, recall
from model_build.ratings import read_user_entries
from model_build.splitting import split_fans
from tests.model_build.worlds import random_frame, train_model

HITS = {
    # hits, number of relevant, NDCG@10 and recall@10 by hand
    "first": ([1, 0, 0], 1, 1.0, 1.0),
    "second": ([0, 1, 0], 1, 1 / math.log2(3), 1.0),
    "none": ([0] * 10, 4, 0.0, 0.0),
    "two of three": ([1, 0, 1], 3, 1.5 / (1 + 1 / math.log2(3) + 0.5), 2 / 3),
    "all ten of thirty": ([1] * 10, 30, 1.0, 1.0),
    "an eleventh does not count": ([0] * 10 + [1], 1, 0.0, 0.0),
    "half of twelve": (
        [1] * 5 + [0] * 5,
        12,
        sum(1 / math.log2(n) for n in range(2, 7)) / sum(1 / math.log2(n) for n in range(2, 12)),
        0.5,
    ),
    "a short answer": ([1], 2, 1 / (1 + 1 / math.log2(3)), 0.5),
    "no answer": ([], 2, 0.0, 0.0),
}


@pytest.mark.parametrize(("hits", "relevant", "gain", "share"), HITS.values(), ids=HITS)
def test_measures_by_hand(hits: list[int], relevant: int, gain: float, share: float) -> None:
    found = np.array(hits, bool)
    assert ndcg(found, relevant, 10) == pytest.approx(gain)
    assert recall(found, relevant, 10) == pytest.approx(share)


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, list[Fan], dict[int, int]]:
    """A model, the fans held out of its training and a franchise for most of its anime."""
    folder = tmp_path_factory.mktemp("trial")
    frame = random_frame(21, 260, 70, 0.5)
    frame.write_parquet(folder / "all.parquet")
    parts = split_fans(read_user_entries(folder / "all.parquet"), 60, seed=1)
    # The model must not know some of what the fans have: neither its list nor its holdout.
    unknown = frame["anime_id"].unique().sort()[::9].to_list()
    model = train_model(parts["ratings"].filter(~pl.col("anime_id").is_in(unknown)), folder)
    for name in ("lists", "holdout"):
        parts[name].write_csv(folder / f"{name}.csv")
    fans = fans_of(*(read_user_entries(folder / f"{name}.csv") for name in ("lists", "holdout")))
    groups = {anime: -1 if anime % 5 == 0 else anime % 23 for anime in model.anime_id.tolist()}
    return model, fans, groups


def slow_measures(
    model: Model, fans: list[Fan], groups: dict[int, int], order: Order
) -> dict[str, float]:
    """The protocol written down once more, a fan and an anime at a time."""
    place = {anime: position for position, anime in enumerate(model.anime_id.tolist())}

    def group(anime: int) -> tuple[str, int]:
        known = groups.get(anime, -1)
        return ("anime", anime) if known < 0 else ("franchise", known)

    def gain(hits: list[bool], relevant: int) -> float:
        ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(10, relevant) + 1))
        return sum(1 / math.log2(rank + 1) for rank, hit in enumerate(hits, 1) if hit) / ideal

    errors, gains, shares, new_gains, shown = [], [], [], [], set()
    for fan in fans:
        score = predict(model, fold_in(model, fan.visible)).score
        for anime, given in zip(fan.hidden_id.tolist(), fan.hidden_score.tolist(), strict=True):
            if anime in place:
                errors.append(min(10, max(1, score[place[anime]])) - given)
        wish = Wish(top=len(model), order=order)
        ranked = [item.anime_id for item in recommend(model, fan.visible, wish).recommendations]
        shown |= set(ranked[:10])
        wanted = {
            anime
            for anime, given in zip(fan.hidden_id.tolist(), fan.hidden_score, strict=True)
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
        "ndcg@10": sum(gains) / len(gains),
        "recall@10": sum(shares) / len(shares),
        "new_ndcg@10": sum(new_gains) / len(new_gains),
        "coverage": len(shown),
        "users": len(fans),
        "pairs": len(errors),
    }


@pytest.mark.parametrize("order", list(Order))
def test_measures_of_a_model(trial: tuple[Model, list[Fan], dict[int, int]], order: Order) -> None:
    model, fans, groups = trial
    franchise = np.array(list(groups.values()))
    measured = evaluate(model, franchise, fans, order=order)
    expected = slow_measures(model, fans, groups, order)
    assert set(measured) >= set(expected)
    for name, value in expected.items():
        assert measured[name] == pytest.approx(value, abs=1e-9), name
    assert 0 < expected["ndcg@10"] < 1
    assert 0 < expected["new_ndcg@10"] < 1
    hidden = sum(len(fan.hidden_id) for fan in fans)
    assert 0 < expected["pairs"] < hidden  # some held-out anime are unknown to the model


def test_a_perfect_prediction_has_no_error(tmp_path: Path) -> None:
    frame = random_frame(3, 40, 20, 0.6, unscored=0).with_columns(rating=pl.lit(8.0))
    model = train_model(frame, tmp_path)
    ids = model.anime_id.astype(np.int64)
    fan = Fan(Listed.of([(int(i), 8, 2) for i in ids[:10]]), ids[10:], np.full(len(ids) - 10, 8.0))
    measured = evaluate(model, np.full(len(ids), -1), [fan])
    assert (measured["rmse"], measured["mae"], measured["pairs"]) == (0, 0, len(ids) - 10)


def test_nothing_to_measure_is_not_a_number(trial: tuple[Model, list[Fan], dict[int, int]]) -> None:
    model, fans, groups = trial
    nothing = np.empty(0, np.int64)
    stranger = Fan(fans[0].visible, nothing, np.empty(0))
    measured = evaluate(model, np.array(list(groups.values())), [stranger])
    assert all(
        math.isnan(measured[name])
        for name in ("rmse", "mae", "ndcg@10", "recall@10", "new_ndcg@10")
    )
    assert (measured["users"], measured["pairs"]) == (1, 0)


def entries_of(tmp_path: Path, name: str, rows: list[tuple[object, int, float, int]]) -> Any:
    columns = ["user_id", "anime_id", "rating", "status"]
    pl.DataFrame(rows, schema=columns, orient="row").write_csv(tmp_path / name)
    return read_user_entries(tmp_path / name)


def test_fans_are_joined_by_id_whatever_its_type(tmp_path: Path) -> None:
    lists = entries_of(tmp_path, "lists.csv", [("7", 1, 9, 2), ("ann", 2, 0, 6), ("x", 5, 3, 2)])
    hidden = entries_of(tmp_path, "holdout.csv", [(7, 3, 8, 2), (7, 4, 0, 2), (8, 1, 5, 2)])
    seven, eight = fans_of(lists, hidden)
    assert (seven.visible.anime_id.tolist(), seven.visible.score.tolist()) == ([1], [9])
    assert seven.visible.status.tolist() == [Status.COMPLETED]
    assert (seven.hidden_id.tolist(), seven.hidden_score.tolist()) == ([3], [8])
    assert (eight.visible.anime_id.tolist(), eight.hidden_id.tolist()) == ([], [1])


def test_what_must_be_found_must_not_be_seen(tmp_path: Path) -> None:
    lists = entries_of(tmp_path, "lists.csv", [("ann", 1, 9, 2), ("ann", 2, 0, 6)])
    hidden = entries_of(tmp_path, "holdout.csv", [("ann", 2, 8, 2), ("ann", 3, 8, 2)])
    with pytest.raises(InputError, match="user ann: anime 2 "):
        fans_of(lists, hidden)


def test_files_of_different_fans_are_refused(tmp_path: Path) -> None:
    lists = entries_of(tmp_path, "lists.csv", [("ann", 1, 9, 2)])
    hidden = entries_of(tmp_path, "holdout.csv", [("bob", 2, 8, 2)])
    with pytest.raises(InputError, match="no user in common"):
        fans_of(lists, hidden)
