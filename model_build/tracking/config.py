"""Options of the trackers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from model_build.util.options import Config


class MLflowOptions(Config):
    """Track every run with MLflow."""

    uri: str | None = Field(
        None,
        description="a tracking server (default: a SQLite file in the work folder)",
        examples=["http://127.0.0.1:5000"],
    )
    experiment: str = Field("hakken", description="what runs are filed under")
    register_as: str = Field("hakken", description="name of the model in the registry; empty: none")
    model_files: bool = Field(True, description="whether the model itself is kept with the run")


class WandbOptions(Config):
    """Track every run with Weights & Biases."""

    project: str = Field("hakken", description="what runs are filed under")
    entity: str | None = Field(None, description="the user or team that it belongs to")
    mode: Literal["online", "offline"] | None = Field(
        None,
        description="online or offline (default: online where WANDB_API_KEY is set)",
        examples=["offline"],
    )
    model_files: bool = Field(False, description="whether the model itself is kept with the run")
