"""The second stage is fitted to the lists it is given, and puts what is found in a better order."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import polars as pl
import pytest

from app.recommender import Model, RecommendOptions, SortOrder, UserList, recommend
from app.recommender.affinity import score_affinity, wanted_recent_share
from app.recommender.fold_in import fold_in
from app.recommender.recommend import score_items
from app.recommender.reranking.feature_names import FEATURES, FeatureGroup
from app.recommender.watch_status import WatchStatus
from model_build.data.holdout import index_split, split_users
from model_build.data.ratings import Ratings, index_ratings
from model_build.evaluate.metrics import summary
from model_build.evaluate.ranking import EvaluationItems, model_ranker, rank_users
from model_build.train.checkpoints import flatten
from model_build.train.driver import train_model
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.item_facts import ItemFacts
from model_build.train.list_sample import ListSample
from model_build.train.model_arrays import TrainedModel
from model_build.train.sufficient_statistics import EntriesOfUsers
from tests.model_build.worlds import random_frame

FANS, ANIME = 640, 60
ABLATIONS = [FeatureGroup.SCORE, FeatureGroup.USER]
SETTINGS = Hyperparameters(taste_factors=4, affinity_neighbours=40, newcomer_neighbours=40)


def world(seed: int) -> Ratings:
    """Fans who love comedies, which they list no more often than others."""
    frame = random_frame(seed, FANS, ANIME, 0.35)
    return index_ratings(frame.cast({"rating": pl.Float64, "anime_id": pl.Int32}))


def facts_of(ratings: Ratings, *, years: bool = False) -> ItemFacts:
    n = len(ratings.anime_ids)
    catalogue = pl.DataFrame(
        {
            "anime_id": ratings.anime_ids.astype(np.int64),
            "title": [str(number) for number in ratings.anime_ids],
            "type": ["TV", "MOVIE", "OVA"] * (n // 3),
            "episodes": [12, 1, 2] * (n // 3),
            "genres": ["Comedy", "Drama"] * (n // 2),
            "franchise_hint": pl.Series([None] * n, dtype=pl.Int64),
        }
    )
    if years:
        known = pl.Series("year", [2000 + at % 20 for at in range(n)])
        catalogue = catalogue.with_columns(known)
    return ItemFacts(catalogue, cold_since=0)


@pytest.fixture(scope="module")
def ratings() -> Ratings:
    return world(41)


@pytest.fixture(scope="module")
def trained(ratings: Ratings) -> TrainedModel:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "model_build.train.trees.MIN_ROWS_PER_THREAD", 20_000
        )  # so that there is work for two
        return train_model(ratings, SETTINGS, facts=facts_of(ratings), threads=2)


@pytest.fixture(scope="module")
def again(ratings: Ratings) -> TrainedModel:
    """The same by one thread, and stages that look at nothing of a group."""
    facts = facts_of(ratings)
    return train_model(ratings, SETTINGS, facts=facts, threads=1, ablations=ABLATIONS)


@pytest.fixture(scope="module")
def model(trained: TrainedModel) -> Model:
    return for_any_list(trained.in_memory_model())


def for_any_list(model: Model) -> Model:
    """The same model, whose trees order whatever there is of lists of any length."""
    changes = {"rerank_min_entries": 1, "min_candidate_share": 0.0}
    return model.with_parameters(model.parameters.model_copy(update=changes))


def list_of_user(ratings: Ratings, user: int) -> UserList:
    rows = np.flatnonzero(ratings.user == user)[::2]
    ids = ratings.anime_ids[ratings.item[rows]].astype(np.int64)
    return UserList(ids, ratings.rating[rows], ratings.status[rows])


def test_the_same_lists_give_the_same_bits_whatever_the_threads(
    again: TrainedModel, trained: TrainedModel
) -> None:
    assert again.hyperparameters == trained.hyperparameters
    assert again.match_curves == trained.match_curves
    for name, array in trained.arrays.items():
        if name.startswith("rerank"):
            assert np.array_equal(again.arrays[name], array), name


def test_an_ablation_looks_at_nothing_of_its_group(again: TrainedModel) -> None:
    whole = again.in_memory_model().rerank_trees
    assert whole is not None
    assert again.ablations.keys() == set(ABLATIONS)
    group_of = np.array(list(FEATURES.values()))
    for group, stage in again.ablations.items():
        for trees, looks in ((whole, True), (stage.trees, False)):
            used = group_of[trees.feature[trees.feature >= 0]]
            assert (group in used) is looks


def test_other_lists_give_other_constants(trained: TrainedModel) -> None:
    other = world(42)
    found = train_model(other, SETTINGS, facts=facts_of(other), threads=2)
    assert found.match_curves != trained.match_curves
    assert not np.array_equal(found.arrays["rerank_threshold"], trained.arrays["rerank_threshold"])


def test_what_it_is_worth_is_measured_on_users_kept_from_it(trained: TrainedModel) -> None:
    told = trained.hyperparameters
    assert 0 < told["rerank_validation_ndcg"] <= 1
    assert told["rerank_validation_lists"] > 30


def test_fans_of_a_series_get_the_next_part_first() -> None:
    """Affinity knows that a part is loved by who loved another; the trees, what comes next."""
    rng = np.random.default_rng(5)
    rows, n_series, parts = [], 20, 4
    ids = np.arange(1, n_series * parts + 1)
    for user in range(700):
        for series in rng.choice(n_series, 10, replace=False):
            seen = rng.integers(1, parts + 1)
            rows += [
                (user, int(series * parts + at + 1), float(rng.integers(7, 11)))
                for at in range(seen)
            ]
    schema = {"user_id": pl.Int64, "anime_id": pl.Int32, "rating": pl.Float64}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    frame = frame.with_columns(status=pl.lit(2, pl.Int8))
    place = (ids - 1) % parts
    catalogue = pl.DataFrame(
        {
            "anime_id": ids,
            "title": [str(number) for number in ids],
            "type": ["TV"] * len(ids),
            "franchise_id": (ids - 1) // parts,
            "franchise_hint": pl.Series([None] * len(ids), dtype=pl.Int64),
            "watch_order": place,
            "is_extra": [False] * len(ids),
            "relation_kind": ["sequel" if at else None for at in place.tolist()],
            "relation_id": [
                int(number) - 1 if at else None for number, at in zip(ids, place, strict=True)
            ],
        }
    )
    training, users = index_split(split_users(index_ratings(frame), 100, 3))
    train = partial(train_model, training, SETTINGS, facts=ItemFacts(catalogue, cold_since=0))
    measured = []
    for second_stage in (False, True):
        model = train(second_stage=second_stage).in_memory_model()
        items = EvaluationItems.from_model(model, (model.anime_id.astype(np.int64) - 1) // parts)
        measured.append(summary(rank_users(model_ranker(model), items, users), items)["ndcg@10"])
    assert measured[1] > measured[0] + 0.02


def test_candidates_change_places_and_nothing_else(model: Model, ratings: Ratings) -> None:
    for user in range(20):
        listed = list_of_user(ratings, user)
        scores = score_items(model, listed, RecommendOptions())
        assert scores.reranking is not None
        candidates, value = scores.reranking.candidates, scores.affinity.value
        moved = scores.ranked_match / 100
        assert np.sort(moved[candidates]) == pytest.approx(np.sort(value[candidates]))
        others = np.setdiff1d(np.arange(len(model)), candidates)
        assert moved[others] == pytest.approx(value[others])
        by_place = candidates[np.argsort(-moved[candidates], kind="stable")]
        order = candidates[np.argsort(-scores.reranking.score, kind="stable")]
        assert np.array_equal(by_place, order)


def test_the_odds_of_recent_anime_are_raised_and_nothing_else_moves(ratings: Ratings) -> None:
    facts = facts_of(ratings, years=True)
    trained = for_any_list(train_model(ratings, SETTINGS, facts=facts, threads=2).in_memory_model())
    told = 0
    plain, lifted = (
        trained.with_parameters(trained.parameters.model_copy(update={"recent_share_odds": each}))
        for each in (0.0, 30.0)
    )
    for user in range(30):
        listed = list_of_user(ratings, user)
        before, after = (score_items(each, listed, RecommendOptions()) for each in (plain, lifted))
        assert before.reranking is not None
        assert after.reranking is not None
        candidates = after.reranking.candidates
        is_recent = trained.is_recent[candidates]
        assert 0 < is_recent.sum() < len(candidates)
        assert np.array_equal(before.reranking.candidates, candidates)
        gained = after.reranking.score - before.reranking.score
        raised = np.log(1.0 + 30.0 * wanted_recent_share(trained, after.profile))
        assert raised > 0.1
        assert gained == pytest.approx(raised * is_recent)
        order = np.argsort(-after.reranking.value[candidates], kind="stable")
        assert np.array_equal(order, np.argsort(-after.reranking.score, kind="stable"))
        up = after.moved_by(candidates) > before.moved_by(candidates)
        reasons = after.moving_reasons(lifted, candidates[is_recent & up])
        told += reasons.count(FeatureGroup.AGE)
    assert told


@pytest.mark.parametrize("shrinkage", [0.0, 40.0])
def test_of_a_few_titles_of_one_taste_the_best_known_go_down(
    model: Model, shrinkage: float
) -> None:
    """By the logarithm of their members, from where anime are no gems on; no tree has a say.

    The fewer lists hold the titles, the less far.
    """
    focused = {"short_history_popularity": 2.0, "discover_max_members": 100}
    focused["short_history_popularity_shrinkage"] = shrinkage
    always = {"unfocused_evidence": 0.0, "focused_evidence": 0.01}
    model = model.with_parameters(model.parameters.model_copy(update=focused | always))
    listed = UserList.from_entries(
        [(int(n), 9.0, 2) for n in model.anime_id[[0, 2, 4]]], is_partial=True
    )
    scores = score_items(model, listed, RecommendOptions())
    assert scores.reranking is not None
    candidates = scores.reranking.candidates
    known = np.maximum(model.popularity[candidates], 100)
    lists = int(model.entry_count[[0, 2, 4]].sum())
    power = 2.0 * lists / (lists + shrinkage)
    expected = np.log(scores.affinity.value[candidates]) - power * np.log(known)
    assert len(set(known.tolist())) > 10
    assert scores.reranking.score == pytest.approx(expected)
    moved = scores.moved_by(candidates)
    found = scores.moving_reasons(model, candidates)
    assert {reason for reason in found if reason} == {FeatureGroup.POPULARITY}
    for at in np.flatnonzero(np.abs(moved) >= model.parameters.moved_points):
        is_better_known = np.log(known[at]) > np.log(known).mean()
        assert (found[at] is not None) == (is_better_known == (moved[at] < 0))


def test_what_is_much_further_from_the_list_than_the_best_stays_behind(
    model: Model, ratings: Ratings
) -> None:
    share = {"min_candidate_share": 0.3}
    held = model.with_parameters(model.parameters.model_copy(update=share))
    kept_back = 0
    for user in range(5):
        listed = list_of_user(ratings, user)
        free, scores = (score_items(each, listed, RecommendOptions()) for each in (model, held))
        assert free.reranking is not None
        assert scores.reranking is not None
        candidates = scores.reranking.candidates
        affinity = scores.affinity.value[candidates]
        is_far = affinity < 0.3 * affinity.max()
        assert 0 < is_far.sum() < len(candidates)
        place = np.argsort(np.argsort(-scores.reranking.value[candidates], kind="stable"))
        assert place[is_far].tolist() == list(range(int((~is_far).sum()), len(candidates)))
        kept_back += (free.reranking.value[candidates] > scores.reranking.value[candidates]).sum()
        near = free.reranking.score[~is_far]
        assert np.array_equal(scores.reranking.score[~is_far], near)
    assert kept_back


@pytest.mark.parametrize("entries", [3, 300])
def test_reasons_and_what_was_moved_add_up_to_what_is_sorted_by(
    model: Model, ratings: Ratings, entries: int
) -> None:
    listed = list_of_user(ratings, 3)
    if entries < len(listed.anime_id):
        listed = listed.without(listed.anime_id[entries:].tolist())
    result = recommend(model, listed, RecommendOptions(top_n=30))
    ranked = [
        sum(reason.weight for reason in item.contributions) + item.residual + item.moved_by
        for item in result.recommendations
    ]
    assert ranked == sorted(ranked, reverse=True)
    assert any(item.moved_by for item in result.recommendations)
    least = model.parameters.moved_points
    for item in result.recommendations:
        assert (item.moved_reason is not None) <= (abs(item.moved_by) >= least)
    percentiles = [item.match_percentile or 0.0 for item in result.recommendations]
    assert percentiles == sorted(percentiles, reverse=True)


def test_what_is_asked_for_is_put_in_the_order_that_all_has(model: Model, ratings: Ratings) -> None:
    listed = list_of_user(ratings, 7)
    whole = score_items(model, listed, RecommendOptions())
    allowed = np.zeros(len(model), bool)
    allowed[::2] = True
    some = score_items(model, listed, RecommendOptions(allowed_mask=allowed))
    where = np.flatnonzero(some.allowed_mask)
    order = [where[np.argsort(-s.ranked_match[where], kind="stable")] for s in (whole, some)]
    assert np.array_equal(order[0], order[1])


def test_other_orders_and_empty_lists_have_no_second_stage(model: Model, ratings: Ratings) -> None:
    by_score = RecommendOptions(sort_order=SortOrder.SCORE)
    assert score_items(model, list_of_user(ratings, 1), by_score).reranking is None
    least = model.parameters.model_copy(update={"rerank_min_entries": 10})
    whole = list_of_user(ratings, int(np.bincount(ratings.user).argmax()))
    for length in (9, 10):
        cut = UserList(whole.anime_id[:length], whole.score[:length], whole.status[:length])
        found = score_items(model.with_parameters(least), cut, RecommendOptions()).reranking
        assert (found is None) == (length < 10)
    planned = UserList.from_entries([(int(model.anime_id[0]), None, WatchStatus.PLAN_TO_WATCH)])
    scores = score_items(model, planned, RecommendOptions())
    assert scores.reranking is None
    value = score_affinity(model, fold_in(model, planned)).value
    assert np.array_equal(scores.ranked_match, 100 * value)


def test_few_lists_make_a_model_without_it_and_say_why(ratings: Ratings) -> None:
    rows = ratings.user < 300
    frame = pl.DataFrame(
        {
            "user_id": ratings.user[rows],
            "anime_id": ratings.anime_ids[ratings.item[rows]],
            "rating": ratings.rating[rows],
            "status": ratings.status[rows],
            "collected": ratings.collected[rows],
        }
    )
    found = train_model(index_ratings(frame), SETTINGS)
    assert found.in_memory_model().rerank_trees is None
    assert any("300 fans are too few" in note for note in found.notes)


@pytest.mark.parametrize("kind", ["low scores", "one score each", "hardly any favourites"])
def test_lists_with_nothing_to_find_make_a_model_without_it_and_say_why(
    ratings: Ratings, kind: str
) -> None:
    frame = pl.DataFrame(
        {
            "user_id": ratings.user,
            "anime_id": ratings.anime_ids[ratings.item],
            "rating": np.minimum(ratings.rating, 5.0),
            "status": ratings.status,
            "collected": ratings.collected,
        }
    )
    if kind == "one score each":
        is_first = pl.int_range(pl.len()).over("user_id") == 0
        frame = frame.with_columns(rating=pl.when(is_first).then("rating").otherwise(0.0))
    elif kind == "hardly any favourites":
        frame = frame.with_columns(
            rating=pl.when(pl.col("user_id") == 7).then(9.0).otherwise("rating")
        )
    found = train_model(index_ratings(frame), SETTINGS, facts=facts_of(ratings), threads=2)
    assert found.in_memory_model().rerank_trees is None
    assert any("no second stage" in note for note in found.notes)


@pytest.mark.parametrize("max_lists", [40, 10_000])
def test_parts_draw_the_lists_that_the_whole_draws(ratings: Ratings, max_lists: int) -> None:
    whole = EntriesOfUsers.from_ratings(ratings)
    cut = 200

    def part(first: int, last: int) -> EntriesOfUsers:
        rows = (ratings.user >= first) & (ratings.user < last)
        return EntriesOfUsers(
            first,
            last - first,
            ratings.anime_ids,
            ratings.user[rows] - np.int32(first),
            ratings.item[rows],
            ratings.rating[rows],
            ratings.status[rows],
        )

    expected = flatten(ListSample.of_entries(whole, max_lists=max_lists))
    parts = [
        ListSample.of_entries(part(*ends), max_lists=max_lists) for ends in ((cut, FANS), (0, cut))
    ]
    found = flatten(ListSample.draw(parts, max_lists=max_lists))
    for name, array in expected.items():
        assert np.array_equal(found[name], array), name
    assert len(expected["user"]) == min(max_lists, FANS)
    half_less = replace(whole, rating=np.maximum(whole.rating - 0.5, 0))
    rounded = ListSample.of_entries(half_less, max_lists=max_lists)
    assert np.array_equal(rounded.rating, expected["rating"]), "half points round up"
