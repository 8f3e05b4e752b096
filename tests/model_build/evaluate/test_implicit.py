"""What is hidden from whom, and the measures against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from app.recommender.engines.als import AlsEngine, InteractionStrengths
from app.recommender.user_list import KnownEntries
from model_build.data.holdout import HIDDEN_SHARE
from model_build.data.interactions import (
    MIN_INTERACTIONS,
    Interactions,
    MaskedInteractions,
    MaskedUsers,
    mask_interactions,
)
from model_build.engines.als import AlsSettings, als_engine
from model_build.evaluate.implicit import evaluate_scores, fold_in_scorer
from model_build.evaluate.metrics import average_precision, ndcg, roc_auc
from model_build.util.errors import InputError


def test_a_fifth_of_everybody_is_hidden_and_nothing_is_seen_twice(
    masked: MaskedInteractions, interactions: Interactions
) -> None:
    entries = interactions.entries
    pairs = set(zip(entries.user.tolist(), entries.anime_ids[entries.item].tolist(), strict=True))
    assert len(masked.known_users) + len(masked.new_users) == len(entries.user_ids)
    assert not masked.known_users.visible.multiply(masked.known_users.hidden).nnz
    assert not masked.new_users.visible.multiply(masked.new_users.hidden).nnz
    total = 0
    for side in (masked.known_users, masked.new_users):
        count = np.diff(side.visible.indptr) + np.diff(side.hidden.indptr)
        wanted = np.where(
            count >= MIN_INTERACTIONS, np.maximum(1, np.rint(HIDDEN_SHARE * count)), 0
        )
        if not masked.n_unrankable:
            assert np.diff(side.hidden.indptr).tolist() == wanted.tolist()
        assert len(side.visible_rows) == side.visible.nnz
        # The rows are those of the matrix: the same anime in the same order, fan by fan.
        anime = entries.anime_ids[entries.item[side.visible_rows]]
        assert anime.tolist() == masked.anime_id[side.visible.indices].tolist()
        users = entries.user[side.visible_rows]
        assert (np.diff(users) >= 0).all()
        total += side.visible.nnz + side.hidden.nnz
    assert total + masked.n_unrankable <= len(pairs)
    assert set(np.unique(masked.known_users.visible.indices)) == set(range(len(masked.anime_id)))


def test_the_same_seed_hides_the_same(interactions: Interactions) -> None:
    one, same, other = (mask_interactions(interactions, seed=seed) for seed in (4, 4, 5))
    assert one.known_users.visible_rows.tolist() == same.known_users.visible_rows.tolist()
    assert one.known_users.visible_rows.tolist() != other.known_users.visible_rows.tolist()


def test_too_few_fans_are_refused(interactions: Interactions) -> None:
    with pytest.raises(InputError, match="too few to keep some from training"):
        mask_interactions(interactions, seed=0, new_user_share=0.001)


def by_hand(scores: list[int], seen: set[int], wanted: set[int]) -> tuple[float, list[bool]]:
    others = [at for at in range(len(scores)) if at not in seen | wanted]
    won = [
        (scores[good] > scores[bad]) + 0.5 * (scores[good] == scores[bad])
        for good in wanted
        for bad in others
    ]
    ranked = sorted(set(range(len(scores))) - seen, key=lambda at: (-scores[at], at))
    hits = [at in wanted for at in ranked[:10]]
    return (sum(won) / len(won) if won else float("nan")), hits


@settings(max_examples=60, deadline=None)  # the first one compiles
@given(st.data())
def test_measures_are_those_counted_by_hand(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 25))
    fans = data.draw(st.integers(1, 4))
    places = st.sets(st.integers(0, n - 1))
    scores = [data.draw(st.lists(st.integers(0, 5), min_size=n, max_size=n)) for _ in range(fans)]
    seen = [data.draw(places) for _ in range(fans)]
    wanted = [data.draw(places) - own for own in seen]
    side = MaskedUsers(matrix(seen, n), matrix(wanted, n), np.empty(0, np.int64))
    rows = np.array(scores, np.float32)
    found = evaluate_scores(side, lambda first, last: rows[first:last])
    expected = [by_hand(*each) for each in zip(scores, seen, wanted, strict=True)]
    some = [at for at in range(fans) if wanted[at]]
    for name, of in (("ndcg@10", ndcg), ("map@10", average_precision)):
        values = [of(np.array(expected[at][1]), len(wanted[at]), 10) for at in some]
        assert_mean(found[name], values)
    assert_mean(found["precision@10"], [sum(expected[at][1]) / 10 for at in some])
    assert_mean(
        found["recall@10"], [sum(expected[at][1]) / min(10, len(wanted[at])) for at in some]
    )
    assert_mean(found["auc"], [expected[at][0] for at in some])


def test_auc_over_all_anime_is_that_of_scikit_learn(masked: MaskedInteractions) -> None:
    """With ties, on users of different lengths."""
    users = masked.known_users
    shape = (len(users), len(masked.anime_id))
    scores = np.random.default_rng(0).integers(0, 30, shape).astype(np.float32)
    expected = []
    for row in range(len(users)):
        left = np.ones(shape[1], bool)
        left[users.visible[row].indices] = False
        truth = np.asarray(users.hidden[row].toarray(), bool).ravel()
        expected.append(roc_auc(scores[row][left], truth[left]))
    found = evaluate_scores(users, lambda first, last: scores[first:last])
    assert found["auc"] == pytest.approx(np.nanmean(expected))


def assert_mean(found: float, values: list[float]) -> None:
    defined = [float(value) for value in values if value == value]
    expected = sum(defined) / len(defined) if defined else float("nan")
    assert found == pytest.approx(expected, nan_ok=True)


def matrix(places: list[set[int]], n: int) -> csr_matrix:
    dense = np.zeros((len(places), n), bool)
    for row, own in enumerate(places):
        dense[row, list(own)] = True
    return csr_matrix(dense)


def test_new_fans_are_folded_in_as_the_app_does_it(masked: MaskedInteractions) -> None:
    chosen = AlsSettings(factors=5, regularization=0.1, alpha=2.0)
    factor = np.random.default_rng(0).standard_normal((len(masked.anime_id), 5)).astype(np.float32)
    gram = factor.astype(float).T @ factor.astype(float)
    als = AlsEngine(factor, gram, 0.1, 2.0, InteractionStrengths(), np.ones(len(factor), bool))
    new = masked.new_users
    score = fold_in_scorer(als_engine(factor, chosen), masked, new)
    entries, favourite = masked.interactions.entries, masked.interactions.favourite
    for fan in (0, len(new) - 1):
        own = new.visible_rows[new.visible.indptr[fan] : new.visible.indptr[fan + 1]]
        position = np.searchsorted(masked.anime_id, entries.anime_ids[entries.item[own]])
        known = KnownEntries(
            position,
            entries.rating[own],
            entries.status[own],
            favourite[own],
            masked.interactions.activity.select(own),
        )
        match = als.score(known).match
        assert score(fan, fan + 1)[0] * 100 == pytest.approx(match, abs=1e-3)
