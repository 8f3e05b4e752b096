"""``scripts/outside_check SPLIT``: reference models and metrics held against RecTools.

RecTools wants older libraries than Hakken, so it runs in an environment of its own: there this file
is called without ``--python``. Both are given the same training lists, visible lists and hidden
scores, as ``python -m model_build split`` writes them, and both count with their own code.

RecTools 0.19 adds up the rows of EASE's weights where Steck 2019 adds up the columns: a list gets
x B' in place of x B, divided by the diagonal of the anime on the list in place of that of the one
recommended. So ours is measured both ways.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl

RIDGE = 200.0
RELEVANT_SCORE = 8.0
TOP = 10
PARTS = ("ratings", "lists", "holdout")
ROWS = ("popularity", "EASE^R, x B' as in RecTools")
AS_PUBLISHED = "EASE^R, x B as published"


def measure_rectools(folder: Path) -> dict[str, dict[str, float]]:
    """Fit RecTools' models, recommend with them and measure that with its metrics."""
    import pandas as pd  # type: ignore[import-untyped]
    from rectools import Columns
    from rectools.dataset import Dataset
    from rectools.metrics import NDCG, Precision, calc_metrics
    from rectools.models import EASEModel, PopularModel

    names = {"user_id": Columns.User, "anime_id": Columns.Item}
    ratings, lists, holdout = (
        pd.DataFrame(pl.read_parquet(folder / f"{part}.parquet").to_dict(as_series=False)).rename(
            columns=names
        )
        for part in PARTS
    )
    known = pd.concat([ratings, lists])[[Columns.User, Columns.Item]]
    known[Columns.Weight], known[Columns.Datetime] = 1.0, "2026-01-01"
    dataset = Dataset.construct(known)
    relevant = holdout[holdout["rating"] >= RELEVANT_SCORE][[Columns.User, Columns.Item]]
    metrics = {"ndcg@10": NDCG(TOP, divide_by_achievable=True), "precision@10": Precision(TOP)}
    found = {}
    models = (PopularModel(popularity="n_users"), EASEModel(regularization=RIDGE))
    for name, model in zip(ROWS, models, strict=True):
        model.fit(dataset)
        users = relevant[Columns.User].unique()
        shown = model.recommend(users=users, dataset=dataset, k=TOP, filter_viewed=True)
        found[name] = calc_metrics(metrics, reco=shown, interactions=relevant)
    return found


def measure_hakken(folder: Path) -> dict[str, dict[str, float]]:
    """Measure ours, fitted to the same lists: the visible ones of the fans measured join them."""
    import numpy as np

    from model_build.data.holdout import join_holdout
    from model_build.data.ratings import index_ratings, read_evaluation_ratings
    from model_build.evaluate.metrics import ndcg, precision
    from model_build.evaluate.ranking import EvaluationItems, rank_users
    from model_build.evaluate.reference_models import (
        ease_weights,
        fit_popularity,
        row_sum_ranker,
        user_item_matrix,
    )

    training = index_ratings(
        pl.concat([pl.read_parquet(folder / f"{p}.parquet") for p in PARTS[:2]])
    )
    lists, holdout = (read_evaluation_ratings(folder / f"{part}.parquet") for part in PARTS[1:])
    users, n_items = join_holdout(lists, holdout), len(training.anime_ids)
    items = EvaluationItems.from_catalogue(
        training.anime_ids,
        np.full(n_items, -1),
        np.bincount(training.item, minlength=n_items).astype(np.int32),
        len(training.user_ids),
    )
    weights = ease_weights(user_item_matrix(training), RIDGE)
    rankers = {
        ROWS[0]: fit_popularity(training),
        ROWS[1]: row_sum_ranker(training, weights.T),
        AS_PUBLISHED: row_sum_ranker(training, weights),
    }
    found = {}
    for name, ranker in rankers.items():
        result = rank_users(ranker, items, users)
        found[name] = {
            f"{metric.__name__}@{TOP}": float(
                np.nanmean(metric(result.hits, result.n_relevant, TOP))
            )
            for metric in (ndcg, precision)
        }
    return found


def main() -> None:
    """Measure both, and print them beside each other."""
    parser = argparse.ArgumentParser(prog="scripts/outside_check", description=__doc__)
    parser.add_argument("split", type=Path, help="a folder that split wrote")
    parser.add_argument("--python", help="the Python that has RecTools")
    arguments = parser.parse_args()
    if arguments.python is None:
        json.dump(measure_rectools(arguments.split), sys.stdout)
        return
    command = [arguments.python, __file__, str(arguments.split)]
    theirs: dict[str, dict[str, Any]] = json.loads(
        subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    )
    for name, row in measure_hakken(arguments.split).items():
        for metric, ours in row.items():
            line = f"{name:<28} {metric:<13} Hakken {ours:.4f}"
            if name in theirs:
                line += f"  RecTools {theirs[name][metric]:.4f}"
            sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
