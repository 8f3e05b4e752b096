"""Measure Hakken and other recommenders side by side, all trained on the same fans.

Takes fans out of the ratings, trains popularity, KNN, EASE^R, ALS and Hakken on the rest, and
prints one table. The engines that need PyTorch are compared where --models names them. "New" looks
only at franchises that are not on the list, one anime a franchise; that takes a --catalogue with
franchises. Example:

    python -m model_build compare --ratings ratings.parquet --catalogue anime.parquet --seed 7
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_build.evaluate.config import CompareConfig
from model_build.util.markdown_tables import format_cell, format_cells

if TYPE_CHECKING:
    from model_build.evaluate.comparison import ComparisonRow

CONFIG = CompareConfig
TABLE_COLUMNS = ("NDCG@10", "recall@10", "NDCG@10 new", "coverage", "RMSE", "train s", "ms a fan")


def run(config: CompareConfig) -> None:
    """Print the table, or its rows as JSON."""
    from model_build.evaluate.job import compare, comparison_json
    from model_build.util.markdown_tables import print_table

    if config.as_json:
        print(comparison_json(config))
        return
    print_table(("recommender", *TABLE_COLUMNS), (_cells(row) for row in compare(config)))


def _cells(row: ComparisonRow) -> list[str]:
    if row.missing:
        return [f"{row.title}: {row.missing}", *("-" for _ in TABLE_COLUMNS)]
    return [
        f"{row.title:<37}",
        *format_cells(row.measured, ".3f", "ndcg@10", "recall@10", "new_ndcg@10"),
        *format_cells(row.measured, ",d", "coverage"),
        *format_cells(row.measured, ".3f", "rmse"),
        format_cell(row.train_seconds, ".1f"),
        format_cell(row.milliseconds_a_fan, ".2f"),
    ]
