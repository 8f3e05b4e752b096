"""LightGBM's trees as the flat arrays that serving walks (`app.recommender.trees`)."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from app.recommender.trees import TreeEnsemble

if TYPE_CHECKING:
    import lightgbm


DETERMINISTIC: dict[str, Any] = {
    "seed": 0,
    "deterministic": True,
    "force_row_wise": True,
    # Threads wait for one another at every split: where others work, too, two take longer than one.
    "num_threads": 1,
    "verbose": -1,
}
"""Settings by which the same data give the same bits."""


def flatten_trees(booster: lightgbm.Booster) -> TreeEnsemble:
    """Write down a booster without categorical features, tree by tree, parents first."""
    rows: list[tuple[int, float, int, int, int, int]] = []

    def add(node: dict[str, Any]) -> int:
        at = len(rows)
        if "split_feature" not in node:
            rows.append((-1, node["leaf_value"], 0, 0, 0, max(1, node.get("leaf_count", 1))))
            return at
        # A feature that had no missing values in training counts a missing one as zero.
        nan_left = (
            node["default_left"] if node["missing_type"] == "NaN" else node["threshold"] >= 0.0
        )
        rows.append((0, 0.0, 0, 0, 0, 0))
        left, right = add(node["left_child"]), add(node["right_child"])
        rows[at] = (
            node["split_feature"],
            node["threshold"],
            left,
            right,
            int(nan_left),
            max(1, node["internal_count"]),
        )
        return at

    roots = [add(tree["tree_structure"]) for tree in booster.dump_model()["tree_info"]]
    feature, threshold, left, right, nan_left, cover = zip(*rows, strict=True)
    return TreeEnsemble(
        np.array(roots, np.int32),
        np.array(feature, np.int16),
        np.array(threshold, np.float64),
        np.array(left, np.int32),
        np.array(right, np.int32),
        np.array(nan_left, np.uint8),
        np.array(cover, np.int32),
    )


def tree_arrays(name: str, trees: TreeEnsemble) -> dict[str, npt.NDArray[Any]]:
    """Return an ensemble as the arrays of a model."""
    return {f"{name}_{field.name}": getattr(trees, field.name) for field in fields(trees)}
