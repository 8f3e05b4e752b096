"""How far a list is of one taste: against scipy's G-test, and on lists of the bundled model."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import power_divergence

from app.recommender import Model, UserList
from app.recommender.fold_in import fold_in
from app.recommender.reranking.content_features import ContentFeatures
from app.recommender.reranking.focus import N_WORDS, common_evidence, focus_weight
from app.settings import BUNDLED_MODEL_DIR

SPORTS = (20583, 170, 11771, 263, 22135)
MORE_SPORTS = (18689, 5941, 10800, 627, 5040, 18507, 30230)
BEST_KNOWN = (1535, 16498, 32281, 4224, 19815)


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.open(BUNDLED_MODEL_DIR)


@pytest.fixture(scope="module")
def items(model: Model) -> ContentFeatures:
    assert model.content_features is not None
    return model.content_features


def weight_of(
    model: Model, ids: tuple[int, ...], *, score: float = 9.0, is_partial: bool = True
) -> float:
    assert model.content_features is not None
    listed = UserList.from_entries([(anime, score, 2) for anime in ids], is_partial=is_partial)
    return focus_weight(model, model.content_features, fold_in(model, listed))


def test_the_evidence_is_that_of_g_tests_of_each_word(model: Model, items: ContentFeatures) -> None:
    positions = model.find_positions(np.array(SPORTS))
    n, found = len(positions), []
    for word, share in enumerate(items.word_shares.tolist()):
        count = sum(
            word in items.word_indices[items.word_indptr[at] : items.word_indptr[at + 1]]
            for at in positions
        )
        if count > n * share > 0:
            observed, expected = [count, n - count], [n * share, n * (1 - share)]
            found.append(power_divergence(observed, expected, lambda_="log-likelihood")[0] / 2)
    expected_sum = sum(sorted(found)[-N_WORDS:])
    assert common_evidence(items, positions) == pytest.approx(expected_sum, rel=1e-9)


def test_one_taste_is_told_from_what_everybody_has_seen(model: Model) -> None:
    assert weight_of(model, SPORTS) == 1.0
    assert weight_of(model, BEST_KNOWN) == 0.0
    assert 0.0 < weight_of(model, (*SPORTS[:2], *BEST_KNOWN[:2])) < 1.0
    # Of one or two titles nothing can be told.
    assert weight_of(model, BEST_KNOWN[:2]) == 1.0


def test_what_was_disliked_is_no_taste(model: Model) -> None:
    assert weight_of(model, SPORTS, score=3.0) == 0.0
    assert weight_of(model, SPORTS[:1], score=3.0) == 0.0


def test_longer_lists_count_less_and_whole_ones_before_partial_ones(model: Model) -> None:
    longer = (*SPORTS, *MORE_SPORTS)
    assert weight_of(model, SPORTS, is_partial=False) == 1.0
    assert weight_of(model, longer) == 1.0
    assert weight_of(model, longer, is_partial=False) < 1.0
    assert weight_of(model, tuple(model.anime_id[:40].tolist())) == 0.0


def test_a_model_may_have_none_of_it(model: Model) -> None:
    without = model.parameters.model_copy(update={"short_history_popularity": 0.0})
    assert weight_of(model.with_parameters(without), SPORTS) == 0.0
