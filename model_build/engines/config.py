"""Options of `engine`, and of all commands that fit ALS or a network."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Le, Lt
from pydantic import Field

from model_build.util.options import (
    Config,
    InputFile,
    InputFiles,
    InputFolder,
    Metavar,
    NonNegativeFloat,
    NonNegativeInt,
    OptionRole,
    OutputFolder,
    PositiveInt,
)

AlsNumber = Annotated[float, Ge(0), Le(10_000)]
"""ALS loses itself, or learns nothing, with numbers far from all sense."""
Strength = Annotated[AlsNumber, Metavar("STRENGTH")]
LearningRateSchedule = Literal["constant", "linear", "cosine", "warmup"]
Initialiser = Literal["normal", "uniform", "xavier", "he"]


class StrengthOptions(Config):
    """What an entry is worth to ALS, and how much what is known is trusted."""

    alpha: AlsNumber = 15.0
    completed: Strength = Field(6.0, description="strength of such an entry")
    favourite: Strength = Field(5.0, description="strength of such an entry")
    watching: Strength = Field(4.0, description="strength of such an entry")
    planned: Strength = Field(3.0, description="strength of such an entry")
    on_hold: Strength = Field(2.0, description="strength of such an entry")
    dropped: Strength = Field(1.0, description="strength of such an entry")
    commented: Strength = Field(2.0, description="added where a line was written about it")
    reviewed: Strength = Field(3.0, description="added where a review was written of it")
    time: Strength = Field(0.0, description="added times log2(1 + hours spent on it)")
    strengths: InputFile | None = Field(
        None,
        description="strengths as `implicit strengths` wrote them; an option of its own goes "
        "before",
        examples=["strengths.json"],
    )


class AlsData(StrengthOptions):
    """What ALS learns from; ``ratings`` or ``interactions`` are needed."""

    ratings: InputFiles = ()
    interactions: InputFiles = Field(
        (), description="what `collect` wrote: favourites count, scores are not needed"
    )
    seed: NonNegativeInt = Field(0, description="of what is hidden, and of fits")


class AlsOptions(StrengthOptions):
    """Settings of ALS."""

    factors: PositiveInt = 20
    regularization: AlsNumber = 0.1
    iterations: PositiveInt = 50


class AlsFitOptions(AlsOptions, AlsData):
    """All that a fit of ALS depends on."""


class NetworkOptions(Config):
    """Settings that every network has; what is not given stays at the engine's default."""

    size: Annotated[PositiveInt, Metavar("SIZE")] | None = Field(
        None, description="numbers an embedding has"
    )
    dropout: Annotated[float, Ge(0), Lt(1)] | None = Field(
        None,
        description="share of an embedding (of a list, for kernel) that is dropped in training, "
        "below 1",
        examples=[0.5],
    )
    decay: NonNegativeFloat | None = Field(
        None, description="how strongly embeddings are held to 0, or to where they start"
    )
    batch: PositiveInt | None = Field(None, description="pairs of a fan and an anime a step")
    rate: NonNegativeFloat | None = Field(None, description="largest learning rate")
    schedule: LearningRateSchedule | None = Field(
        None, description="of the learning rate: constant, linear, cosine or warmup"
    )
    epochs: PositiveInt | None = Field(None, description="at most")
    patience: PositiveInt | None = Field(
        None, description="looks at the validation fans without gain before stopping"
    )
    validation: PositiveInt | None = Field(None, description="fans left out to stop by")
    device: str | None = Field(None, description="cpu, cuda, ...; by default a GPU if there is one")


class EmbeddingOptions(NetworkOptions):
    """Settings of networks whose embeddings start at random."""

    initialiser: Initialiser | None = Field(
        None,
        description="of the embeddings: normal, uniform, xavier or he (kernel starts from the "
        "data)",
    )


class FactorOptions(EmbeddingOptions):
    """Settings of the networks that were described first."""

    output: Literal["linear", "relu"] | None = Field(
        None, description="of scores (mf, mlp, hybrid): linear, or relu, which is never below 0"
    )
    user_bias: bool = Field(
        False, description="fans have learnt biases beside the baseline's (mf, mlp, hybrid)"
    )
    recipe: Literal["today", "as-described"] = Field(
        "today",
        description="as-described: the networks (mf, mlp, hybrid) as they were first described, "
        "with ReLU output, biases of fans, dropout 0.5, uniform start and constant rate; other "
        "options go before",
    )


class HybridOptions(FactorOptions):
    """Settings of the network whose losses share a layer; it has all that the others have."""

    weight_rating: NonNegativeFloat | None = Field(
        None, description="of the loss of scores, where a network learns both (hybrid)"
    )
    weight_interaction: NonNegativeFloat | None = Field(
        None, description="of the loss of interactions, likewise"
    )


class EngineOptions(Config):
    """Options of every engine."""

    exclusive = (("with_fans", "with_centres"),)

    engine: Annotated[str, OptionRole.SUBCOMMAND, Metavar("NAME")]
    seed: NonNegativeInt = 0
    with_fans: bool = Field(
        False,
        description="keep the fans as nameless vectors, for finding fans alike (default: none is "
        "kept)",
    )
    with_centres: bool = Field(
        False,
        description="keep centres of clusters of at least 50 fans, for finding fans alike in a "
        "model that has no fan",
    )


class AlsEngineOptions(AlsOptions, EngineOptions):
    """Further engines beside Hakken's own, a table each, such as [engines.als]."""

    learn_strengths: bool = Field(
        False,
        description="begin with these strengths and search for better ones on masked interactions",
    )
    grid: InputFolder | None = Field(
        None,
        description="runs of `implicit grid`: settings and strengths of the best one; an option of "
        "its own goes before",
        examples=["grid"],
    )


class NetworkEngineOptions(NetworkOptions, EngineOptions):
    """Further engines beside Hakken's own, a table each, such as [engines.als]."""


class EmbeddingEngineOptions(EmbeddingOptions, NetworkEngineOptions):
    """Further engines beside Hakken's own, a table each, such as [engines.als]."""


class FactorEngineOptions(FactorOptions, EmbeddingEngineOptions):
    """Further engines beside Hakken's own, a table each, such as [engines.als]."""


class HybridEngineOptions(HybridOptions, FactorEngineOptions):
    """Further engines beside Hakken's own, a table each, such as [engines.als]."""


class EngineConfig(EngineOptions):
    """What every engine is given by its run."""

    model: InputFolder = Field(description="to add it to")
    out: OutputFolder = Field(description="the new model")


class AlsEngineConfig(AlsEngineOptions, AlsFitOptions, EngineConfig):
    """All options of `engine als`."""


class NetworkEngineConfig(NetworkEngineOptions, EngineConfig):
    """All options of `engine kernel`, which the other networks have, too."""

    ratings: InputFiles


class EmbeddingEngineConfig(EmbeddingEngineOptions, NetworkEngineConfig):
    """All options of `engine cosine`."""


class FactorEngineConfig(FactorEngineOptions, NetworkEngineConfig):
    """All options of `engine mf` and `engine mlp`."""


class HybridEngineConfig(HybridEngineOptions, NetworkEngineConfig):
    """All options of `engine hybrid`."""


ENGINE_OPTIONS: dict[str, type[AlsEngineOptions] | type[NetworkEngineOptions]] = {
    "als": AlsEngineOptions,
    "mf": FactorEngineOptions,
    "mlp": FactorEngineOptions,
    "hybrid": HybridEngineOptions,
    "cosine": EmbeddingEngineOptions,
    "kernel": NetworkEngineOptions,
}
ENGINE_CONFIGS: dict[type[Config], type[Config]] = {
    AlsEngineOptions: AlsEngineConfig,
    NetworkEngineOptions: NetworkEngineConfig,
    EmbeddingEngineOptions: EmbeddingEngineConfig,
    FactorEngineOptions: FactorEngineConfig,
    HybridEngineOptions: HybridEngineConfig,
}
