"""Every model that predicts or ranks, through one suite on one small world whose tastes are known.

Half of the users love the even anime and half the odd ones; they list more of what they love, and
score it higher. Each model is fitted once a session and asked as a `Ranker`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from surprise import Dataset, Reader, Trainset

from app.recommender import EngineName, Model, SortOrder, UserList
from app.recommender.array_types import Float64Array
from app.recommender.artifact import DatasetInfo, write_artifact
from app.recommender.engines.base import EngineBiases
from app.recommender.user_list import KnownEntries
from model_build.data.catalogue import encode_catalogue
from model_build.data.grouping import group_scores
from model_build.data.holdout import HoldoutUser, entries_of_rows
from model_build.data.interactions import Interactions
from model_build.data.ratings import Ratings, index_ratings
from model_build.engines import als
from model_build.engines.als import AlsSettings, als_engine, weighted_user_items
from model_build.engines.base import FittedEngine, add_engine
from model_build.engines.gaussian_process import single_torch_thread
from model_build.engines.registry import NEURAL_ENGINES, engine_in_memory, network_trainer
from model_build.evaluate.hakken_model import HakkenModel
from model_build.evaluate.metrics import roc_auc, summary
from model_build.evaluate.ranking import (
    EvaluationItems,
    RankedItems,
    Ranker,
    engine_ranker,
    model_ranker,
    rank_users,
    unlisted_item_ranker,
)
from model_build.evaluate.reference_models import REFERENCE_MODELS, fit_knn_baseline
from model_build.evaluate.surprise_estimator import HakkenKNNBaseline
from model_build.train.bias_model import fit_bias_model
from model_build.train.driver import train_model
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.item_facts import ItemFacts
from model_build.train.serving_parameters import default_parameters

N_ANIME, N_TRAINED, N_HELD = 48, 200, 40
NOISE, MEAN, USER_STD, TASTE = 0.5, 6.0, 0.5, 1.5
LOVED_SHARE, OTHER_SHARE = 0.7, 0.3
IDS = np.arange(10, 10 * N_ANIME + 10, 10, dtype=np.int32)
EVEN = np.arange(N_ANIME) % 2 == 0
UNKNOWN_ID = 999_983
ENGINES = ("als", *NEURAL_ENGINES)
ALS = AlsSettings(factors=2, iterations=60, alpha=2.0, regularization=5.0)


def entries_of(rng: np.random.Generator, user: int) -> pl.DataFrame:
    """One user's list: MEAN + b_u +- TASTE, with noise; users of even number love even anime."""
    loves = (user % 2 == 0) == EVEN
    listed = np.flatnonzero(rng.random(N_ANIME) < np.where(loves, LOVED_SHARE, OTHER_SHARE))
    score = MEAN + rng.normal(0, USER_STD) + np.where(loves, TASTE, -TASTE)[listed]
    return pl.DataFrame(
        {
            "user_id": np.full(len(listed), user),
            "anime_id": IDS[listed],
            "rating": np.clip(score + rng.normal(0, NOISE, len(listed)), 1, 10),
            "status": np.full(len(listed), 2, np.int8),
        }
    )


@cache
def training() -> Ratings:
    rng = np.random.default_rng(0)
    found = index_ratings(pl.concat([entries_of(rng, user) for user in range(N_TRAINED)]))
    assert found.anime_ids.tolist() == IDS.tolist()
    return found


@cache
def held_users() -> tuple[HoldoutUser, ...]:
    """Users that nobody was trained on, with a third of their lists hidden."""
    rng = np.random.default_rng(1)
    users = []
    for number in range(N_HELD):
        own = entries_of(rng, number)
        ids, scores, status = (own[name].to_numpy() for name in ("anime_id", "rating", "status"))
        hidden = rng.random(len(ids)) < 1 / 3
        listed = UserList(ids[~hidden].astype(np.int64), scores[~hidden], status[~hidden])
        users.append(HoldoutUser(listed, ids[hidden].astype(np.int64), scores[hidden]))
    return tuple(users)


@cache
def items() -> EvaluationItems:
    count = np.bincount(training().item).astype(np.int32)
    return EvaluationItems.from_catalogue(IDS, np.full(N_ANIME, -1), count, N_TRAINED)


@cache
def hakken() -> HakkenModel:
    return HakkenModel(training())


@cache
def fitted_engine(name: str) -> FittedEngine:
    if name == "als":
        return als.fit(Interactions.from_ratings(training()), IDS, ALS)
    fit, defaults = network_trainer(name)
    small = replace(defaults, size=6, validation=8, device="cpu", batch=512)
    if name == "kernel":
        return fit(training(), IDS, replace(small, epochs=6, rate=0.01))
    settings = replace(small, epochs=40, look_every=20, rate=0.02, dropout=0.1)
    with single_torch_thread():
        return fit(training(), IDS, settings)


def engine(name: str) -> Ranker:
    fitted = fitted_engine(name)
    if name == "als":
        return engine_ranker(als_engine(fitted.arrays["item_factors"], ALS), IDS)
    return engine_ranker(engine_in_memory(name, fitted, N_ANIME), IDS)


def bias_model() -> Ranker:
    """mu + b_u + b_i, which knows no tastes; b_u in closed form."""
    fitted = fit_bias_model(group_scores(training()))

    def score(listed: UserList) -> Float64Array:
        at = np.flatnonzero(np.isin(IDS, listed.anime_id))
        given = dict(zip(listed.anime_id.tolist(), listed.score.tolist(), strict=True))
        scores = np.array([given[anime] for anime in IDS[at].tolist()])
        user_bias = (scores - fitted.mean - fitted.item_bias[at]).sum() / (15 + len(at))
        return np.asarray(fitted.mean + user_bias + fitted.item_bias)

    return unlisted_item_ranker(IDS, score, predicts_ratings=True)


def training_rows() -> list[tuple[str, int, float, None]]:
    ratings = training()
    rows = zip(ratings.user.tolist(), IDS[ratings.item].tolist(), ratings.rating, strict=True)
    return [(str(user), anime, float(score), None) for user, anime, score in rows]


def surprise_dataset(rows: list[tuple[str, int, float, None]]) -> Trainset:
    return Dataset(Reader(rating_scale=(1, 10))).construct_trainset(rows)


def surprise_estimator() -> Ranker:
    """The Surprise-compatible estimator, which cannot fold in: fitted to the list as well."""

    def score(listed: UserList) -> Float64Array:
        entries = zip(listed.anime_id.tolist(), listed.score.tolist(), strict=True)
        own = [("visitor", anime, score, None) for anime, score in sorted(entries) if anime in IDS]
        model = HakkenKNNBaseline().fit(surprise_dataset([*training_rows(), *own]))
        return np.array([model.predict("visitor", int(anime), clip=False).est for anime in IDS])

    return unlisted_item_ranker(IDS, score, predicts_ratings=True)


ESTIMATORS: dict[str, Callable[[], Ranker]] = {
    **{
        f"reference {name}": lambda fit=reference.fits[0]: fit(training())  # type: ignore[misc]
        for name, reference in REFERENCE_MODELS.items()
    },
    **{
        f"hakken {order}": lambda order=order: hakken().ranker(order)  # type: ignore[misc]
        for order in SortOrder
    },
    **{f"engine {name}": partial(engine, name) for name in ENGINES},
    "bias model": bias_model,
    "surprise estimator": surprise_estimator,
}
WITHOUT_TASTE = ("reference popularity", "bias model")
WITHOUT_SCORES = (
    *(f"reference {name}" for name in ("similarity-sum", "cosine", "als", "ease")),
    "engine als",
)
"""To these a list of what is loved and what is not is the same as one of what is loved."""
EVERY = pytest.mark.parametrize("name", ESTIMATORS)
WITH_TASTE = pytest.mark.parametrize(
    "name", [name for name in ESTIMATORS if name not in WITHOUT_TASTE]
)


@cache
def estimator(name: str) -> Ranker:
    return ESTIMATORS[name]()


@cache
def measured(name: str) -> dict[str, float | int]:
    users = held_users()[:6] if name == "surprise estimator" else held_users()
    return summary(rank_users(estimator(name), items(), users), items())


def visitor(*, loves_even: bool) -> UserList:
    """Four anime of either kind: one kind scored 9, the other 4."""
    return UserList.from_entries(
        [(int(IDS[at]), 9.0 if EVEN[at] == loves_even else 4.0, 2) for at in range(8)]
    )


def loved_part(listed: UserList) -> UserList:
    loved = listed.score > 5
    return UserList(listed.anime_id[loved], listed.score[loved], listed.status[loved])


def assert_same(one: RankedItems, other: RankedItems, tolerance: float = 1e-9) -> None:
    assert one.is_candidate.tolist() == other.is_candidate.tolist()
    assert one.sort_key == pytest.approx(other.sort_key, abs=tolerance)
    assert (one.predicted_score is None) == (other.predicted_score is None)
    if one.predicted_score is not None and other.predicted_score is not None:
        at = np.arange(len(one.sort_key))
        assert one.predicted_score(at) == pytest.approx(other.predicted_score(at), abs=tolerance)


@WITH_TASTE
@pytest.mark.parametrize("loves_even", [True, False])
def test_two_tastes_are_told_apart(name: str, loves_even: bool) -> None:
    """From four anime that are loved, and where scores count from four that are not as well."""
    listed = visitor(loves_even=loves_even)
    asked = [loved_part(listed)] if name in WITHOUT_SCORES else [loved_part(listed), listed]
    for each in asked:
        ranked = estimator(name)(each)
        left = ranked.is_candidate
        assert left.sum() == N_ANIME - len(each.anime_id)
        assert roc_auc(ranked.sort_key[left], (loves_even == EVEN)[left]) > 0.9


@EVERY
def test_rankings_are_as_good_as_the_tastes_allow(name: str) -> None:
    gain = measured(name)["ndcg@10"]
    assert gain < 0.3 if name in WITHOUT_TASTE else gain > 0.35


@EVERY
def test_scores_are_off_by_little_more_than_the_noise(name: str) -> None:
    error = measured(name)["rmse"]
    if np.isnan(error):
        assert name in (*WITHOUT_SCORES, "reference popularity", "reference ease-weighted")
        return
    assert error > 0.8 * NOISE
    assert error > TASTE * 0.8 if name in WITHOUT_TASTE else error < 2 * NOISE


@EVERY
def test_a_list_in_another_order_and_with_repeats_is_the_same_list(name: str) -> None:
    listed = visitor(loves_even=True)
    rows = list(zip(listed.anime_id.tolist(), listed.score.tolist(), [2] * 8, strict=True))
    repeated = UserList.from_entries([(rows[3][0], 1.0, 4), *rows[::-1]])
    assert_same(estimator(name)(listed), estimator(name)(repeated), 1e-5)


@EVERY
def test_equal_scores_are_ranked_by_id_and_nothing_breaks(name: str) -> None:
    """A list on which everything has the same score; what ties is the same at every call."""
    same = UserList.from_entries([(int(anime), 7.0, 2) for anime in IDS[:8]])
    one, again = estimator(name)(same), estimator(name)(same)
    assert_same(one, again, 0)
    assert np.isfinite(one.sort_key).all()


@EVERY
@pytest.mark.parametrize("entries", [[], [(UNKNOWN_ID, 9.0, 2)]])
def test_of_an_empty_or_unknown_list_everything_is_scored(
    name: str, entries: list[tuple[int, float | None, int]]
) -> None:
    ranked = estimator(name)(UserList.from_entries(entries))
    assert ranked.sort_key.shape == (N_ANIME,)
    assert np.isfinite(ranked.sort_key).all()
    assert ranked.is_candidate.all()
    if ranked.predicted_score is not None:
        predicted = ranked.predicted_score(np.arange(N_ANIME))
        assert ((predicted > 0) & (predicted < 11)).all()


@EVERY
def test_unknown_anime_on_a_list_change_nothing(name: str) -> None:
    listed = visitor(loves_even=True)
    more = UserList(
        np.append(listed.anime_id, UNKNOWN_ID),
        np.append(listed.score, 10.0),
        np.append(listed.status, 2).astype(np.int8),
    )
    assert_same(estimator(name)(listed), estimator(name)(more), 1e-5)


def write_hakken(folder: Path) -> Path:
    trained = train_model(training(), Hyperparameters())
    write_artifact(
        folder,
        version="test",
        created="2026-01-01T00:00:00+00:00",
        dataset=DatasetInfo(name="test", fingerprint=""),
        counts=trained.counts,
        hyperparameters=trained.hyperparameters,
        metrics={},
        arrays=trained.arrays,
        serving_parameters=default_parameters(),
        catalogue=encode_catalogue(None, training().anime_ids),
    )
    return folder


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    """Hakken in every order, and each engine added to it: as in memory."""
    path = write_hakken(tmp_path / "hakken")
    listed = visitor(loves_even=False)
    for name in ENGINES:
        add_engine(path, name, fitted_engine(name), tmp_path / name)
        path = tmp_path / name
    model = Model.open(path)
    for order in SortOrder:
        assert_same(model_ranker(model, order)(listed), estimator(f"hakken {order}")(listed))
    for name in ENGINES:
        served = model_ranker(model, engine=EngineName(name))(listed)
        alone = estimator(f"engine {name}")(listed)
        assert served.sort_key == pytest.approx(alone.sort_key)
        assert served.is_candidate.tolist() == alone.is_candidate.tolist()


def known_of(ratings: Ratings, user: int) -> KnownEntries:
    return entries_of_rows(ratings, np.flatnonzero(ratings.user == user))


def test_folding_in_gives_the_biases_of_the_fit() -> None:
    """The users' biases are fitted last, so a list folded in has the very same."""
    fitted = fit_bias_model(group_scores(training()))
    served = EngineBiases(fitted.mean, fitted.item_bias, 15.0)
    for user in range(0, N_TRAINED, 40):
        found = served.user_residuals(known_of(training(), user))[2]
        assert found == pytest.approx(fitted.user_bias[user], abs=1e-9)


def test_folding_in_gives_the_predictions_of_a_user_trained_on() -> None:
    """KNN with baseline rests on the list alone, once similarities are there."""
    data = surprise_dataset(training_rows())
    trained = HakkenKNNBaseline().fit(data)
    rank = fit_knn_baseline(training())
    for user in (0, 1, 7):
        rows = np.flatnonzero(training().user == user)
        ids = training().anime_ids[training().item[rows]]
        listed = UserList(ids.astype(np.int64), training().rating[rows], training().status[rows])
        left = np.setdiff1d(IDS, ids)
        alone = [trained.predict(str(user), int(anime), clip=False).est for anime in left]
        assert rank(listed).sort_key[np.isin(IDS, left)] == pytest.approx(alone, abs=1e-5)


def test_folding_in_gives_the_factors_of_converged_als() -> None:
    """Users' factors are solved before the anime's, which have hardly moved since."""
    interactions = Interactions.from_ratings(training())
    user_factors: list[Float64Array] = []
    factors = als.fit_als_factors(
        weighted_user_items(interactions, ALS.strengths),
        ALS,
        on_iteration=lambda _i, _s, users, _items: user_factors.append(users.copy()),
    )
    served = als_engine(factors, ALS)
    for user in range(0, N_TRAINED, 40):
        found = served.user_embedding(known_of(training(), user))
        assert found == pytest.approx(user_factors[-1][user], abs=0.02)


def test_anime_that_nobody_has_seen_are_placed_by_their_genre() -> None:
    """Cold start: four anime are on no list, and each taste is a genre."""
    hidden = np.array([3, 12, 25, 34])
    kept = ~np.isin(training().item, hidden)
    ratings = replace(
        training(),
        **{
            name: getattr(training(), name)[kept]
            for name in ("user", "item", "rating", "status", "collected")
        },
    )
    catalogue = pl.DataFrame(
        {
            "anime_id": IDS,
            "title": [f"Anime {anime}" for anime in IDS],
            "type": ["TV"] * N_ANIME,
            "genres": np.where(EVEN, "Drama", "Comedy"),
        }
    )
    new = ItemFacts(catalogue, cold_ids=IDS[hidden])
    rank = model_ranker(train_model(ratings, Hyperparameters(), facts=new).in_memory_model())
    for loves_even in (True, False):
        ranked = rank(visitor(loves_even=loves_even))
        assert roc_auc(ranked.sort_key[hidden], (loves_even == EVEN)[hidden]) == 1.0
