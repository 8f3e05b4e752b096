"""Boosted regression trees as flat arrays, walked by compiled loops.

What LightGBM fits is written down node by node; serving needs no library for it. A split sends a
value left that is not above its threshold; one that is not known (NaN) goes where the split says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.recommender.array_types import Float64Array, Int16Array, Int32Array, Int64Array, UInt8Array
from app.recommender.arrays import ArtifactReader
from app.recommender.artifact import ArtifactError
from app.recommender.kernels import jit_compiled

MAX_PATH = 64
"""Splits above a leaf, at most."""


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
    def from_arrays(cls, arrays: ArtifactReader, name: str, n_features: int) -> TreeEnsemble:
        """From the arrays of a name; raises ArtifactError for what is no such ensemble."""
        feature = arrays.read_vector(f"{name}_feature", np.int16)
        m = len(feature)
        trees = cls(
            arrays.read_vector(f"{name}_root", np.int32),
            feature,
            arrays.read_vector(f"{name}_threshold", np.float64, m),
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
            not ((feature >= -1) & (feature < n_features)).all()
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

    def shapley_values(
        self, features: Float64Array, group: Int64Array, n_groups: int
    ) -> Float64Array:
        """Return what each group of features adds to the prediction of each row, (c, ``n_groups``).

        ``group`` (f,) says which a feature is of. These are Shapley values of the groups as
        players, where what is unknown of a row is averaged over the rows of training that came by
        (TreeSHAP, path dependent: Lundberg and others 2018, algorithm 2, each leaf by itself).
        They add up to the prediction less the mean over the rows of training.
        """
        return shapley_of_groups(
            features,
            group,
            n_groups,
            self.root,
            self.feature,
            self.threshold,
            self.left,
            self.right,
            self.nan_left,
            self.cover,
        )


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
def _add_leaf_values(
    one: Float64Array, zero: Float64Array, players: int, value: float, weight: Float64Array
) -> Float64Array:
    """Return what each of the players on the way to a leaf adds, by its ``value``.

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
    added = np.zeros(players)
    for k in range(players):
        if one[k] == zero[k]:
            continue
        total, following = 0.0, weight[players]
        for s in range(players - 1, -1, -1):
            if one[k] != 0.0:
                share = following * (players + 1) / ((s + 1) * one[k])
                total += share
                following = weight[s] - share * zero[k] * (players - s) / (players + 1)
            else:
                total += weight[s] * (players + 1) / (zero[k] * (players - s))
        added[k] = total * (one[k] - zero[k]) * value
    return added


@jit_compiled
def shapley_of_groups(
    features: Float64Array,
    group: Int64Array,
    n_groups: int,
    root: Int32Array,
    feature: Int16Array,
    threshold: Float64Array,
    left: Int32Array,
    right: Int32Array,
    nan_left: UInt8Array,
    cover: Int32Array,
) -> Float64Array:
    """See `TreeEnsemble.shapley_values`: leaf by leaf, the players are the groups on its way."""
    out = np.zeros((len(features), n_groups))
    way, turns = np.empty(MAX_PATH + 2, np.int64), np.zeros(MAX_PATH + 2, np.int64)
    place, player = np.full(n_groups, -1, np.int64), np.empty(n_groups, np.int64)
    one, zero, weight = np.empty(n_groups), np.empty(n_groups), np.empty(n_groups + 1)
    for c in range(len(features)):
        for t in range(len(root)):
            depth = 0
            way[0], turns[0] = root[t], 0
            while depth >= 0:
                at = way[depth]
                if feature[at] >= 0 and turns[depth] < 2:
                    way[depth + 1] = left[at] if turns[depth] == 0 else right[at]
                    turns[depth] += 1
                    depth += 1
                    turns[depth] = 0
                    continue
                if feature[at] < 0:
                    players = 0
                    for d in range(depth):
                        node, below = way[d], way[d + 1]
                        goes_left = _goes_left(
                            features[c, feature[node]], threshold[node], nan_left[node]
                        )
                        g = group[feature[node]]
                        if place[g] < 0:
                            place[g], player[players] = players, g
                            one[players] = zero[players] = 1.0
                            players += 1
                        one[place[g]] *= (below == left[node]) == goes_left
                        zero[place[g]] *= cover[below] / cover[node]
                    added = _add_leaf_values(one, zero, players, threshold[at], weight)
                    for k in range(players):
                        out[c, player[k]] += added[k]
                        place[player[k]] = -1
                depth -= 1
    return out
