"""Options of `tune` and of the parts of `implicit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge
from pydantic import Field

from model_build.engines.config import (
    AlsData,
    AlsFitOptions,
    AlsNumber,
    AlsOptions,
    StrengthOptions,
)
from model_build.util.options import (
    Config,
    Count,
    InputFile,
    InputFiles,
    InputFolder,
    Metavar,
    NonNegativeInt,
    OptionRole,
    OutputFile,
    OutputFolder,
    PositiveInt,
    Threads,
    named,
)


class TuneOptions(Config):
    """Search for the best settings, which [train] then takes."""

    exclusive = tuple(
        ("folds", other)
        for other in (
            "study",
            "parts",
            "objective",
            "catalogue",
            "affinity_anime",
            "threads",
            "start_over",
        )
    )

    trials: PositiveInt = Field(30, description="of each part, those done before included")
    fans: PositiveInt = Field(500, description="fans to measure on")
    seed: NonNegativeInt = Field(0, description="of the fans drawn and the search")
    parts: Literal["knn", "affinity", "taste", "all"] = Field("all", description="what to search")
    objective: Annotated[str, Metavar("MEASURE")] | None = Field(
        None,
        description="what to judge by, a measure of evaluate (default: rmse for knn and taste, "
        "ndcg@10 for affinity)",
        examples=["ndcg@10"],
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
    threads: Threads | None = Field(None, description="default: one a processor")


class TuneConfig(TuneOptions):
    """All options of `tune`."""

    ratings: InputFiles = Field(description="CSV or Parquet")
    out: OutputFile = Field(description="where the best settings go, JSON")
    study: OutputFile | None = Field(None, description="where trials are kept (default: OUT.study)")
    catalogue: InputFile | None = Field(None, description="franchises, for measures of new ones")
    start_over: bool = Field(False, description="drop a study made for something else")

    @property
    def study_file(self) -> Path:
        """Where trials are kept."""
        return self.study or self.out.with_name(f"{self.out.name}.study")


class ImplicitOptions(StrengthOptions):
    """Measure and tune recommending from what fans did, a table for each part."""

    part: Annotated[str, OptionRole.SUBCOMMAND, Metavar("WHAT")]
    seed: NonNegativeInt = Field(0, description="of what is hidden, and of fits")


class StrengthSearchOptions(AlsOptions, ImplicitOptions):
    """Search for what an entry's status is worth; the grid and [engines.als] then take it."""


class EventsOptions(AlsOptions, ImplicitOptions):
    """Measure what favourites, comments, reviews and time add to statuses."""


class GridOptions(ImplicitOptions):
    """Measure ALS with combinations of settings; [engines.als] then takes the best ones."""

    factors: tuple[PositiveInt, ...] = Field((10, 20, 40, 80), description="default 10 20 40 80")
    regularization: tuple[AlsNumber, ...] = Field(
        (0.0, 1e-5, 1e-3, 1e-1), description="default 0 1e-05 0.001 0.1"
    )
    iterations: tuple[PositiveInt, ...] = Field((10, 20, 30, 50), description="default 10 20 30 50")


class ImplicitComparisonOptions(AlsOptions, ImplicitOptions):
    """Measure ALS beside popularity and Hakken's own ranking, on masked interactions."""

    table: InputFolder | None = Field(
        None, description="a grid: its best is compared too", examples=["grid"]
    )
    learnt: InputFile | None = Field(
        None, description="strengths to compare with the fixed ones", examples=["strengths.json"]
    )


class ImplicitConfig(AlsData):
    """What every part of `implicit` is given by its run."""

    as_json: bool = named("json", "all measures, as one JSON array", False)


class StrengthSearchConfig(StrengthSearchOptions, AlsFitOptions, ImplicitConfig):
    """All options of `implicit strengths`."""

    out: OutputFile = Field(description="strengths found")


class EventsConfig(EventsOptions, AlsFitOptions, ImplicitConfig):
    """All options of `implicit events`."""


class GridConfig(GridOptions, ImplicitConfig):
    """All options of `implicit grid`."""

    table: OutputFolder = Field(description="of runs; finished ones are kept")
    start_over: bool = Field(
        False, description="drop the runs of a table that are on other data or strengths"
    )
    model: InputFolder | None = Field(None, description="to add the best one to")
    out: OutputFolder | None = Field(None, description="the new model")


class ImplicitComparisonConfig(ImplicitComparisonOptions, AlsFitOptions, ImplicitConfig):
    """All options of `implicit compare`."""

    catalogue: InputFile | None = Field(None, description="for Hakken's model")


IMPLICIT_OPTIONS: dict[str, type[ImplicitOptions]] = {
    "strengths": StrengthSearchOptions,
    "events": EventsOptions,
    "grid": GridOptions,
    "compare": ImplicitComparisonOptions,
}
IMPLICIT_CONFIGS: dict[type[Config], type[Config]] = {
    StrengthSearchOptions: StrengthSearchConfig,
    EventsOptions: EventsConfig,
    GridOptions: GridConfig,
    ImplicitComparisonOptions: ImplicitComparisonConfig,
}
