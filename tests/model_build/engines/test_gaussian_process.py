"""The Gaussian process over embeddings: training against serving, and lists as batches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from app.recommender.engines import gaussian_process as served
from app.recommender.engines.gaussian_process import GaussianProcessEngine
from app.recommender.engines.heads import sigmoid
from app.recommender.user_list import KnownEntries
from model_build.data.ratings import Ratings, index_ratings
from model_build.engines import gaussian_process as kernel
from model_build.engines.gaussian_process import (
    MAX_ENTRIES,
    DeepKernelNetwork,
    LeaveOneOutMean,
    RatedList,
    padded_batches,
    rated_lists,
)
from model_build.engines.network_training import NetworkSettings
from model_build.engines.training_pairs import TrainingPairs, build_training_pairs, svd_init
from model_build.util.errors import InputError
from tests.model_build.worlds import random_frame

SMALL = NetworkSettings(
    size=6, batch=256, rate=0.01, epochs=2, look_every=1, validation=5, dropout=0.5
)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def ratings() -> Ratings:
    return index_ratings(random_frame(4, 60, 30, 0.5))


@pytest.fixture(scope="module")
def pairs(ratings: Ratings) -> TrainingPairs:
    return build_training_pairs(ratings, n_validation=5, seed=0)


@pytest.fixture(scope="module")
def network(pairs: TrainingPairs) -> DeepKernelNetwork:
    """One in which everything is somewhere else than at its start."""
    torch.manual_seed(1)
    network = DeepKernelNetwork(pairs, SMALL)
    with torch.no_grad():
        for value in network.parameters():
            value += 0.2 * torch.randn_like(value)
    return network


@pytest.fixture(scope="module")
def engine(network: DeepKernelNetwork, pairs: TrainingPairs) -> GaussianProcessEngine:
    return network.export_engine(pairs)


def known_of(pairs: TrainingPairs, fan: RatedList) -> KnownEntries:
    """The list as a visitor would bring it."""
    order = np.argsort(fan.item)
    at, many = fan.item[order], len(fan)
    score = pairs.baseline.global_mean + pairs.baseline.item_bias[at] + fan.centered_score[order]
    return KnownEntries(at, score, np.full(many, 2, np.int8), np.zeros(many, bool))


def without(known: KnownEntries, place: int) -> KnownEntries:
    parts = (known.position, known.score, known.status, known.favourite)
    return KnownEntries(*(np.delete(part, place) for part in parts))


def test_numpy_tells_what_pytorch_tells(
    network: DeepKernelNetwork, engine: GaussianProcessEngine, pairs: TrainingPairs
) -> None:
    """PyTorch leaves every score out by one inverse; numpy folds in the list without it."""
    lists = rated_lists(pairs)[:12]
    told = {}
    for batch in padded_batches(lists, np.random.default_rng(0), CPU, 10_000, 0.0):
        with torch.no_grad():
            above, logit = network(batch)
        for row, at in zip(*np.nonzero(batch.mask.numpy()), strict=True):
            key = (frozenset(batch.item[row, batch.mask[row]].tolist()), int(batch.item[row, at]))
            told[key] = (float(above[row, at]), float(logit[row, at]))
    for fan in lists:
        known = known_of(pairs, fan)
        for place, position in enumerate(known.position.tolist()):
            above, logit = told[frozenset(known.position.tolist()), position]
            rest, at = without(known, place), np.array([position])
            expected = pairs.baseline.global_mean + pairs.baseline.item_bias[position]
            score = engine.predict_scores_at(rest, at)
            assert score - expected == pytest.approx(above, abs=1e-5)
            assert engine.like_logit(score, at) == pytest.approx(logit, abs=2e-5)
            judged = engine.score(rest)
            assert judged.predicted_score is not None
            assert judged.predicted_score[position] == pytest.approx(score[0], abs=1e-5)
            assert judged.match[position] == pytest.approx(100 * sigmoid(np.array(logit)), abs=1e-3)


def test_leaving_out_has_the_slopes_that_it_says() -> None:
    torch.manual_seed(0)
    root = torch.randn(2, 5, 5, dtype=torch.double, requires_grad=True)
    observed = torch.randn(2, 5, dtype=torch.double, requires_grad=True)

    def foretold(root: torch.Tensor, observed: torch.Tensor) -> torch.Tensor:
        system = root @ root.transpose(1, 2) + torch.eye(5, dtype=torch.double)
        return LeaveOneOutMean.apply(system, observed)  # type: ignore[no-any-return, no-untyped-call]

    assert torch.autograd.gradcheck(foretold, (root, observed))


def test_a_system_without_an_inverse_foretells_nothing() -> None:
    systems = torch.stack([torch.eye(3), -torch.eye(3)])
    told = LeaveOneOutMean.apply(systems, torch.ones(2, 3))  # type: ignore[no-untyped-call]
    assert told[0].tolist() == [0, 0, 0]
    assert torch.isnan(told[1]).all()


def test_reasons_are_what_the_list_adds(
    engine: GaussianProcessEngine, pairs: TrainingPairs
) -> None:
    for fan in rated_lists(pairs)[:8]:
        known = known_of(pairs, fan)
        judged, nothing = engine.score(known), engine.score(without(known, slice(None)))  # type: ignore[arg-type]
        wanted = np.setdiff1d(np.arange(len(pairs.is_trained_item)), known.position)
        added = judged.contributions(wanted).sum(axis=1)
        assert added == pytest.approx((judged.match - nothing.match)[wanted], abs=1e-3)


def test_what_is_as_expected_adds_nothing_and_more_adds_in_proportion(
    engine: GaussianProcessEngine, pairs: TrainingPairs
) -> None:
    known = known_of(pairs, rated_lists(pairs)[0])
    expected = engine.global_mean + engine.item_bias
    zero = expected[known.position]
    off = known.score - zero
    above = [
        engine.posterior_mean(engine.fold_in(replace(known, score=zero + times * off)))
        for times in (0, 1, 2)
    ]
    assert above[0] == pytest.approx(np.zeros(len(expected)), abs=1e-9)
    assert above[2] == pytest.approx(2 * above[1], abs=1e-4)


def test_what_is_planned_unscored_or_unknown_is_not_folded_in(
    engine: GaussianProcessEngine, pairs: TrainingPairs
) -> None:
    trained = pairs.is_trained_item.copy()
    trained[3] = False
    engine = replace(engine, known_items=trained)
    known = KnownEntries(
        np.array([0, 1, 2, 3]), np.array([8.0, 0, 7, 9]), np.array([2, 2, 6, 2], np.int8), NONE
    )
    assert engine.fold_in(known).entry_index.tolist() == [0]


NONE = np.zeros(4, bool)


def test_of_a_long_list_the_most_telling_entries_are_folded_in(
    engine: GaussianProcessEngine, pairs: TrainingPairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "MAX_ENTRIES", 5)
    known = known_of(pairs, max(rated_lists(pairs), key=len))
    told = engine.fold_in(known).entry_index
    telling = (engine.scale**2 / engine.noise_variance)[known.position]
    assert len(told) == 5 < len(known.position)
    assert sorted(telling[told]) == sorted(telling)[-5:]
    assert (np.diff(told) > 0).all()


def test_every_list_is_in_one_batch_cut_and_padded(pairs: TrainingPairs) -> None:
    rng = np.random.default_rng(0)
    lists = rated_lists(pairs)
    many = MAX_ENTRIES + 40
    rows = np.arange(many) % len(pairs.is_trained_item)
    lists.append(RatedList(rows, np.ones(many, np.float32), np.ones(many, np.float32)))
    lengths = []
    for batch in padded_batches(lists, rng, CPU, 600, 0.5):
        assert batch.item.numel() <= 600
        assert not batch.centered_score[~batch.mask].any()
        lengths += batch.mask.sum(dim=1).tolist()
    assert len(lengths) == len(lists)
    assert max(lengths) <= MAX_ENTRIES
    whole = sum(len(fan) for fan in lists)
    assert 0.5 * (whole - 40) <= sum(lengths) + 40 < whole


def test_a_list_of_which_nothing_is_left_out_stays_as_it_is(pairs: TrainingPairs) -> None:
    lists = rated_lists(pairs)
    seen = {
        frozenset(
            zip(
                batch.item[row, there].tolist(),
                batch.centered_score[row, there].tolist(),
                strict=True,
            )
        )
        for batch in padded_batches(lists, np.random.default_rng(0), CPU, 600, 0.0)
        for row, there in enumerate(batch.mask)
    }
    assert seen == {
        frozenset(zip(fan.item.tolist(), fan.centered_score.tolist(), strict=True)) for fan in lists
    }


def test_a_rate_that_breaks_it_is_said(ratings: Ratings) -> None:
    with pytest.raises(InputError, match=r"kernel: the loss of epoch 1 .* smaller learning rate"):
        kernel.fit(ratings, ratings.anime_ids, replace(SMALL, rate=1e30))


def test_embeddings_start_where_those_of_the_same_fans_are_alike(pairs: TrainingPairs) -> None:
    """Some fans score one half of the anime, more the other."""
    fan = np.repeat(np.arange(20), 10)
    item = np.concatenate([np.arange(10) + 10 * (at % 3 == 0) for at in range(20)])
    halves = replace(
        pairs,
        user=fan,
        item=item,
        user_bias=np.zeros(20, np.float32),
        is_trained_item=np.ones(20, bool),
    )
    start = svd_init(halves, np.ones(200, np.float32), 2, seed=0)
    start /= np.linalg.norm(start, axis=1, keepdims=True)
    block = np.kron(np.eye(2), np.ones((10, 10)))
    assert start @ start.T == pytest.approx(block, abs=1e-5)
    again = svd_init(halves, np.ones(200, np.float32), 2, seed=0)
    again /= np.linalg.norm(again, axis=1, keepdims=True)
    assert np.array_equal(start, again)


def test_there_are_no_more_directions_than_the_data_has(pairs: TrainingPairs) -> None:
    found = svd_init(pairs, pairs.residual, 100, seed=0)
    assert found[:, :29].any(axis=0).all()
    assert not found[:, 29:].any()
    assert not svd_init(pairs, np.zeros_like(pairs.residual), 4, seed=0).any()
