"""The report as one HTML page that needs nothing else, light and dark; its templates are Jinja2."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.recommender.artifact import Manifest
from model_build.reporting.charts import Chart, chart_svg
from model_build.reporting.tastes import TasteTable

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
    if math.isnan(value):
        return "–"
    return f"{value:,.0f}" if value == int(value) and abs(value) > 1 else f"{value:,.4g}"
