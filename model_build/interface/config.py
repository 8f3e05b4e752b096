"""Options of `recommend` and `similar`, and of what does the same in a pipeline and from Python."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeVar

from annotated_types import Ge, Le
from pydantic import Field, ValidationError, model_validator

from model_build.interface.filters import FilterOptions, ModelOptions
from model_build.util.errors import InputError, first_error
from model_build.util.options import (
    Config,
    Count,
    EngineChoice,
    InputFile,
    Metavar,
    OrderName,
    OutputFile,
    named,
)

UserEngine = Literal["als", "mf", "mlp", "hybrid", "cosine", "kernel"]
ItemSource = Literal[UserEngine, "similarity", "affinity"]
AnimeId = Annotated[int, Ge(1), Metavar("ID")]
Preferred = tuple[Annotated[Literal["genres", "sources"], Metavar("NAME")], ...]
ConfigT = TypeVar("ConfigT", bound=Config)


def checked_options(kind: type[ConfigT], /, **given: Any) -> ConfigT:
    """Return arguments of a function as the options that they would be of a command."""
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise InputError(f"{first_error(error, 'options')}.") from None


class RankingOptions(FilterOptions):
    """How recommendations are ranked."""

    order: OrderName = "match"
    engine: EngineChoice = Field("hakken", description="one that the model has")
    min_score: Annotated[float, Ge(1), Le(10)] | None = Field(
        None, description="the least predicted score, 1 to 10"
    )


class PickOptions(RankingOptions):
    """How recommendations are ranked, and how many are shown."""

    top: Count = 20


class RecommendConfig(RankingOptions, ModelOptions):
    """Options of `recommend`."""

    list_file: InputFile | None = named("list", "one list", None)
    interactions: InputFile | None = Field(None, description="what `collect` found, of all users")
    user: Annotated[str, Metavar("ID")] | None = Field(
        None, description="one user of the interactions, by its user_id"
    )
    top_users: Count | None = Field(
        None, description="the most active users of the interactions", examples=[5]
    )
    picture: OutputFile | None = Field(
        None, description="favourites beside recommendations, drawn (.png or .svg)"
    )


class SimilarConfig(ModelOptions):
    """Options of `similar`; one of ``anime``, ``title`` and ``list_file`` is needed."""

    exclusive = (("anime", "list_file"), ("anime", "title"), ("title", "list_file"))

    engine: ItemSource = Field(
        description="one that the model has; for anime also what every model has"
    )
    anime: AnimeId | None = Field(None, description="anime like this one")
    title: str | None = Field(None, description="the same, by its whole title")
    list_file: InputFile | None = named("list", "fans like this", None)
    prefer: Preferred = Field(
        (),
        description="with --list: rank what fans loved by the genres, or the source material, that "
        "they prefer, and leave out what they prefer less than others",
    )

    @model_validator(mode="after")
    def _check_given(self) -> Self:
        if self.anime is None and self.title is None and self.list_file is None:
            raise ValueError("one of the arguments --anime --title --list is required")
        if self.prefer and self.list_file is None:
            raise ValueError("argument --prefer: goes with --list")
        return self


class ByRatingsSection(RankingOptions):
    """Recommend for a list."""

    list_file: InputFile = named("list", "columns anime_id, rating and optionally status")
    top: Count = 20


class SimilarAnimeSection(FilterOptions):
    """Recommend anime like an anime."""

    title: str = Field(
        description="of the anime, the whole of it in any language", examples=["Cowboy Bebop"]
    )
    engine: ItemSource = Field("affinity", description="an engine, similarity or affinity")
    top: Count = 20


class SimilarUsersSection(FilterOptions):
    """Recommend what fans like a list loved; needs an engine with_fans or with_centres."""

    list_file: InputFile = named("list", "columns anime_id, rating and optionally status")
    engine: UserEngine = Field("als", description="one that knows fans")
    prefer: Preferred = Field(
        (), description="what of those fans ranks: genres, sources", examples=[["genres"]]
    )
    top: Count = 20
