"""Metrics of a model: read from a file, written into a trained model and its model card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.notice import read_sources
from app.recommender import EngineName
from app.recommender.artifact import (
    CATALOGUE_FILE,
    EVALUATION_FILE,
    DatasetInfo,
    Manifest,
    ModelArtifact,
    open_artifact,
    write_artifact,
)
from model_build.util.errors import InputError
from model_build.util.markdown_tables import format_figure


def read_evaluation_metrics(path: Path) -> dict[str, Any]:
    """Return what ``evaluate --json`` printed."""
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        scalar_metrics(found)
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise InputError(
            f"{path}: expected one JSON object of numbers, as evaluate --json prints ({error})."
        ) from None
    return found


def scalar_metrics(evaluation: Mapping[str, Any]) -> dict[str, float]:
    """Keep the numbers: no tables, and nothing that could not be measured (null)."""
    return {
        name: float(value)
        for name, value in evaluation.items()
        if value is not None and not isinstance(value, dict | list)
    }


def evaluation_metrics_json(evaluation: Mapping[str, Any]) -> str:
    """Return the content of `EVALUATION_FILE`."""
    return json.dumps(evaluation, indent=1) + "\n"


def annotate_model(model: Path, evaluation: Mapping[str, Any], out: Path) -> Manifest:
    """Write the model at ``model`` again with these metrics, as a new version of the same time."""
    artifact = open_artifact(model)
    before = artifact.manifest
    # What an earlier evaluation told goes, also where this one measured nothing.
    of_engines = {name: value for name, value in before.metrics.items() if _is_of_engine(name)}
    metrics = of_engines | scalar_metrics(evaluation)
    content = f"{before.version} {json.dumps(evaluation, sort_keys=True)}"
    time = before.version.partition("-")[0]
    version = f"{time}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"
    documents = {EVALUATION_FILE: evaluation_metrics_json(evaluation)}
    return rewrite_model(artifact, out, version, metrics=metrics, documents=documents)


MODEL_CARD_FILE = "MODEL_CARD.md"
ENGINE_PREFIXES = tuple(f"{name}_" for name in EngineName if name is not EngineName.HAKKEN)


def _is_of_engine(metric: str) -> bool:
    """Whether a metric was recorded by a further engine, of its own training."""
    return metric.startswith(ENGINE_PREFIXES)


def rewrite_model(
    artifact: ModelArtifact,
    out: Path,
    version: str,
    *,
    metrics: dict[str, float],
    created: str | None = None,
    hyperparameters: dict[str, float | int | str] | None = None,
    arrays: Mapping[str, npt.NDArray[Any]] | None = None,
    documents: Mapping[str, str] | None = None,
) -> Manifest:
    """Write an opened model as another version, with what is given instead of its own."""
    before = artifact.manifest
    settings = before.hyperparameters if hyperparameters is None else hyperparameters
    others = {
        name: (artifact.path / name).read_text("utf-8")
        for name in before.files
        if not name.endswith(".npy") and name != CATALOGUE_FILE
    }
    arrays = artifact.arrays if arrays is None else arrays
    card = render_model_card(version, before.dataset, before.counts, settings, metrics, arrays)
    return write_artifact(
        out,
        version=version,
        created=created or before.created,
        dataset=before.dataset,
        counts=before.counts,
        hyperparameters=settings,
        serving_parameters=before.serving_parameters,
        metrics=metrics,
        arrays=arrays,
        catalogue=artifact.catalogue_path.read_bytes(),
        documents={**others, MODEL_CARD_FILE: card, **(documents or {})},
    )


def render_model_card(
    version: str,
    dataset: DatasetInfo,
    counts: Mapping[str, int],
    settings: Mapping[str, float | int | str],
    metrics: Mapping[str, float],
    arrays: Collection[str] = (),
) -> str:
    """Render the model card, Markdown, of a model that has ``arrays``, by name."""
    environment = Environment(  # noqa: S701 -- Markdown, of what this program itself knows
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    return environment.get_template(f"{MODEL_CARD_FILE}.j2").render(
        version=version,
        dataset=dataset,
        counts=counts,
        settings=settings,
        metrics={name: format_figure(value) for name, value in metrics.items()},
        of_engines=any(map(_is_of_engine, metrics)),
        only_of_engines=all(map(_is_of_engine, metrics)),
        has_fans=any("_training_users_" in name for name in arrays),
        sources=[source for kind in read_sources(dataset.name) for source in kind.sources],
    )
