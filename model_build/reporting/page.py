"""The page around the charts: one HTML file that needs nothing else, light and dark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from app.recommender.artifact import Manifest
from model_build.reporting.charts import Chart, chart_svg

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

CSS = """
:root { color-scheme: light dark; --ground: #f6f6f4; --card: #ffffff; --ink: #1b1b1a;
  --soft: #5c5c58; --line: #dededa; --series-1: #2a6fc9; --series-2: #d9730d;
  --series-3: #15886a; --series-4: #8a8a85; }
@media (prefers-color-scheme: dark) { :root { --ground: #161615; --card: #20201f; --ink: #f1f1ee;
  --soft: #b0b0aa; --line: #3a3a37; --series-1: #62a0ee; --series-2: #f0994a;
  --series-3: #3fbf98; --series-4: #8f8f89; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem 1rem 3rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; line-height: 1.3; margin: 0; }
h3 { font-size: 1rem; margin: 0 0 .25rem; }
p { margin: .25rem 0 .75rem; color: var(--soft); max-width: 65ch; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  padding: 1rem; min-width: 0; }
main { display: grid; gap: 1rem; margin-top: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
.wide { grid-column: 1 / -1; }
svg { display: block; width: 100%; height: auto; }
dl { display: grid; gap: .75rem 1.5rem; margin: .5rem 0 0;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 8rem), 1fr)); }
dt { color: var(--soft); font-size: .85rem; }
dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
.large svg { min-width: 40rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { padding: .3rem .6rem; text-align: right; font-variant-numeric: tabular-nums;
  border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th { color: var(--soft); font-weight: 600; }
.best { font-weight: 700; }
summary { cursor: pointer; color: var(--soft); font-size: .9rem; padding: .25rem 0; }
.pairs { display: grid; gap: 1rem 2rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr)); }
ol { margin: 0 0 .5rem; padding: 0; list-style: none; font-size: .9rem; }
li { display: flex; gap: .75rem; justify-content: space-between; align-items: baseline;
  border-bottom: 1px solid var(--line); padding: .15rem 0; }
li span:last-child { color: var(--soft); font-variant-numeric: tabular-nums; }
@media (max-width: 30rem) { body { padding: 1rem .6rem 2rem; } section { padding: .75rem; } }
.kind { color: var(--soft); font-size: .85rem; margin: .4rem 0 0; }
"""


@dataclass(frozen=True, slots=True)
class SimilarAnime:
    """An anime and those most like it with their weights, by scores and by who picks them."""

    title: str
    similar_by_scores: list[tuple[str, float]]
    similar_by_affinity: list[tuple[str, float]]


def report_page(
    manifest: Manifest,
    charts: Sequence[Chart],
    similar_anime: Sequence[SimilarAnime],
    compared: Mapping[str, Mapping[str, float]],
    *,
    n_users: int,
) -> str:
    """The whole document."""
    sections = [_model_facts_section(manifest), *(chart_section(chart) for chart in charts)]
    if compared:
        sections.append(_comparison_section(compared))
    sections.append(_similar_anime_section(similar_anime))
    lead = (
        f"Built {escape(manifest.created)} from {escape(manifest.dataset.name)}. Errors and "
        "rankings below were measured with the same settings, trained again without "
        f"{n_users:,} fans, on those fans."
    )
    return html_document(f"Model {escape(manifest.version)}", lead, sections)


def html_document(title: str, lead: str, sections: Sequence[str]) -> str:
    """A whole page of sections, all in HTML."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
        f"<p>{lead}</p>\n<main>\n" + "\n".join(sections) + "\n</main>\n</body>\n</html>\n"
    )


def _model_facts_section(manifest: Manifest) -> str:
    size = sum(facts.bytes for facts in manifest.files.values()) / 1e6
    counts = {**{k: f"{v:,}" for k, v in manifest.counts.items()}, "size": f"{size:,.1f} MB"}
    settings = {
        name.replace("_", " "): f"{value:.6g}" if isinstance(value, int | float) else value
        for name, value in manifest.hyperparameters.items()
        if not name.endswith("_scale")
    }
    measures = {name: _format_number(value) for name, value in manifest.metrics.items()}
    recorded = (
        "<h3>Measures recorded when it was built</h3>" + definition_list(measures)
        if measures
        else ""
    )
    return (
        f'<section class="wide"><h2>The model</h2>{definition_list(counts)}{recorded}'
        f"<details><summary>Settings</summary>{definition_list(settings)}</details></section>"
    )


def definition_list(values: Mapping[str, str]) -> str:
    """Facts by name, as a list."""
    rows = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in values.items()
    )
    return f"<dl>{rows}</dl>"


def chart_section(chart: Chart) -> str:
    """A chart with its note, and its numbers as a table to unfold."""
    head = "".join(f"<th>{escape(name)}</th>" for name in (chart.x_label, *chart.series))
    rows = "".join(
        f"<tr><td>{escape(x)}</td>"
        + "".join(_format_cell(values[at], chart.digits) for values in chart.series.values())
        + "</tr>"
        for at, x in enumerate(chart.x)
    )
    return (
        f"<section><h2>{escape(chart.title)}</h2><p>{escape(chart.note)}</p>{chart_svg(chart)}"
        f'<details><summary>Numbers</summary><div class="scroll"><table><thead><tr>{head}</tr>'
        f"</thead><tbody>{rows}</tbody></table></div></details></section>"
    )


def _format_cell(value: float, digits: int) -> str:
    return "<td>–</td>" if math.isnan(value) else f"<td>{value:,.{digits}f}</td>"


def _comparison_section(compared: Mapping[str, Mapping[str, float]]) -> str:
    order = [name for name in METRIC_COLUMNS if any(name in found for found in compared.values())]
    best = {}
    for name in order:
        values = [m[name] for m in compared.values() if not math.isnan(m.get(name, math.nan))]
        if values:
            best[name] = max(values) if name in HIGHER_IS_BETTER else min(values)

    def cell(name: str, value: float) -> str:
        mark = ' class="best"' if value == best.get(name) else ""
        return f"<td{mark}>{_format_number(value)}</td>"

    head = "".join(f"<th>{METRIC_COLUMNS[name]}</th>" for name in order)
    rows = "".join(
        f"<tr><td>{escape(model)}</td>"
        + "".join(cell(name, measures.get(name, math.nan)) for name in order)
        + "</tr>"
        for model, measures in compared.items()
    )
    return (
        '<section class="wide"><h2>Beside other models</h2><p>What <code>compare</code> measured '
        "on one split; the best of each measure is bold.</p>"
        f'<div class="scroll"><table><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody>'
        "</table></div></section>"
    )


def _format_number(value: float) -> str:
    if math.isnan(value):
        return "–"
    return f"{value:,.0f}" if value == int(value) and abs(value) > 1 else f"{value:,.4g}"


def _similar_anime_section(similar_anime: Sequence[SimilarAnime]) -> str:
    cards = "".join(
        f"<div><h3>{escape(one.title)}</h3>"
        + _ranked_list("scored alike (similarity)", one.similar_by_scores)
        + _ranked_list("picked together (affinity)", one.similar_by_affinity)
        + "</div>"
        for one in similar_anime
    )
    return (
        '<section class="wide"><h2>Most similar anime</h2><p>Of the anime with most scores, one '
        "a franchise: what fans scored alike, and what fans of one pick as well.</p>"
        f'<div class="pairs">{cards}</div></section>'
    )


def _ranked_list(kind: str, neighbours: Sequence[tuple[str, float]]) -> str:
    rows = "".join(
        f"<li><span>{escape(title)}</span><span>{weight:.3f}</span></li>"
        for title, weight in neighbours
    )
    return f'<p class="kind">{kind}</p><ol>{rows or "<li><span>none</span></li>"}</ol>'
