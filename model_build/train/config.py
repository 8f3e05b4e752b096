"""Options of `train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from annotated_types import Ge
from pydantic import Field

from model_build.train.hyperparameters import Hyperparameters
from model_build.util.options import (
    ByteSize,
    Config,
    Count,
    InputFile,
    InputPlaces,
    Metavar,
    OptionRole,
    OutputFolder,
    Threads,
)


class RunOptions(Config):
    """How and where is trained."""

    name: str = Field("ratings", description="what to call the data in the manifest")
    settings: InputFile | None = Field(
        None, description="what tune wrote; options given here win over it"
    )
    parameters: InputFile | None = Field(
        None, description="what calibrate wrote: weights, powers and thresholds of serving"
    )
    as_of: Annotated[int, Ge(1), Metavar("YEAR")] | None = Field(
        None,
        description="the year that the model is for (default: that of the newest anime on enough "
        "lists)",
        examples=[2026],
    )
    fresh_since: Annotated[int, Ge(0), Metavar("YEAR")] | None = Field(
        None,
        description="anime of this year or later get a place even without scores; 0: none does "
        "(default: those of the last five years)",
        examples=[2024],
    )
    no_rerank: bool = Field(
        False, description="leave out the second stage of ranking, which takes most of the time"
    )
    work: Annotated[Path, OptionRole.PLACE, Metavar("DIR")] | None = Field(
        None,
        description="keep finished stages there, also after the end, for trainings with other "
        "settings",
    )
    scheduler: Annotated[str, Metavar("ADDRESS")] | None = Field(
        None, description="train on the workers of tcp://host:port"
    )
    local_cluster: Count | None = Field(None, description="train on N workers on this host")
    worker_memory: ByteSize = Field("2GB", description="what each of the N may use, such as 4GB")
    keep_sums: bool = Field(
        False,
        description="keep what later fans can be added to, in OUT.sums beside the model; it is "
        "private",
    )
    since: Annotated[Path, OptionRole.INPUT, Metavar("MODEL")] | None = Field(
        None,
        description="add the partitions that came since to the sums of that model, and keep the "
        "new sums",
    )
    threads: Threads | None = Field(
        None, description="of this process, not of workers (default: one a processor)"
    )


class TrainOptions(Hyperparameters, RunOptions):
    """Options of `train` that are not about files of one run."""

    exclusive = (("scheduler", "local_cluster"),)


class TrainConfig(TrainOptions):
    """All options of `train`; ``ratings`` are files, or folders or buckets that prepare wrote."""

    ratings: InputPlaces = Field(
        description="CSV, Parquet or what prepare wrote (for workers also gs://bucket/prefix)"
    )
    out: OutputFolder = Field(description="the model's place")
    catalogue: InputFile | None = Field(None, description="facts about anime, CSV or Parquet")
    metrics: InputFile | None = Field(
        None, description="what evaluate --json printed, to be recorded"
    )
    quiet: bool = Field(False, description="no progress bars")
