"""Measure Hakken and other recommenders side by side, all trained on the same fans.

Takes fans out of the ratings, trains popularity, KNN, EASE^R, ALS and Hakken on the rest, and
prints one table. The engines that need PyTorch are compared where --models names them. "New" looks
only at franchises that are not on the list, one anime a franchise; that takes a --catalogue with
franchises. Example:

    python -m model_build compare --ratings ratings.parquet --catalogue anime.parquet --seed 7
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from model_build.commands.arguments import positive_int
from model_build.data.catalogue import read_catalogue
from model_build.data.ratings import read_ratings
from model_build.evaluate.comparison import (
    NAMES_WITHOUT_TORCH,
    RECOMMENDER_NAMES,
    ComparisonRow,
    compare_recommenders,
)
from model_build.util.markdown_tables import format_cell, nan_to_null, print_table

HELP = "measure Hakken and other recommenders side by side"
TABLE_COLUMNS = ("NDCG@10", "recall@10", "NDCG@10 new", "coverage", "RMSE", "train s", "ms a fan")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ratings", type=Path, nargs="+", required=True, metavar="FILE")
    parser.add_argument("--catalogue", type=Path, metavar="FILE", help="franchises and genres")
    parser.add_argument("--fans", type=positive_int, default=1000, help="fans to take out")
    parser.add_argument("--seed", type=int, default=0, help="of the fans and what is hidden")
    parser.add_argument(
        "--models",
        nargs="+",
        choices=RECOMMENDER_NAMES,
        default=NAMES_WITHOUT_TORCH,
        metavar="NAME",
        help=f"which to compare (default all that need no PyTorch): {', '.join(RECOMMENDER_NAMES)}",
    )
    parser.add_argument("--json", action="store_true", help="all measures, as one JSON array")


def run(arguments: argparse.Namespace) -> None:
    catalogue = read_catalogue(arguments.catalogue) if arguments.catalogue else None
    rows = compare_recommenders(
        read_ratings(arguments.ratings),
        catalogue,
        arguments.models,
        n_users=arguments.fans,
        seed=arguments.seed,
        progress=sys.stderr.isatty(),
    )
    if arguments.json:
        print(json.dumps([nan_to_null(asdict(row)) for row in rows]))
        return
    print_table(("recommender", *TABLE_COLUMNS), map(_table_cells, rows))


def _table_cells(row: ComparisonRow) -> list[str]:
    shares = (row.measured[name] for name in ("ndcg@10", "recall@10", "new_ndcg@10"))
    return [
        f"{row.title:<37}",
        *(format_cell(value, ".3f") for value in shares),
        format_cell(row.measured["coverage"], ",d"),
        format_cell(row.measured["rmse"], ".3f"),
        format_cell(row.train_seconds, ".1f"),
        format_cell(row.milliseconds_a_fan, ".2f"),
    ]
