"""Fans taken out for evaluation, and what of them is hidden."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from model_build.data.config import SplitConfig
from model_build.data.holdout import (
    HoldoutUser,
    cross_fit_splits,
    index_split,
    redraw_hidden,
    split_pairs,
    split_users,
    write_split,
)
from model_build.data.ratings import Ratings, index_ratings, read_ratings
from model_build.util.errors import InputError
from tests.model_build.worlds import random_frame, rated_frame

FANS = 20


@pytest.fixture
def frame() -> pl.DataFrame:
    return random_frame(31, 80, 40, 0.3)


@pytest.fixture
def ratings(frame: pl.DataFrame, tmp_path: Path) -> Ratings:
    frame.write_parquet(tmp_path / "all.parquet")
    return read_ratings([tmp_path / "all.parquet"])


def users(frame: pl.DataFrame) -> set[int]:
    return set(frame["user_id"].to_list())


def test_every_entry_goes_to_one_part(frame: pl.DataFrame, ratings: Ratings) -> None:
    parts = split_users(ratings, FANS, seed=0)
    rows = [row for part in parts.values() for row in part.select(frame.columns).iter_rows()]
    assert sorted(rows) == sorted(frame.iter_rows())


def test_fans_taken_out_are_not_trained_on(ratings: Ratings) -> None:
    parts = split_users(ratings, FANS, seed=0)
    assert len(users(parts["holdout"])) == FANS
    assert users(parts["lists"]) == users(parts["holdout"])
    assert not users(parts["ratings"]) & users(parts["lists"])


def test_a_fifth_of_a_fans_scores_is_hidden(frame: pl.DataFrame, ratings: Ratings) -> None:
    parts = split_users(ratings, FANS, seed=0)
    assert (parts["holdout"]["rating"] > 0).all()
    scored = frame.filter(pl.col("rating") > 0)
    for user in users(parts["holdout"]):
        scores = len(scored.filter(pl.col("user_id") == user))
        hidden = len(parts["holdout"].filter(pl.col("user_id") == user))
        assert scores >= 5
        assert abs(hidden - scores / 5) <= 0.5
        assert hidden >= 1


def test_hidden_entries_are_drawn_from_the_whole_list(ratings: Ratings) -> None:
    """Not always the first of a list, and not always the same for all."""
    places = []
    for seed in range(5):
        parts = split_users(ratings, FANS, seed)
        for user in users(parts["holdout"]):
            seen, hidden = (
                parts[name].filter((pl.col("user_id") == user) & (pl.col("rating") > 0))["anime_id"]
                for name in ("lists", "holdout")
            )
            order = sorted([*seen.to_list(), *hidden.to_list()])
            places += [order.index(anime) / len(order) for anime in hidden.to_list()]
    assert 0.4 < sum(places) / len(places) < 0.6
    assert min(places) < 0.15
    assert max(places) > 0.8


def test_who_has_the_same_list_as_a_fan_taken_out_is_not_trained_on(
    frame: pl.DataFrame, ratings: Ratings, tmp_path: Path
) -> None:
    held = users(split_users(ratings, FANS, seed=0)["holdout"])
    # Every fan comes a second time under another id; all first ids are drawn from as before.
    doubled = pl.concat([frame, frame.with_columns(pl.col("user_id") + 1000)])
    doubled.write_parquet(tmp_path / "doubled.parquet")
    parts = split_users(read_ratings([tmp_path / "doubled.parquet"]), FANS, seed=0)
    taken = {user % 1000 for user in users(parts["holdout"])}
    assert taken
    assert not taken & {user % 1000 for user in users(parts["ratings"])}
    left = users(doubled) - users(parts["holdout"]) - users(parts["ratings"])
    assert {user % 1000 for user in left} <= taken
    # Nor does what else they did stay; of whom the ratings know nothing it does.
    did = pl.concat([doubled.select("user_id"), pl.DataFrame({"user_id": [5000]})])
    did.write_parquet(tmp_path / "interactions.parquet")
    ratings_file, did_file = tmp_path / "doubled.parquet", tmp_path / "interactions.parquet"
    out = tmp_path / "split"
    write_split(SplitConfig(ratings=(ratings_file,), interactions=did_file, fans=FANS, out=out))
    rest = pl.read_parquet(tmp_path / "split" / "interactions.parquet")
    assert users(rest) == users(parts["ratings"]) | {5000}
    # Without twins nobody is left out.
    assert users(frame) == held | users(split_users(ratings, FANS, seed=0)["ratings"])


def test_a_seed_draws_the_same_fans_again_and_another_seed_others(ratings: Ratings) -> None:
    first, again, other = (split_users(ratings, FANS, seed) for seed in (4, 4, 5))
    assert all(first[name].equals(again[name]) for name in first)
    assert users(first["holdout"]) != users(other["holdout"])


def test_fans_may_be_drawn_from_the_lists_of_late_years_alone(
    frame: pl.DataFrame, tmp_path: Path
) -> None:
    years = (None, 0, 2016, 2022, 2023, 2026)
    year_of = {user: years[user % len(years)] for user in users(frame)}
    dated = frame.with_columns(
        collected=pl.col("user_id").replace_strict(year_of, return_dtype=pl.Int16)
    )
    dated.write_parquet(tmp_path / "dated.parquet")
    ratings = read_ratings([tmp_path / "dated.parquet"])
    few = (frame.filter(pl.col("rating") > 0).group_by("user_id").len()).filter(pl.col("len") < 5)
    late = {user for user, year in year_of.items() if (year or 0) >= 2023} - users(few)
    drawn = [users(split_users(ratings, 8, seed, 2023)["holdout"]) for seed in range(20)]
    assert set().union(*drawn) == late
    # All of them may be taken out: there are others to train on.
    parts = split_users(ratings, len(late), 0, 2023)
    assert users(parts["lists"]) == users(parts["holdout"]) == late
    assert users(parts["ratings"]) == users(frame) - late
    with pytest.raises(InputError) as caught:
        split_users(ratings, len(late) + 1, 0, 2023)
    assert str(caught.value) == (
        f"{len(late) + 1} fans cannot be taken out of the {len(late)} that have 5 scores or more "
        "and a list of 2023 or later; ask for fewer."
    )


def test_fans_of_late_years_cannot_be_drawn_where_no_list_has_a_year(ratings: Ratings) -> None:
    with pytest.raises(InputError, match="lists of 2023 or later cannot be told from others: the"):
        split_users(ratings, FANS, 0, 2023)


def test_some_fans_must_be_left_to_train_on(ratings: Ratings) -> None:
    with pytest.raises(InputError, match="80 fans cannot be taken out of the"):
        split_users(ratings, 80, seed=0)
    # All lists are the same: who is likely the one taken out is not trained on.
    rows = [(user, anime, 8.0) for user in (1, 2, 3) for anime in range(6)]
    same = index_ratings(rated_frame(rows).with_columns(status=2))
    with pytest.raises(InputError, match="leave fewer than two to train on"):
        split_users(same, 1, seed=0)
    assert not list(cross_fit_splits(same, 2, seed=0))
    lonely = index_ratings(rated_frame([(1, 1, 8.0), (2, 2, 8.0)]).with_columns(status=2))
    hiding = next(seed for seed in range(99) if (np.random.default_rng(seed).random(2) < 0.2).any())
    with pytest.raises(InputError, match="hidden leaves fewer than two fans to train on"):
        split_pairs(lonely, 1, hiding)


def test_another_fifth_of_the_same_scores_is_hidden(ratings: Ratings) -> None:
    rng = np.random.default_rng(5)
    fans = index_split(split_users(ratings, FANS, seed=0))[1]
    changed = 0
    for fan in fans:
        again = redraw_hidden(fan, rng)
        assert entries_of(again) == entries_of(fan)
        assert (np.diff(again.visible.anime_id) > 0).all()
        assert (again.hidden_scores > 0).all()
        scored = (fan.visible.score > 0).sum() + len(fan.hidden_ids)
        assert len(again.hidden_ids) == max(1, round(scored / 5))
        changed += set(again.hidden_ids) != set(fan.hidden_ids)
    assert changed > FANS / 2
    first, second = (redraw_hidden(fans[0], np.random.default_rng(6)) for _ in range(2))
    assert first.hidden_ids.tolist() == second.hidden_ids.tolist()


def entries_of(fan: HoldoutUser) -> set[tuple[int, float, int]]:
    """Anime, score and status of everything on a list, visible or hidden."""
    listed = fan.visible
    shown = zip(listed.anime_id, listed.score, listed.status, strict=True)
    hidden = zip(fan.hidden_ids, fan.hidden_scores, fan.hidden_status, strict=True)
    return {(int(anime), float(score), int(status)) for anime, score, status in (*shown, *hidden)}
