"""Boosted regression trees as flat arrays, walked by compiled loops.

What LightGBM fits is written down node by node; serving needs no library for it. A split sends a
value left that is not above its threshold; one that is not known (NaN) goes where the split says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np

from app.recommender.array_types import (
    BoolArray,
    Float64Array,
    Int16Array,
    Int32Array,
    Int64Array,
    UInt8Array,
)
from app.recommender.arrays import ArtifactReader
from app.recommender.artifact import ArtifactError
from app.recommender.kernels import jit_compiled

LARGEST_THRESHOLD = float(np.finfo(np.float64).max)
"""LightGBM's own for a split by whether a value is known."""
MAX_PATH = 64
"""Splits above a leaf, at most."""


def features_digest(names: Iterable[str]) -> str:
    """Tell apart trees that were trained on other features, or on these in another order."""
    return hashlib.sha256(",".join(names).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class TreeEnsemble:
    """Trees whose values are added up; m nodes in all, those of a tree side by side.

    ``root`` (t,) is where each tree begins. ``feature`` (m,) is the column that a node splits by,
    -1 for a leaf; ``left`` and ``right`` (m,) are the nodes below it, further on in the arrays;
    ``nan_left`` (m,) is 1 where a missing value goes left. ``threshold`` (m,) is the value of a
    leaf. ``cover`` (m,) is how many rows of training came by.
    """

    root: Int32Array
    feature: Int16Array
    threshold: Float64Array
    left: Int32Array
    right: Int32Array
    nan_left: UInt8Array
    cover: Int32Array

    @classmethod
    def from_arrays(
        cls, arrays: ArtifactReader, name: str, features: Collection[str]
    ) -> TreeEnsemble | None:
        """From the arrays of a name; None where a model has none.

        Raises
        ------
        ArtifactError
            They are no trees, or look at other features than these.
        """
        if f"{name}_feature" not in arrays:
            return None
        if arrays.read_text(f"{name}_features") != features_digest(features):
            raise ArtifactError(
                f"{arrays.array_path(f'{name}_feature')}: its trees look at other features than "
                "this Hakken works out; train the model again (python -m model_build train)."
            )
        feature = arrays.read_vector(f"{name}_feature", np.int16)
        m = len(feature)
        trees = cls(
            arrays.read_vector(f"{name}_root", np.int32),
            feature,
            arrays.read_vector(f"{name}_threshold", np.float64, m, largest=LARGEST_THRESHOLD),
            arrays.read_vector(f"{name}_left", np.int32, m),
            arrays.read_vector(f"{name}_right", np.int32, m),
            arrays.read_vector(f"{name}_nan_left", np.uint8, m),
            arrays.read_vector(f"{name}_cover", np.int32, m),
        )
        at = np.arange(m)
        split = feature >= 0
        below = np.concatenate([trees.left[split], trees.right[split]])
        # Children come after their parent, so no walk is endless.
        if (
            not ((feature >= -1) & (feature < len(features))).all()
            or not (below < m).all()
            or not (below > np.tile(at[split], 2)).all()
            or not ((trees.root >= 0) & (trees.root < max(m, 1))).all()
            or not (trees.cover > 0).all()
            or (len(trees.root) and not m)
            or _depth(trees) > MAX_PATH
        ):
            raise ArtifactError(f"{arrays.array_path(f'{name}_feature')}: is no forest.")
        return trees

    def predict(self, features: Float64Array) -> Float64Array:
        """Return the sum over all trees for each row of (c, f), (c,)."""
        return predict_trees(
            features, self.root, self.feature, self.threshold, self.left, self.right, self.nan_left
        )

    def leaf_table(self, group: Int64Array, n_groups: int) -> LeafTable:
        """Work out what `shapley_values` looks up; ``group`` (f,) says what a feature is of."""
        parent = np.full(len(self.feature), -1, np.int64)
        split = np.flatnonzero(self.feature >= 0)
        parent[self.left[split]] = parent[self.right[split]] = split
        leaves = np.flatnonzero(self.feature < 0)
        paths = _list_paths(leaves, parent, group, n_groups, self.feature, self.left, self.cover)
        path_first, path_node, path_player, path_left, player_first, player, zero = paths
        players = np.diff(player_first)
        table_first = np.concatenate([[0], np.cumsum(players << players)])
        table = np.empty(table_first[-1])
        for leaf, at in enumerate(leaves.tolist()):
            own = slice(player_first[leaf], player_first[leaf + 1])
            room = table[table_first[leaf] : table_first[leaf + 1]]
            _fill_table(zero[own], int(players[leaf]), float(self.threshold[at]), room)
        return LeafTable(
            n_groups,
            path_first,
            path_node,
            path_player,
            path_left,
            player_first,
            player,
            table_first,
            table,
        )

    def shapley_values(self, features: Float64Array, leaves: LeafTable) -> Float64Array:
        """Return what each group of features adds to the prediction of each row, (c, groups).

        These are Shapley values of the groups as players, where what is unknown of a row is
        averaged over the rows of training that came by (TreeSHAP, path dependent: Lundberg and
        others 2018). They add up to the prediction less the mean over the rows of training.
        """
        return shapley_of_groups(
            features,
            leaves.n_groups,
            self.feature,
            self.threshold,
            self.nan_left,
            leaves.path_first,
            leaves.path_node,
            leaves.path_player,
            leaves.path_left,
            leaves.player_first,
            leaves.player,
            leaves.table_first,
            leaves.table,
        )


@dataclass(frozen=True, slots=True)
class LeafTable:
    """What each group of features adds at each of l leaves, for any of them passing or not.

    The splits above leaf i are ``path_node[path_first[i]:path_first[i + 1]]``, each of the player
    (``path_player``) that its feature is of, and passed by going left where ``path_left``. Its
    players are the groups ``player[player_first[i]:player_first[i + 1]]``; what they add stands in
    ``table`` from ``table_first[i]`` on, a row for each set of players that pass all their splits,
    by its bits.
    """

    n_groups: int
    path_first: Int64Array
    path_node: Int64Array
    path_player: Int64Array
    path_left: BoolArray
    player_first: Int64Array
    player: Int64Array
    table_first: Int64Array
    table: Float64Array


def _depth(trees: TreeEnsemble) -> int:
    depth = np.zeros(len(trees.feature), np.int64)
    for at in np.flatnonzero(trees.feature >= 0):  # parents first
        for below in (trees.left[at], trees.right[at]):
            depth[below] = max(depth[below], depth[at] + 1)
    return int(depth.max(initial=0))


@jit_compiled
def predict_trees(
    features: Float64Array,
    root: Int32Array,
    feature: Int16Array,
    threshold: Float64Array,
    left: Int32Array,
    right: Int32Array,
    nan_left: UInt8Array,
) -> Float64Array:
    """Return the sum of the leaves that each row of (c, f) ends in, (c,)."""
    total = np.zeros(len(features))
    for t in range(len(root)):
        for c in range(len(features)):
            at = root[t]
            while feature[at] >= 0:
                goes_left = _goes_left(features[c, feature[at]], threshold[at], nan_left[at])
                at = left[at] if goes_left else right[at]
            total[c] += threshold[at]
    return total


@jit_compiled
def _goes_left(value: float, threshold: float, nan_left: int) -> bool:
    return nan_left == 1 if np.isnan(value) else value <= threshold


@jit_compiled
def _shapley_weights(
    one: Float64Array, zero: Float64Array, players: int, weight: Float64Array, added: Float64Array
) -> None:
    """What each of the ``players`` on the way to a leaf adds to a value of 1, into ``added``.

    With the players S known a row comes there in the share prod_S one prod_not-S zero. ``weight``
    holds the Shapley-weighted sums by the size of S: extended by one player after the other, then
    unwound by each (Lundberg and others 2018, algorithm 2).
    """
    weight[0] = 1.0
    for k in range(players):
        weight[k + 1] = 0.0
        for s in range(k, -1, -1):
            weight[s + 1] += one[k] * weight[s] * (s + 1) / (k + 2)
            weight[s] *= zero[k] * (k + 1 - s) / (k + 2)
    for k in range(players):
        total, following = 0.0, weight[players]
        for s in range(players - 1, -1, -1):
            if one[k] != 0.0:
                share = following * (players + 1) / ((s + 1) * one[k])
                total += share
                following = weight[s] - share * zero[k] * (players - s) / (players + 1)
            else:
                total += weight[s] * (players + 1) / (zero[k] * (players - s))
        added[k] = total * (one[k] - zero[k])


@jit_compiled
def _fill_table(zero: Float64Array, players: int, value: float, table: Float64Array) -> None:
    """What the players of a leaf add, a row for each set of them that pass, by its bits."""
    one, weight, added = np.empty(players), np.empty(players + 1), np.empty(players)
    for passed in range(1 << players):
        for k in range(players):
            one[k] = (passed >> k) & 1
        _shapley_weights(one, zero, players, weight, added)
        for k in range(players):
            table[passed * players + k] = added[k] * value


@jit_compiled
def _list_paths(
    leaves: Int64Array,
    parent: Int64Array,
    group: Int64Array,
    n_groups: int,
    feature: Int16Array,
    left: Int32Array,
    cover: Int32Array,
) -> tuple[Int64Array, Int64Array, Int64Array, BoolArray, Int64Array, Int64Array, Float64Array]:
    """The paths above the leaves, their players and the shares of rows that these let pass."""
    n = len(leaves)
    path_first, player_first = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    path_node, path_player = (np.empty(n * MAX_PATH, np.int64), np.empty(n * MAX_PATH, np.int64))
    path_left = np.empty(n * MAX_PATH, np.bool_)
    player, zero = np.empty(n * n_groups, np.int64), np.ones(n * n_groups)
    place = np.full(n_groups, -1, np.int64)
    for leaf in range(n):
        below, p, first = leaves[leaf], path_first[leaf], player_first[leaf]
        players = 0
        while parent[below] >= 0:
            node = parent[below]
            g = group[feature[node]]
            if place[g] < 0:
                place[g] = players
                player[first + players] = g
                players += 1
            zero[first + place[g]] *= cover[below] / cover[node]
            path_node[p], path_player[p], path_left[p] = node, place[g], below == left[node]
            below = node
            p += 1
        path_first[leaf + 1], player_first[leaf + 1] = p, first + players
        place[:] = -1
    end, last = path_first[n], player_first[n]
    return (
        path_first,
        path_node[:end].copy(),
        path_player[:end].copy(),
        path_left[:end].copy(),
        player_first,
        player[:last].copy(),
        zero[:last].copy(),
    )


@jit_compiled
def shapley_of_groups(
    features: Float64Array,
    n_groups: int,
    feature: Int16Array,
    threshold: Float64Array,
    nan_left: UInt8Array,
    path_first: Int64Array,
    path_node: Int64Array,
    path_player: Int64Array,
    path_left: BoolArray,
    player_first: Int64Array,
    player: Int64Array,
    table_first: Int64Array,
    table: Float64Array,
) -> Float64Array:
    """See `TreeEnsemble.shapley_values`: each leaf looks up what its players add."""
    out = np.zeros((len(features), n_groups))
    goes_left = np.zeros(len(feature), np.bool_)
    for c in range(len(features)):
        for at in range(len(feature)):
            if feature[at] >= 0:
                goes_left[at] = _goes_left(features[c, feature[at]], threshold[at], nan_left[at])
        for leaf in range(len(path_first) - 1):
            failed = 0
            for p in range(path_first[leaf], path_first[leaf + 1]):
                if goes_left[path_node[p]] != path_left[p]:
                    failed |= 1 << path_player[p]
            first = player_first[leaf]
            players = player_first[leaf + 1] - first
            passed = (1 << players) - 1 - failed
            base = table_first[leaf] + passed * players
            for k in range(players):
                out[c, player[first + k]] += table[base + k]
    return out
