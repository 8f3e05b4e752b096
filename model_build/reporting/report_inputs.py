"""Inputs of a report besides ratings: titles, most similar anime, a comparison."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from app.catalogue import Catalogue
from app.recommender import Model
from model_build.evaluate.evaluation import franchise_by_anime
from model_build.reporting.page import SimilarAnime
from model_build.util.errors import InputError, read_file

N_NEIGHBOURS = 5
N_TITLES = 9


def similar_anime(model: Model, catalogue: Catalogue) -> list[SimilarAnime]:
    """Return the most similar anime of those with most scores, one a franchise."""
    ids, franchise = model.anime_id.tolist(), franchise_by_anime(catalogue)
    chosen: dict[object, int] = {}
    for position in np.argsort(-model.rating_count.astype(np.int64), kind="stable").tolist():
        group = franchise.get(ids[position], f"anime {position}")
        chosen.setdefault(group, position)
        if len(chosen) == N_TITLES:
            break

    def nearest(source: Any, weight: Any) -> list[tuple[str, float]]:
        best = np.argsort(-weight, kind="stable")[:N_NEIGHBOURS]
        return [(catalogue.title(ids[source[b]]), float(weight[b])) for b in best if weight[b] > 0]

    found = []
    for position in chosen.values():
        row = slice(
            model.affinity_matrix.indptr[position], model.affinity_matrix.indptr[position + 1]
        )
        together = model.affinity_matrix.data[row] * model.affinity_matrix.scale
        found.append(
            SimilarAnime(
                catalogue.title(ids[position]),
                nearest(*model.similarity.column_entries(position)),
                nearest(model.affinity_matrix.indices[row], together),
            )
        )
    return found


def read_comparison(path: Path) -> dict[str, dict[str, float]]:
    """Read metrics by recommender from the array that ``compare --json`` printed.

    Of each object ``title`` (or ``name``) and all numbers are taken, also those of ``measured``;
    null is NaN.
    """
    found = read_file(path, "a comparison", json.loads)
    try:
        rows = {
            str(row.get("title", row["name"])): _numeric_metrics(row | row["measured"])
            for row in found
        }
    except (AttributeError, KeyError, TypeError):
        rows = {}
    if not rows:
        raise InputError(f"{path}: expected an array of recommenders, as compare --json prints.")
    return rows


def _numeric_metrics(measures: Mapping[str, object]) -> dict[str, float]:
    return {
        name: float("nan") if value is None else float(value)
        for name, value in measures.items()
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool))
    }
