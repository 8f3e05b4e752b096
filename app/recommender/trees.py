"""Boosted regression trees as flat arrays, evaluated by compiled loops.

What LightGBM fits is written down node by node; serving needs no library for it. A split sends a
value left that is not above its threshold; one that is not known (NaN) goes where the split says.

Predicting walks down no tree: every split of a tree is looked at, and rules out the leaves on its
left for the rows that it sends right. The leaf of a row is then the first that is left over
(QuickScorer: Lucchese and others, SIGIR 2015). That is more comparisons, but without a branch and
for many rows at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from app.recommender.array_types import Float64Array, Int16Array, Int32Array, Int64Array, UInt8Array
from app.recommender.arrays import ArtifactReader, are_below, ascends
from app.recommender.artifact import ArtifactError
from app.recommender.kernels import jit_compiled

LARGEST_THRESHOLD = float(np.finfo(np.float64).max)
"""LightGBM's own for a split by whether a value is known."""
MAX_LEAVES = 63
"""Leaves of a tree, at most: each is a bit of a signed number."""
_ROWS_AT_A_TIME = 512
"""Rows that are predicted side by side: enough to be fast, and few enough to stay in a cache."""

_SplitTables = tuple[Int64Array, Int64Array, Float64Array, Int64Array, Int64Array, Float64Array]


def features_digest(names: Iterable[str]) -> str:
    """Tell apart trees that were trained on other features, or on these in another order."""
    return hashlib.sha256(",".join(names).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class TreeEnsemble:
    """Trees whose values are added up; m nodes in all, those of a tree side by side.

    ``root`` (t,) is where each tree begins, ascending. ``feature`` (m,) is the column that a node
    splits by, -1 for a leaf; ``left`` and ``right`` (m,) are the nodes below it, further on in the
    arrays; ``nan_left`` (m,) is 1 where a missing value goes left. ``threshold`` (m,) is the value
    of a leaf. ``cover`` (m,) is how many rows of training came by.
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
        if not _is_forest(trees, len(features)):
            raise ArtifactError(f"{arrays.array_path(f'{name}_feature')}: is no forest.")
        return trees

    def predict(self, features: Float64Array) -> Float64Array:
        """Return the sum over all trees for each row of (c, f), (c,)."""
        return predict_trees(features, *self._splits)

    @cached_property
    def _splits(self) -> _SplitTables:
        return _tabulate_splits(
            self.root, self.feature, self.threshold, self.left, self.right, self.nan_left
        )

    def leaf_table(self, group: Int64Array, n_groups: int) -> LeafTable:
        """Work out what `shapley_values` looks up; ``group`` (f,) says what a feature is of.

        Those of -1 are one more group, of which nobody asks what it adds.
        """
        parts = _tabulate_leaves(
            self.feature, self.threshold, self.left, self.right, self.cover, group, n_groups
        )
        return LeafTable(n_groups, *parts)

    def shapley_values(self, features: Float64Array, leaves: LeafTable) -> Float64Array:
        """Return what each group of features adds to the prediction of each row, (c, groups).

        These are Shapley values of the groups as players, where what is unknown of a row is
        averaged over the rows of training that came by (TreeSHAP, path dependent: Lundberg and
        others 2018). They add up to the prediction less the mean over the rows of training.
        """
        return shapley_of_groups(
            features,
            leaves.n_groups,
            self.root,
            self.feature,
            self.threshold,
            self.left,
            self.right,
            self.nan_left,
            leaves.player_bit,
            leaves.player,
            leaves.player_count,
            leaves.table_first,
            leaves.table,
        )


@dataclass(frozen=True, slots=True)
class LeafTable:
    """What each group of features adds at each leaf of m nodes, for any of them passing or not.

    Those that splits on the way down to a node are of are its players,
    ``player[node, :player_count[node]]``, in the order in which they come. Each has a bit, from the
    second on; the first is that of the group that nobody asks for. ``player_bit`` (m,) is the bit
    that a split is of. What the players of a leaf add stands in ``table`` from ``table_first`` (m,)
    on, a row for each set of groups that pass all their splits, by its bits.
    """

    n_groups: int
    player_bit: Int64Array
    player: Int64Array
    player_count: Int64Array
    table_first: Int64Array
    table: Float64Array


def _is_forest(trees: TreeEnsemble, n_features: int) -> bool:
    """Whether every node but the roots is below one other of its tree, which stands before it."""
    m, split = len(trees.feature), np.flatnonzero(trees.feature >= 0)
    below, above = np.concatenate([trees.left[split], trees.right[split]]), np.tile(split, 2)
    within = (trees.feature >= -1).all() and (trees.feature < n_features).all()
    if not within or not are_below(below, m) or not are_below(trees.root, m):
        return False
    parents = np.bincount(below, minlength=m) + np.bincount(trees.root, minlength=m)
    tree = np.searchsorted(trees.root, np.arange(m), side="right")
    return bool(
        len(trees.root)
        and ascends(trees.root, strictly=True)
        and (parents == 1).all()
        and (below > above).all()
        and (tree[below] == tree[above]).all()
        and (trees.cover > 0).all()
        and np.bincount(tree[trees.feature < 0]).max(initial=0) <= MAX_LEAVES
    )


@jit_compiled
def _tabulate_splits(
    root: Int32Array,
    feature: Int16Array,
    threshold: Float64Array,
    left: Int32Array,
    right: Int32Array,
    nan_left: UInt8Array,
) -> _SplitTables:
    """The splits and the leaves of trees apart, as `predict_trees` takes them.

    Returns ``(first_split, column, limit, kept, first_leaf, leaf)``. The splits of tree t are those
    from ``first_split[t]`` to ``first_split[t + 1]``; each leaves a row whose value in ``column``
    is above ``limit`` the leaves of which the bit is set in ``kept``. Each feature has two columns:
    in the first an unknown value is above every limit, in the second below. The values of the
    leaves of a tree, from left to right, begin at ``first_leaf[t]`` of ``leaf``.
    """
    m = len(feature)
    leaves_below = np.ones(m, np.int64)
    for at in range(m - 1, -1, -1):  # what is below a node stands behind it
        if feature[at] >= 0:
            leaves_below[at] = leaves_below[left[at]] + leaves_below[right[at]]
    leftmost = np.zeros(m, np.int64)
    first_split, first_leaf = np.zeros(len(root) + 1, np.int64), np.zeros(len(root), np.int64)
    splits = 0
    for at in range(m):
        splits += feature[at] >= 0
    column, kept = np.empty(splits, np.int64), np.empty(splits, np.int64)
    limit, leaf = np.empty(splits), np.empty(m - splits)
    split, leaves = 0, 0
    for t in range(len(root)):
        first_leaf[t] = leaves
        last = root[t + 1] if t + 1 < len(root) else m
        for at in range(root[t], last):
            if feature[at] < 0:
                leaf[leaves + leftmost[at]] = threshold[at]
                continue
            leftmost[left[at]] = leftmost[at]
            leftmost[right[at]] = leftmost[at] + leaves_below[left[at]]
            column[split] = 2 * feature[at] + nan_left[at]
            limit[split] = threshold[at]
            kept[split] = ~(((1 << leaves_below[left[at]]) - 1) << leftmost[at])
            split += 1
        leaves += leaves_below[root[t]]
        first_split[t + 1] = split
    return first_split, column, limit, kept, first_leaf, leaf


@jit_compiled
def predict_trees(
    features: Float64Array,
    first_split: Int64Array,
    column: Int64Array,
    limit: Float64Array,
    kept: Int64Array,
    first_leaf: Int64Array,
    leaf: Float64Array,
) -> Float64Array:
    """Return the sum of the leaves that each row of (c, f) ends in, (c,).

    `_tabulate_splits` has the arrays.
    """
    rows, width = features.shape
    side_by_side = min(rows, _ROWS_AT_A_TIME)
    known = np.empty((2 * width, side_by_side))
    total, left_over = np.zeros(rows), np.empty(side_by_side, np.int64)
    lowest = np.empty(side_by_side)
    lowest_bits = lowest.view(np.int64)
    for first in range(0, rows, _ROWS_AT_A_TIME):
        count = min(side_by_side, rows - first)
        for c in range(count):
            for f in range(width):
                v = features[first + c, f]
                known[2 * f, c] = np.inf if np.isnan(v) else v
                known[2 * f + 1, c] = -np.inf if np.isnan(v) else v
        for t in range(len(first_leaf)):
            left_over[:] = -1
            for split in range(first_split[t], first_split[t + 1]):
                values, most, mask = known[column[split]], limit[split], kept[split]
                for c in range(count):
                    left_over[c] &= mask if values[c] > most else -1
            for c in range(count):
                lowest[c] = left_over[c] & -left_over[c]
            # The exponent of a power of two, as a float has it, is the number of the bit.
            leaf_of_bit_0 = first_leaf[t] - 1023
            for c in range(count):
                total[first + c] += leaf[leaf_of_bit_0 + (lowest_bits[c] >> 52)]
    return total


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
    """What the players of a leaf add, a row for each set of groups that pass, by its bits."""
    groups = players + 1
    one, weight, added = np.empty(groups), np.empty(groups + 1), np.empty(groups)
    for passed in range(1 << groups):
        for k in range(groups):
            one[k] = (passed >> k) & 1
        _shapley_weights(one, zero, groups, weight, added)
        for k in range(players):
            table[passed * players + k] = added[k + 1] * value


@jit_compiled
def _tabulate_leaves(
    feature: Int16Array,
    threshold: Float64Array,
    left: Int32Array,
    right: Int32Array,
    cover: Int32Array,
    group: Int64Array,
    n_groups: int,
) -> tuple[Int64Array, Int64Array, Int64Array, Int64Array, Float64Array]:
    """The arrays of a `LeafTable`."""
    m = len(feature)
    bit, count, first = np.ones(m, np.int64), np.zeros(m, np.int64), np.zeros(m, np.int64)
    player = np.zeros((m, n_groups), np.int64)
    share = np.ones((m, n_groups + 1))  # of the rows that come by, by bit
    end = 0
    for at in range(m):  # parents first
        if feature[at] < 0:
            first[at] = end
            end += count[at] << (count[at] + 1)
            continue
        g, k = group[feature[at]], 0
        if g >= 0:
            while k < count[at] and player[at, k] != g:
                k += 1
            k += 1
        bit[at] = 1 << k
        for below in (left[at], right[at]):
            for each in range(n_groups):  # a row at once takes seconds to compile
                player[below, each], share[below, each] = player[at, each], share[at, each]
            share[below, n_groups] = share[at, n_groups]
            count[below] = max(count[at], k)
            share[below, k] *= cover[below] / cover[at]
            if k > 0:
                player[below, k - 1] = g
    table = np.empty(end)
    for at in range(m):
        if feature[at] < 0:
            room = table[first[at] : first[at] + (count[at] << (count[at] + 1))]
            _fill_table(share[at], count[at], threshold[at], room)
    return bit, player, count, first, table


@jit_compiled
def shapley_of_groups(
    features: Float64Array,
    n_groups: int,
    root: Int32Array,
    feature: Int16Array,
    threshold: Float64Array,
    left: Int32Array,
    right: Int32Array,
    nan_left: UInt8Array,
    player_bit: Int64Array,
    player: Int64Array,
    player_count: Int64Array,
    table_first: Int64Array,
    table: Float64Array,
) -> Float64Array:
    """See `TreeEnsemble.shapley_values`, (c, groups): each leaf looks up what its players add.

    Node by node, for all rows at a time: what is known of a node is read once.
    """
    rows = len(features)
    by_feature, out = features.T.copy(), np.zeros((n_groups, rows))
    ends = np.append(root[1:], len(feature))
    # Bits of the players that do not come as far as a node of the tree. Its root is its first.
    failed = np.zeros(((ends - root).max(), rows), np.int64)
    for t in range(len(root)):
        for at in range(root[t], ends[t]):
            here = failed[at - root[t]]
            if feature[at] >= 0:
                values, most, nan_goes_left = by_feature[feature[at]], threshold[at], nan_left[at]
                to_left, to_right = failed[left[at] - root[t]], failed[right[at] - root[t]]
                for c in range(rows):
                    goes_left = values[c] <= most or (nan_goes_left == 1 and np.isnan(values[c]))
                    to_left[c] = here[c] | (0 if goes_left else player_bit[at])
                    to_right[c] = here[c] | (player_bit[at] if goes_left else 0)
            else:
                players = player_count[at]
                everyone = (2 << players) - 1
                for c in range(rows):
                    base = table_first[at] + (everyone & ~here[c]) * players
                    for k in range(players):
                        out[player[at, k], c] += table[base + k]
    return out.T.copy()
