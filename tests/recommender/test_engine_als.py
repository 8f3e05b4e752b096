"""The ALS engine against the package that fits it, and what it adds up to."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from app.recommender import (
    EngineName,
    Model,
    RecommendOptions,
    SortOrder,
    UserList,
    WatchStatus,
    recommend,
)
from app.recommender.artifact import ArtifactError
from app.recommender.engines.als import AlsEngine, InteractionStrengths
from app.recommender.rank import little_known_mask
from app.recommender.recommend import score_items
from app.recommender.user_list import EntryActivity, KnownEntries
from model_build.artifact.metrics import MODEL_CARD_FILE, render_model_card
from model_build.engines.base import FittedEngine, add_engine

ANIME = 40
STATUSES = (0, 1, 2, 3, 4, 6)
STRENGTHS = asdict(InteractionStrengths())


def engine(factors: int, regularization: float, seed: int) -> AlsEngine:
    rng = np.random.default_rng(seed)
    factor = (0.3 * rng.standard_normal((ANIME, factors))).astype(np.float32)
    exact = factor.astype(np.float64)
    return AlsEngine(
        factor, exact.T @ exact, regularization, 3.0, InteractionStrengths(), np.ones(ANIME, bool)
    )


def known(status: dict[int, int], favourites: set[int]) -> KnownEntries:
    position = np.array(sorted(status), np.int64)
    return KnownEntries(
        position,
        np.zeros(len(position)),
        np.array([status[at] for at in position.tolist()], np.int8),
        np.isin(position, list(favourites)),
    )


@settings(deadline=None)  # the library's threads wait for one another on a busy machine
@given(
    st.dictionaries(st.integers(0, ANIME - 1), st.sampled_from(STATUSES), min_size=1),
    st.sets(st.integers(0, ANIME - 1)),
    st.sampled_from((1, 5, 20)),
    st.sampled_from((0.001, 0.1, 10.0)),
    st.integers(0, 9),
)
def test_a_fan_is_folded_in_as_the_library_does(
    status: dict[int, int], favourites: set[int], factors: int, regularization: float, seed: int
) -> None:
    als, listed = engine(factors, regularization, seed), known(status, favourites)
    strength = als.strengths.for_entries(listed.status, listed.favourite)
    entries = csr_matrix((strength, listed.position, [0, len(strength)]), shape=(1, ANIME))
    with threadpool_limits(1, "blas"):
        library = AlternatingLeastSquares(
            factors=factors, regularization=regularization, alpha=als.alpha, dtype=np.float64
        )
        library.item_factors = als.item_factors.astype(np.float64)
        fan = np.asarray(library.recalculate_user(0, entries)).ravel()
    judged = als.score(listed)
    assert judged.match / 100 == pytest.approx(als.item_factors @ fan, abs=1e-4)
    everything = np.arange(ANIME)
    assert judged.contributions(everything).sum(axis=1) == pytest.approx(judged.match, abs=1e-6)


def test_without_regularization_what_is_left_open_stays_small() -> None:
    als = engine(20, 0.0, 0)
    flat = AlsEngine(
        np.zeros_like(als.item_factors), 0 * als.gram, 0.0, 1.0, als.strengths, als.known_items
    )
    assert not flat.score(known({3: 2}, set())).match.any()


def test_strengths_add_up() -> None:
    status = np.array([2, 1, 6, 3, 4, 0, 2], np.int8)
    favourite = np.array([0, 0, 0, 0, 0, 0, 1], bool)
    assert InteractionStrengths().for_entries(status, favourite).tolist() == [6, 4, 3, 2, 1, 6, 11]


def test_what_was_done_beside_a_status_adds_up() -> None:
    status, activity = (
        np.full(4, 2, np.int8),
        EntryActivity(
            np.array([1, 0, 1, 0], bool), np.array([0, 1, 1, 0], bool), np.array([0.0, 0, 0, 7])
        ),
    )
    strengths = InteractionStrengths(completed=6, commented=2, reviewed=3, time=0.5)
    assert strengths.for_entries(status, None, activity).tolist() == [8, 9, 11, 7.5]


def test_a_line_about_an_anime_draws_what_is_near_it() -> None:
    als, plain = engine(5, 0.1, 1), known({3: 2, 9: 2}, set())
    wrote = replace(
        plain, activity=EntryActivity(np.array([True, False]), np.zeros(2, bool), np.zeros(2))
    )
    # The preference for what it was written about grows towards 1.
    assert als.score(plain).match[3] < als.score(wrote).match[3] < 100


def test_a_match_is_from_0_to_100_and_the_order_is_the_engine_s(
    tiny_model: Path, tmp_path: Path
) -> None:
    n = len(Model.open(tiny_model))
    factor = np.random.default_rng(1).standard_normal((n, 8)).astype(np.float32)
    factor[10:13] = 2 * factor[:3]  # twice what the list is worth
    numbers = {"regularization": 0.1, "alpha": 15.0, **STRENGTHS}
    add_engine(tiny_model, "als", FittedEngine({"item_factors": factor}, numbers), tmp_path / "m")
    model = Model.open(tmp_path / "m")
    listed = UserList.from_entries([(int(number), None, 2) for number in model.anime_id[:3]])
    options = RecommendOptions(engine=EngineName.ALS, top_n=n)
    scores = score_items(model, listed, options)
    assert scores.engine_scores is not None
    own = dict(zip(model.anime_id.tolist(), scores.engine_scores.match.tolist(), strict=True))
    found = recommend(model, listed, options).recommendations
    kept = [own[item.anime_id] for item in found]
    assert kept == sorted(kept, reverse=True)
    assert kept[0] > 100
    assert kept[-1] < 0
    for item in found:
        assert item.match == min(100, max(0, own[item.anime_id]))
        assert str(item.match) != "-0.0"
        assert item.moved_by == 0
        explained = sum(each.weight for each in item.contributions) + item.residual
        assert explained == pytest.approx(item.match, abs=1e-6)


@pytest.fixture
def with_als(tiny_model: Path, tmp_path: Path) -> Model:
    """The tiny model with ALS for the second half of its anime."""
    n = len(Model.open(tiny_model))
    factor = np.random.default_rng(1).standard_normal((n, 8)).astype(np.float32)
    factor[: n // 2] = 0
    fitted = FittedEngine(
        {"item_factors": factor}, {"regularization": 0.1, "alpha": 15.0, **STRENGTHS}
    )
    add_engine(tiny_model, "als", fitted, tmp_path / "with")
    return Model.open(tmp_path / "with")


def test_the_card_is_of_the_model_with_the_engine(with_als: Model) -> None:
    found = with_als.manifest
    about = (found.version, found.dataset, found.counts, found.hyperparameters, found.metrics)
    card = with_als.catalogue_path.with_name(MODEL_CARD_FILE).read_text("utf-8")
    assert card == render_model_card(*about)
    assert "als_alpha" in card


@pytest.mark.parametrize("order", SortOrder)
def test_an_answer_of_the_engine(with_als: Model, order: SortOrder) -> None:
    n = len(with_als)
    ids = with_als.anime_id.tolist()
    listed = UserList.from_entries(
        [(ids[-1], 9.0, WatchStatus.COMPLETED), (ids[0], None, WatchStatus.DROPPED)]
    )
    answer = recommend(
        with_als, listed, RecommendOptions(top_n=n, sort_order=order, engine=EngineName.ALS)
    )
    shown = [item.anime_id for item in answer.recommendations]
    assert answer.engine is EngineName.ALS
    possible = ids[n // 2 : -1]
    if order is SortOrder.DISCOVER:  # what hardly anybody lists is no gem
        little_known = set(with_als.anime_id[little_known_mask(with_als, None)].tolist())
        possible = [each for each in possible if each in little_known]
    assert set(shown) == set(possible)
    for item in answer.recommendations:
        weights = sum(reason.weight for reason in item.contributions) + item.residual
        assert weights == pytest.approx(getattr(item, answer.explained_target), abs=1e-6)
        assert 1 <= item.predicted_score <= 10
    if order is SortOrder.MATCH:
        matches = [item.match for item in answer.recommendations]
        assert matches == sorted(matches, reverse=True)


def test_an_engine_changes_nothing_else(with_als: Model, tiny_model: Path) -> None:
    before, listed = (
        Model.open(tiny_model),
        UserList.from_entries([(1, 9.0, WatchStatus.COMPLETED)]),
    )
    assert before.engines == {}
    assert set(with_als.engines) == {"als"}
    assert with_als.version != before.version
    assert recommend(with_als, listed).recommendations == recommend(before, listed).recommendations


def test_an_empty_list_gets_general_picks(with_als: Model) -> None:
    answer = recommend(with_als, UserList.from_entries([]), RecommendOptions(engine=EngineName.ALS))
    assert not answer.is_personalized
    assert answer.recommendations == recommend(with_als, UserList.from_entries([])).recommendations


@pytest.mark.parametrize(
    ("factor", "fault"),
    [
        (np.zeros((3, 8), np.float32), "als_item_factors.npy: float32(3, 8); expected float32("),
        (np.zeros(3, np.float32), "als_item_factors.npy: float32(3,)"),
        (None, "als_item_factors.npy: holds values that are not finite"),
    ],
)
def test_factors_that_do_not_fit_are_refused(
    tiny_model: Path, tmp_path: Path, factor: np.ndarray | None, fault: str
) -> None:
    if factor is None:
        factor = np.full((len(Model.open(tiny_model)), 2), np.nan, np.float32)
    fitted = FittedEngine(
        {"item_factors": factor}, {"regularization": 0.1, "alpha": 15.0, **STRENGTHS}
    )
    with pytest.raises(ArtifactError) as refused:
        add_engine(tiny_model, "als", fitted, tmp_path / "with")
    assert fault in str(refused.value)
    assert not (tmp_path / "with").exists()
