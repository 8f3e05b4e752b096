"""Options of `evaluate`, `compare` and `neural`."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from model_build.engines.config import HybridOptions
from model_build.util.options import (
    Config,
    Count,
    EngineChoice,
    InputFile,
    InputFiles,
    InputFolder,
    Metavar,
    NonNegativeInt,
    OrderName,
    PositiveInt,
    named,
)

DefaultName = Literal[
    "popularity",
    "knn-baseline",
    "similarity-sum",
    "cosine",
    "als",
    "ease",
    "ease-weighted",
    "first-stage",
    "match",
    "score",
    "discover",
    "engine-als",
]
RecommenderName = Literal[
    DefaultName,
    "engine-mf",
    "engine-mlp",
    "engine-hybrid",
    "engine-cosine",
    "engine-kernel",
    "knn-term",
    "gaussian-term",
    "without-franchise",
    "without-age",
    "without-fit",
    "without-score",
]

PredictorName = Literal["mf", "mlp", "hybrid", "cosine", "kernel", "svd", "knn-baseline", "match"]


class EvaluateOptions(Config):
    """Options of `evaluate` that are not about files of one run."""

    order: OrderName = "match"
    by_length: bool = Field(False, description="also with lists cut to 5, 20, 100 and 500 titles")
    full_knn: Count | None = Field(
        None,
        description="compare order=score of N of the fans with KNN over all similarities, fitted "
        "again to what the model was trained on",
        examples=[200],
    )
    seed: NonNegativeInt = Field(0, description="of resamples and of cut lists")


class EvaluateConfig(EvaluateOptions):
    """All options of `evaluate`."""

    model: InputFolder
    lists: InputFile = Field(description="what is seen")
    holdout: InputFile = Field(description="what is hidden")
    ratings: InputFiles = Field(
        (), description="what the model was trained on, to verify that no fan measured on is in it"
    )
    engine: EngineChoice = Field("hakken", description="one that the model has")
    as_json: bool = named("json", "one JSON object instead of a table", False)


class CompareOptions(Config):
    """Measure Hakken and other recommenders side by side."""

    fans: PositiveInt = Field(1000, description="fans to take out")
    seed: NonNegativeInt = Field(0, description="of the fans and what is hidden")
    models: tuple[Annotated[RecommenderName, Metavar("NAME")], ...] = Field(
        get_args(DefaultName),
        description="which to compare (default those up to engine-als): "
        f"{', '.join(get_args(RecommenderName))}",
    )


class CompareConfig(CompareOptions):
    """All options of `compare`."""

    ratings: InputFiles
    catalogue: InputFile | None = Field(None, description="franchises and genres")
    as_json: bool = named("json", "all measures, as one JSON array", False)


class NeuralOptions(HybridOptions):
    """Measure networks and other predictors of scores and likes; not given: their defaults."""

    fans: PositiveInt = Field(1000, description="fans to measure on")
    seed: NonNegativeInt = Field(0, description="of the fans and what is hidden")
    split: Literal["fans", "pairs"] = "fans"
    models: tuple[Annotated[PredictorName, Metavar("NAME")], ...] = Field(
        get_args(PredictorName),
        description=f"which to measure (default all: {', '.join(get_args(PredictorName))})",
    )


class NeuralConfig(NeuralOptions):
    """All options of `neural`."""

    ratings: InputFiles
    as_json: bool = named("json", "all measures, as one JSON array", False)
