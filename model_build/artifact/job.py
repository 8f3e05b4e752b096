"""`annotate`, `fetch` and `publish`; each returns what was done, for people."""

from __future__ import annotations

from model_build.artifact.config import AnnotateConfig, FetchConfig, PublishConfig
from model_build.artifact.metrics import annotate_model, read_evaluation_metrics
from model_build.artifact.pretrained import download_model
from model_build.artifact.publish import QualityGate, publish_model
from model_build.artifact.store import open_model_store


def annotate(config: AnnotateConfig) -> str:
    """Write measures into a copy of a model."""
    metrics = read_evaluation_metrics(config.metrics)
    manifest = annotate_model(config.model, metrics, config.out)
    return f"model       {manifest.version} in {config.out}"


def fetch(config: FetchConfig) -> str:
    """Copy a published model, or the bundled one, and verify it."""
    version = download_model(config.source, config.version, config.out, config.mlflow_uri)
    return f"model       {version} in {config.out}"


def publish(config: PublishConfig) -> str:
    """Make a model the live one unless the gate refuses it."""
    gate = QualityGate(config.metric, config.allow_drop, config.force)
    with open_model_store(config.to, "--to") as store:
        done = publish_model(config.model, store, gate)
    before = (
        "as before"
        if done.previous_version == done.version
        else f"before: {done.previous_version or 'none'}"
    )
    return (
        f"quality     {done.verdict}\n"
        f"uploaded    {done.files_written} files, {done.bytes_written / 1e6:.1f} MB "
        f"of {done.total_bytes / 1e6:.1f} MB; the rest was there\n"
        f"live        {done.version} at {store.url} ({before})"
    )
