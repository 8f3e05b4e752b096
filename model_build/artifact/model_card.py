"""The model card: what a model was trained on, how, how good it is, and what it cannot do."""

from __future__ import annotations

from collections.abc import Mapping

from app.notice import read_sources
from app.recommender.artifact import DatasetInfo

MODEL_CARD_FILE = "MODEL_CARD.md"


def render_model_card(
    version: str,
    dataset: DatasetInfo,
    counts: Mapping[str, int],
    settings: Mapping[str, float | int | str],
    metrics: Mapping[str, float],
) -> str:
    """Markdown text for the file CARD in the artifact."""
    sources = [
        f"- {source.name} ({source.licence})"
        for kind in read_sources(dataset.name)
        for source in kind.sources
    ]
    lines = [
        f"# Model {version}",
        "",
        f"Trained on {dataset.name} (ratings with sha256 `{dataset.fingerprint[:16]}`).",
        "",
        *_markdown_table("Counts", "number", {k: f"{v:,}" for k, v in counts.items()}),
        *_markdown_table("Settings", "value", {k: f"{v}" for k, v in settings.items()}),
    ]
    if metrics:
        lines += [
            "Measured with `python -m model_build evaluate` on fans left out of a training with",
            "the same settings; this model was then trained on all fans.",
            "",
            *_markdown_table("Measures", "value", {k: f"{v:.4g}" for k, v in metrics.items()}),
        ]
    if sources:
        lines += ["## Sources and their licences", "", *sources, ""]
    lines += [
        "## Limits",
        "",
        "- It knows only anime in the training ratings; newer ones are reported as unknown.",
        "- Ratings are those of fans with public lists, who are not all fans.",
        "- A predicted score says how much a fan would like an anime, not how good it is.",
        "- It holds numbers about anime and catalogue facts: no synopsis, no row of any fan.",
        "",
    ]
    return "\n".join(lines)


def _markdown_table(title: str, column: str, rows: Mapping[str, str]) -> list[str]:
    body = [f"| {name} | {value} |" for name, value in rows.items()]
    return [f"## {title}", "", f"| what | {column} |", "|---|---|", *body, ""]
