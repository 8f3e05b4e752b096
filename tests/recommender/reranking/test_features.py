"""What the second stage looks at, against the plain sums and lists that it stands for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from app.recommender import Model, UserList
from app.recommender.affinity import affinity_contributions, score_affinity
from app.recommender.array_types import Float64Array, Int64Array
from app.recommender.fold_in import fold_in
from app.recommender.rank import candidate_mask, top_items
from app.recommender.reranking import kernels
from app.recommender.reranking.feature_names import FEATURES
from app.recommender.reranking.features import compute_features
from app.recommender.score_model import predict_scores
from app.recommender.watch_status import WatchStatus
from model_build.data.ratings import index_ratings
from model_build.train.driver import train_model
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.item_facts import ItemFacts
from tests.model_build.worlds import list_of, random_frame

COLUMNS = list(FEATURES)
FANS, ANIME = 160, 50


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return random_frame(31, FANS, ANIME, 0.4)


@pytest.fixture(scope="module")
def ids(frame: pl.DataFrame) -> list[int]:
    return sorted(frame["anime_id"].unique().to_list())


@pytest.fixture(scope="module")
def model(frame: pl.DataFrame, ids: list[int]) -> Model:
    """A model whose first five anime are one series; of the last one nothing is known."""
    n = len(ids)
    catalogue = pl.DataFrame(
        {
            "anime_id": ids,
            "title": [f"Anime {number}" for number in ids],
            "type": ["TV", "MOVIE"] * (n // 2 - 1) + ["TV", None],
            "episodes": [12] * (n - 1) + [None],
            "year": [2000 + at % 20 for at in range(n)],
            "genres": ["Drama;Comedy" if at % 2 else "Drama" for at in range(n - 1)] + [None],
            "members": [1000 * (at + 1) for at in range(n - 1)] + [None],
            "franchise_id": [ids[0]] * 5 + [None] * (n - 5),
            "franchise_hint": [None] * n,
            "watch_order": [0, 1, 2, 3, 4] + [None] * (n - 5),
            "is_extra": [False, False, True, False, False] + [False] * (n - 5),
            "relation_kind": [None, "sequel", "sequel", "sequel", "sequel"] + [None] * (n - 5),
            "relation_id": [None, ids[0], ids[1], ids[2], ids[3]] + [None] * (n - 5),
        },
        schema_overrides={"franchise_hint": pl.Int64},
    )
    typed = {"rating": pl.Float64, "anime_id": pl.Int32}
    ratings = index_ratings(frame.cast(typed))
    facts = ItemFacts(catalogue, cold_since=0)
    trained = train_model(ratings, Hyperparameters(), facts=facts, second_stage=False)
    return trained.in_memory_model()


def features_of(
    model: Model, listed: UserList, candidates: Sequence[int] | None = None
) -> tuple[Int64Array, Float64Array]:
    assert model.content_features is not None
    profile = fold_in(model, listed)
    affinity = score_affinity(model, profile)
    at = top_items(affinity.value, candidate_mask(model, profile), 300)
    if candidates is not None:
        at = np.array(candidates, np.int64)
    prediction = predict_scores(model, profile, affinity)
    found = compute_features(model, model.content_features, profile, affinity, prediction, at)
    return at, found


def column(features: Float64Array, name: str) -> Float64Array:
    return features[:, COLUMNS.index(name)]


@pytest.mark.parametrize("length", [3, 15, 100])
def test_terms_are_those_that_the_affinity_adds_up(
    model: Model, frame: pl.DataFrame, length: int
) -> None:
    listed = list_of(frame.head(4 * length), int(frame["user_id"][0]))
    at, features = features_of(model, listed)
    affinity = score_affinity(model, fold_in(model, listed))
    terms = affinity_contributions(affinity, at)
    assert column(features, "positive_sum") == pytest.approx(np.maximum(terms, 0).sum(axis=1))
    assert column(features, "negative_sum") == pytest.approx(np.minimum(terms, 0).sum(axis=1))
    assert column(features, "largest_term") == pytest.approx(np.maximum(terms.max(axis=1), 0))
    largest = np.maximum(np.sort(terms, axis=1)[:, -3:], 0).sum(axis=1)
    assert column(features, "three_largest_terms") == pytest.approx(largest)
    whole = column(features, "full_sum") + column(features, "short_sum")
    assert whole + column(features, "affinity_prior") == pytest.approx(affinity.value[at])
    group = model.content_features.franchises.franchise_id  # type: ignore[union-attr]
    same = (group[affinity.input_position] == group[at][:, None]) & (group[at] >= 0)[:, None]
    of_others = np.where(same, 0.0, terms).sum(axis=1)
    assert column(features, "other_franchises_sum") == pytest.approx(of_others)


def test_places_among_all_that_is_not_listed(model: Model, frame: pl.DataFrame) -> None:
    at, features = features_of(model, list_of(frame, 5))
    assert column(features, "affinity_rank").tolist() == list(range(len(at)))
    _, some = features_of(model, list_of(frame, 5), at[7:9].tolist())
    assert np.array_equal(some, features[7:9], equal_nan=True)  # whatever else is wanted


def test_a_series_is_seen_in_its_order(model: Model, ids: list[int]) -> None:
    entries = [
        (ids[0], 9.0, WatchStatus.COMPLETED),
        (ids[1], None, WatchStatus.DROPPED),
        (ids[2], None, WatchStatus.PLAN_TO_WATCH),
        *((ids[at], 7.0, WatchStatus.COMPLETED) for at in range(10, 16)),
    ]
    _, features = features_of(model, UserList.from_entries(entries), [3, 4, 20])  # type: ignore[arg-type]
    expected = {
        "franchise_seen": [2, 2, 0],
        "franchise_scored": [1, 1, 0],
        "franchise_dropped": [1, 1, 0],
        "franchise_planned": [1, 1, 0],
        "franchise_seen_before": [2, 2, 0],
        "franchise_unseen_before": [0, 1, 0],
        "franchise_seen_after": [0, 0, 0],
        "franchise_seen_share": [0.5, 0.5, 0],
        "franchise_size": [4, 4, 0],
        "has_prequel": [1, 1, 0],
        "is_extra": [0, 0, 0],
    }
    for name, values in expected.items():
        assert column(features, name).tolist() == values, name
    best = column(features, "franchise_best_residual")
    assert best[0] == best[1]
    assert np.isnan(best[2])  # nothing is known of a series of which nothing was seen
    lists = model.log_lists
    assert column(features, "lists_over_last_seen")[0] == lists[3] - lists[1]
    # The third is an extra: what continues it continues the second, which was dropped.
    assert column(features, "prequel_state")[0] == kernels.DROPPED
    assert column(features, "prequel_state")[1] == kernels.NOT_LISTED


def test_words_are_liked_as_they_are_scored(model: Model, ids: list[int]) -> None:
    comedies = [(ids[at], 10.0, WatchStatus.COMPLETED) for at in range(11, 31, 2)]
    dramas = [(ids[at], 5.0, WatchStatus.COMPLETED) for at in range(10, 30, 2)]
    _, features = features_of(model, UserList.from_entries([*comedies, *dramas]), [40, 41])  # type: ignore[list-item]
    liking = column(features, "genres_liking")
    assert liking[1] > liking[0]
    _, one_kind = features_of(model, UserList.from_entries(comedies), [40, 41])  # type: ignore[arg-type]
    share = column(one_kind, "genres_share")
    assert share[1] > share[0]


def test_what_the_catalogue_does_not_say_is_unknown_not_zero(
    model: Model, frame: pl.DataFrame
) -> None:
    user = next(
        user
        for user in frame["user_id"].unique(maintain_order=True)
        if len(model) - 1 not in fold_in(model, list_of(frame, user)).known_entries.position
    )
    _, features = features_of(model, list_of(frame, user), [len(model) - 1])
    for name in (
        *("genres_liking", "genres_share", "tags_share", "studios_liking", "source_share"),
        *("type_share", "media_type", "log_episodes", "log_members", "franchise_mean_residual"),
    ):
        assert np.isnan(column(features, name)[0]), name


def test_an_unscored_list_has_no_mean(model: Model, ids: list[int]) -> None:
    listed = UserList.from_entries([(number, None, WatchStatus.COMPLETED) for number in ids[:8]])
    _, features = features_of(model, listed)
    for name in ("mean_score", "score_spread", "high_share", "score_over_mean"):
        assert np.isnan(column(features, name)).all(), name
    assert (column(features, "unscored_share") == 1).all()
