"""Options of `tune`."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge
from pydantic import Field

from model_build.util.options import (
    Config,
    Count,
    InputFile,
    InputFiles,
    Metavar,
    OutputFile,
    PositiveInt,
)


class TuneOptions(Config):
    """Search for the best settings, which [train] then takes."""

    trials: PositiveInt = Field(30, description="of each part, those done before included")
    fans: PositiveInt = Field(500, description="fans to measure on")
    seed: int = Field(0, description="of the fans drawn and the search")
    parts: Literal["knn", "affinity", "taste", "all"] = Field("all", description="what to search")
    objective: Annotated[str, Metavar("MEASURE")] | None = Field(
        None,
        description="what to judge by, a measure of evaluate (default: rmse for knn and taste, "
        "ndcg@10 for affinity)",
    )
    only: tuple[Annotated[str, Metavar("SETTING")], ...] = Field(
        (), description="search no other settings", examples=[["k"]]
    )
    affinity_anime: Count | None = Field(
        None, description="fit affinity to the N anime on most lists alone, which is much faster"
    )
    folds: Annotated[int, Ge(2), Metavar("N")] | None = Field(
        None, description="search KNN's k and shrinkage by cross validation in N folds"
    )
    threads: PositiveInt | None = Field(None, description="default: one a processor")


class TuneConfig(TuneOptions):
    """All options of `tune`."""

    exclusive = tuple(
        ("folds", other)
        for other in ("study", "parts", "objective", "catalogue", "affinity_anime", "threads")
    )

    ratings: InputFiles = Field(description="CSV or Parquet")
    out: OutputFile = Field(description="where the best settings go, JSON")
    study: OutputFile | None = Field(None, description="where trials are kept (default: OUT.study)")
    catalogue: InputFile | None = Field(None, description="franchises, for measures of new ones")
