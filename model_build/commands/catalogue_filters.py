"""Which anime a command shows: by genre, by type, and whether for adults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from model_build.util.errors import InputError
from model_build.util.options import Config, Count, InputFolder, Metavar, named

if TYPE_CHECKING:
    from app.catalogue import Anime, Catalogue
    from app.recommender import EngineName, Model
    from app.recommender.array_types import BoolArray
    from app.schemas.anime import AnimeSummary

AnimeType = Literal["tv", "movie", "ova", "ona", "special", "music"]


class FilterOptions(Config):
    """Which anime are shown."""

    genre: tuple[Annotated[str, Metavar("NAME")], ...] = Field(
        (), description="only anime of all these genres"
    )
    type: tuple[Annotated[AnimeType, Metavar("NAME")], ...] = Field(
        (), description="tv, movie, ova, ona, special, music"
    )
    adult: bool = Field(False, description="include adult anime")


class EngineOptions(FilterOptions):
    """Which anime are shown, of which model, as JSON or in words."""

    model: InputFolder
    top: Count = 20
    as_json: bool = named("json", "", False)

    def open(self, engine: str) -> tuple[Model, EngineName, Catalogue, BoolArray]:
        """Open the model; return its engine of that name, catalogue, and where an anime passes."""
        from app.catalogue import Catalogue
        from app.recommender import Model
        from model_build.evaluate.job import require_engine

        model = Model.open(self.model)
        found = require_engine(model, engine)
        catalogue = Catalogue.open(model.catalogue_path)
        return model, found, catalogue, filter_mask(self, model, catalogue)


def format_anime(anime: AnimeSummary | Anime) -> str:
    """Title, type and year, as far as they are known."""
    facts = ", ".join(str(fact) for fact in (anime.type, anime.year) if fact)
    return f"{anime.title} ({facts})" if facts else anime.title


def filter_mask(config: FilterOptions, model: Model, catalogue: Catalogue) -> BoolArray:
    """Where an anime of the model passes, (n,).

    Raises
    ------
    InputError
        The catalogue has no genres or types, or not one of those asked for.
    """
    import numpy as np

    from model_build.data.catalogue import ANIME_TYPE_NAMES

    ids = model.anime_id.tolist()
    allowed = np.ones(len(ids), bool)
    if not config.adult:
        allowed &= ~np.array(catalogue.column_values("adult", ids), bool)
    if config.genre:
        genres = [
            set((names or "").casefold().split(";"))
            for names in catalogue.column_values("genres", ids)
        ]
        known = set().union(*genres) - {""}
        for genre in config.genre:
            if genre.casefold() not in known:
                some = ", ".join(sorted(known)[:12]) or "none: train with a --catalogue that does"
                raise InputError(f"--genre {genre}: the model's catalogue has {some}.")
            allowed &= np.array([genre.casefold() in names for names in genres], bool)
    if config.type:
        wanted = {ANIME_TYPE_NAMES[kind.upper()] for kind in config.type}
        if "special" in config.type:
            wanted.add(ANIME_TYPE_NAMES["TV SPECIAL"])
        kinds = catalogue.column_values("type", ids)
        if not any(kinds):
            raise InputError("--type: the model's catalogue has none: train with a --catalogue.")
        allowed &= np.array([kind in wanted for kind in kinds], bool)
    return allowed
