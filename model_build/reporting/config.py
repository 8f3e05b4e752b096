"""Options of `report`."""

from __future__ import annotations

from pydantic import Field

from model_build.util.options import (
    Config,
    InputFile,
    InputFiles,
    InputFolder,
    NonNegativeInt,
    OutputFile,
    PositiveInt,
    Threads,
)


class ReportOptions(Config):
    """Write a page about the model."""

    fans: PositiveInt = Field(300, description="fans to measure on")
    seed: NonNegativeInt = Field(0, description="of the fans drawn")
    threads: Threads | None = Field(None, description="default: one a processor")
    tastes: InputFile | None = Field(
        None, description="lists to show picks for, TOML (default: ten of clear taste)"
    )


class ReportConfig(ReportOptions):
    """All options of `report`."""

    ratings: InputFiles = Field(description="CSV or Parquet")
    model: InputFolder
    out: OutputFile = Field(description="the page, HTML")
    catalogue: InputFile | None = Field(
        None, description="titles and franchises (default: the model's)"
    )
    compare: InputFile | None = Field(None, description="what compare --json printed, for a table")
