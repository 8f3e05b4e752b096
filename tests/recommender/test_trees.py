"""Flat trees against LightGBM itself, and their Shapley values against the definition."""

from __future__ import annotations

import itertools
import math
from dataclasses import fields, replace

import lightgbm
import numpy as np
import pytest

from app.recommender.array_types import Float64Array, Int64Array
from app.recommender.artifact import ArtifactError
from app.recommender.trees import MAX_LEAVES, TreeEnsemble, features_digest
from model_build.train.trees import flatten_trees, tree_arrays
from tests.recommender.reranking.artifacts import reader_of

N_FEATURES = 5


def drawn_features(seed: int, rows: int) -> Float64Array:
    """Rows of which some values are unknown, but for the last feature, which always is known."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(rows, N_FEATURES)).round(1)
    unknown = rng.random((rows, N_FEATURES)) < 0.15
    unknown[:, -1] = False
    return np.where(unknown, np.nan, features)


@pytest.fixture(scope="module")
def booster() -> lightgbm.Booster:
    features = drawn_features(1, 800)
    known = np.nan_to_num(features)
    target = known[:, 0] * known[:, 1] + np.abs(known[:, 2]) + known[:, 4]
    settings = {"num_leaves": 9, "verbose": -1, "min_data_in_leaf": 10, "num_threads": 1}
    return lightgbm.train(settings, lightgbm.Dataset(features, target), 25)


@pytest.fixture(scope="module")
def trees(booster: lightgbm.Booster) -> TreeEnsemble:
    return flatten_trees(booster)


def test_predictions_are_those_of_lightgbm(booster: lightgbm.Booster, trees: TreeEnsemble) -> None:
    features = drawn_features(2, 300)
    features[0] = np.nan  # also where training knew no missing value
    features[1] = 0.0
    assert trees.predict(features) == pytest.approx(booster.predict(features), abs=1e-12)


def test_shapley_values_of_single_features_are_those_of_lightgbm(
    booster: lightgbm.Booster, trees: TreeEnsemble
) -> None:
    features = drawn_features(3, 40)
    each = np.arange(N_FEATURES)
    expected = np.asarray(booster.predict(features, pred_contrib=True))
    assert trees.shapley_values(features, trees.leaf_table(each, N_FEATURES)) == pytest.approx(
        expected[:, :-1], abs=1e-10
    )


def expected_value(trees: TreeEnsemble, at: int, row: Float64Array, known: list[bool]) -> float:
    """What a tree comes to if only some features of a row are known."""
    feature = int(trees.feature[at])
    if feature < 0:
        return float(trees.threshold[at])
    left, right = int(trees.left[at]), int(trees.right[at])
    if known[feature]:
        value = row[feature]
        goes_left = trees.nan_left[at] if np.isnan(value) else value <= trees.threshold[at]
        return expected_value(trees, left if goes_left else right, row, known)
    share = trees.cover[left] / trees.cover[at]
    return share * expected_value(trees, left, row, known) + (
        trees.cover[right] / trees.cover[at]
    ) * expected_value(trees, right, row, known)


def shapley_by_definition(
    trees: TreeEnsemble, row: Float64Array, group: Int64Array, n_groups: int
) -> list[float]:
    def value(members: frozenset[int]) -> float:
        known = [int(g) in members for g in group]
        return sum(expected_value(trees, int(root), row, known) for root in trees.root)

    found = []
    for player in range(n_groups):
        others = [g for g in range(n_groups) if g != player]
        total = 0.0
        for size in range(n_groups):
            weight = math.factorial(size) * math.factorial(n_groups - size - 1)
            for members in itertools.combinations(others, size):
                with_player = frozenset({*members, player})
                total += weight * (value(with_player) - value(frozenset(members)))
        found.append(total / math.factorial(n_groups))
    return found


@pytest.mark.parametrize("unasked", [False, True])
def test_shapley_values_of_groups_are_those_of_the_definition(
    trees: TreeEnsemble, unasked: bool
) -> None:
    features, group = drawn_features(4, 4), np.array([0, 1, 0, 2, 1])
    asked = np.where(group == 2, -1, group) if unasked else group
    n_asked = int(asked.max()) + 1
    found = trees.shapley_values(features, trees.leaf_table(asked, n_asked))
    for row, values in zip(features, found, strict=True):
        expected = shapley_by_definition(trees, row, group, 3)[:n_asked]
        assert values == pytest.approx(expected, abs=1e-10)


def read(trees: TreeEnsemble, trained_on: str = "abcde") -> TreeEnsemble | None:
    digest = features_digest(trained_on)
    reader = reader_of(tree_arrays("rerank", trees), rerank_features=digest)
    return TreeEnsemble.from_arrays(reader, "rerank", "abcde")


def test_arrays_of_a_model_give_the_same_trees(trees: TreeEnsemble) -> None:
    found = read(trees)
    assert found is not None
    for field in fields(trees):
        assert np.array_equal(getattr(found, field.name), getattr(trees, field.name))


def test_a_model_may_have_no_trees_but_none_of_other_features(trees: TreeEnsemble) -> None:
    assert TreeEnsemble.from_arrays(reader_of({}), "rerank", "abcde") is None
    with pytest.raises(ArtifactError, match=r"look at other features.*train the model again"):
        read(trees, trained_on="abdce")


def one_tree(leaves: int) -> TreeEnsemble:
    """Return a tree of which each split has a leaf on its left: above k of the first feature."""
    splits = leaves - 1
    m, split = 2 * leaves - 1, 2 * np.arange(splits)
    feature, threshold = np.full(m, -1, np.int16), np.zeros(m)
    feature[split], threshold[split] = 0, np.arange(splits)
    threshold[1::2], threshold[-1] = np.arange(splits), splits
    left, right = np.zeros(m, np.int32), np.zeros(m, np.int32)
    left[split], right[split] = split + 1, split + 2
    cover, root = np.ones(m, np.int32), np.zeros(1, np.int32)
    return TreeEnsemble(root, feature, threshold, left, right, np.zeros(m, np.uint8), cover)


def test_the_largest_tree_that_is_allowed_tells_all_its_leaves_apart() -> None:
    trees, leaf = one_tree(MAX_LEAVES), np.arange(MAX_LEAVES)
    assert read(trees) is not None
    features = np.zeros((1_000, N_FEATURES))
    features[:, 0] = np.resize(leaf, 1_000)
    assert np.array_equal(trees.predict(features), features[:, 0])


@pytest.mark.parametrize(
    "damage", ["circle", "beyond", "shared", "feature", "root", "cover", "leaves", "empty"]
)
def test_what_is_no_forest_is_refused(trees: TreeEnsemble, damage: str) -> None:
    split = int(np.flatnonzero(trees.feature >= 0)[3])

    def changed(name: str, at: int, value: int) -> TreeEnsemble:
        array = getattr(trees, name).copy()
        array[at] = value
        return replace(trees, **{name: array})

    broken = {
        "circle": changed("left", split, split),
        "beyond": changed("right", split, len(trees.feature)),
        "shared": changed("right", split, int(trees.left[split])),
        "feature": changed("feature", split, N_FEATURES),
        "root": changed("root", 0, -1),
        "cover": changed("cover", split, 0),
        "leaves": one_tree(MAX_LEAVES + 1),
        "empty": TreeEnsemble(*(getattr(trees, field.name)[:0] for field in fields(trees))),
    }[damage]
    with pytest.raises(ArtifactError, match=r"rerank_feature\.npy: is no forest"):
        read(broken)
