"""Options of `annotate`, `fetch` and `publish`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from model_build.util.options import (
    Config,
    InputFile,
    InputFolder,
    Location,
    Metavar,
    NonNegativeFloat,
    OutputFolder,
    named,
)

GateMetric = Literal[
    "ndcg@10", "recall@10", "map@10", "new_ndcg@10", "ndcg@20", "recall@20", "map@20"
]
"""Held-out measures of `evaluate` of which more is better."""


class PublishOptions(Config):
    """Make the model the live one. Left out, nothing is published."""

    to: Location = Field(
        description="gs://bucket/prefix, s3://bucket/prefix, hf://owner/name, or a directory",
        examples=["gs://bucket/models"],
    )
    metric: Annotated[GateMetric, Metavar("NAME")] = Field(
        "ndcg@10",
        description="what is compared with the live model, of ndcg@10, recall@10, map@10, "
        "new_ndcg@10, ndcg@20, recall@20, map@20",
    )
    allow_drop: Annotated[NonNegativeFloat, Metavar("X")] = Field(
        0.01, description="how far it may fall"
    )
    force: bool = Field(False, description="publish a worse model, too")


class PublishConfig(PublishOptions):
    """All options of `publish`."""

    model: InputFolder


class FetchConfig(Config):
    """Options of `fetch`."""

    source: Location = named(
        "from",
        "bundled, gs:// or s3://bucket/prefix, hf://owner/name, a directory, models:/name/version "
        "of MLflow or "
        "wandb:entity/project/name:version of Weights & Biases",
    )
    version: Annotated[str, Metavar("VERSION")] | None = Field(
        None, description="as versions lists it (default: live)"
    )
    mlflow_uri: Location | None = Field(
        None, description="MLflow's server, for models:/ (default: MLFLOW_TRACKING_URI)"
    )
    out: OutputFolder = Field(description="the model's place")


class AnnotateConfig(Config):
    """Options of `annotate`."""

    model: InputFolder
    metrics: InputFile = Field(description="what evaluate --json printed")
    out: OutputFolder = Field(description="the new model")
