"""The report as one HTML page that needs nothing else, light and dark; its templates are Jinja2."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.catalogue import Catalogue
from app.recommender import Model
from app.recommender.artifact import Manifest
from model_build.evaluate.evaluation import franchise_by_anime
from model_build.reporting.charts import Chart, chart_svg
from model_build.reporting.tastes import TasteTable
from model_build.util.errors import InputError, read_file
from model_build.util.markdown_tables import format_figure

METRIC_COLUMNS = {
    "ndcg@10": "NDCG@10",
    "recall@10": "recall@10",
    "new_ndcg@10": "NDCG@10 new",
    "coverage": "coverage",
    "rmse": "RMSE",
    "mae": "MAE",
    "train_seconds": "training, s",
    "milliseconds_a_fan": "a fan, ms",
}
"""What the table of a comparison shows, in this order."""
HIGHER_IS_BETTER = ("ndcg@10", "recall@10", "new_ndcg@10", "coverage")


@dataclass(frozen=True, slots=True)
class SimilarAnime:
    """An anime and those most similar to it with their weights, by scores and by affinity."""

    title: str
    similar_by_scores: list[tuple[str, float]]
    similar_by_affinity: list[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class ComparisonTable:
    """Measures of several models; of each cell whether it is the best of its column."""

    columns: list[str]
    rows: dict[str, list[tuple[float, bool]]]


def report_page(
    manifest: Manifest,
    charts: Sequence[Chart],
    similar_anime: Sequence[SimilarAnime],
    compared: Mapping[str, Mapping[str, float]],
    tastes: Sequence[TasteTable] = (),
    *,
    n_users: int,
) -> str:
    """Return the whole document."""
    size = sum(entry.bytes for entry in manifest.files.values()) / 1e6
    settings = {
        name.replace("_", " "): f"{value:.6g}" if isinstance(value, int | float) else value
        for name, value in manifest.hyperparameters.items()
        if not name.endswith("_scale")
    }
    return render_page(
        "report.html.j2",
        manifest=manifest,
        n_users=n_users,
        counts={**{k: f"{v:,}" for k, v in manifest.counts.items()}, "size": f"{size:,.1f} MB"},
        metrics={name: _format_number(value) for name, value in manifest.metrics.items()},
        settings=settings,
        charts=charts,
        comparison=_comparison_table(compared) if compared else None,
        similar_anime=similar_anime,
        tastes=tastes,
    )


def render_page(template: str, **values: object) -> str:
    """Return a template of this package with ``values``, which it escapes."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    environment.globals["chart_svg"] = chart_svg
    environment.filters.update(number=_format_number, decimals=_format_decimals)
    return environment.get_template(template).render(values)


def _comparison_table(compared: Mapping[str, Mapping[str, float]]) -> ComparisonTable:
    names = [name for name in METRIC_COLUMNS if any(name in found for found in compared.values())]
    best = {}
    for name in names:
        values = [m[name] for m in compared.values() if not math.isnan(m.get(name, math.nan))]
        if values:
            best[name] = max(values) if name in HIGHER_IS_BETTER else min(values)
    rows = {
        model: [
            (metrics.get(name, math.nan), metrics.get(name) == best.get(name, math.nan))
            for name in names
        ]
        for model, metrics in compared.items()
    }
    return ComparisonTable([METRIC_COLUMNS[name] for name in names], rows)


def _format_decimals(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else f"{value:,.{digits}f}"


def _format_number(value: float) -> str:
    return "–" if math.isnan(value) else format_figure(value)


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
