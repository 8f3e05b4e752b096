"""Which anime a command shows: by words, type and age rating, and whether for adults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from model_build.util.errors import InputError
from model_build.util.options import Config, Count, InputFolder, Metavar, named

if TYPE_CHECKING:
    from app.catalogue import Anime, Catalogue
    from app.facets import Facet, ItemFacets
    from app.recommender import EngineName, Model
    from app.recommender.array_types import BoolArray
    from app.schemas.anime import AnimeSummary

AnimeType = Literal["tv", "movie", "ova", "ona", "special", "music"]
Words = tuple[Annotated[str, Metavar("NAME")], ...]


class FilterOptions(Config):
    """Which anime are shown."""

    genre: Words = Field((), description="only anime of all these genres", examples=[["drama"]])
    without: Words = Field((), description="no anime of any of these genres", examples=[["horror"]])
    tag: Words = Field((), description="only anime with all these tags", examples=[["time-skip"]])
    without_tag: Words = Field(
        (), description="no anime with any of these tags", examples=[["gore"]]
    )
    studio: Words = Field(
        (), description="only anime by any of these studios", examples=[["madhouse"]]
    )
    material: Words = Field(
        (), description="only anime made from any of these, such as manga", examples=[["manga"]]
    )
    type: tuple[Annotated[AnimeType, Metavar("NAME")], ...] = Field(
        (), description="tv, movie, ova, ona, special, music", examples=[["tv", "movie"]]
    )
    rating: Literal["g", "pg", "pg13", "r17", "rplus"] | None = Field(
        None, description="no anime of a higher age rating", examples=["pg13"]
    )
    adult: bool = Field(False, description="include adult anime")


class ModelOptions(FilterOptions):
    """Which anime are shown, of which model, as JSON or in words."""

    model: InputFolder
    top: Count = 20
    as_json: bool = named("json", "", False)

    def open(self, engine: str) -> tuple[Model, EngineName, Catalogue, BoolArray]:
        """Open the model; return its engine of that name, catalogue, and what passes, (n,) bool."""
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
    """Where an anime of the model passes, (n,)."""
    import numpy as np

    from app.age_rating import AgeRating
    from app.facets import ItemFacets

    ids = model.anime_id.tolist()
    facets = ItemFacets(model, catalogue)
    allowed = np.ones(len(ids), bool)
    if not config.adult:
        allowed &= ~np.array(catalogue.column_values("adult", ids), bool)
    allowed &= _words_mask(config, facets)
    if config.rating:
        mask = facets.rated_up_to(AgeRating(config.rating))
        if not mask.any():
            raise InputError("--rating: the model's catalogue has no age ratings up to that.")
        allowed &= mask
    if config.type:
        types = facets.media_type
        if not types.names:
            raise InputError("--type: the model's catalogue has none: train with a --catalogue.")
        allowed &= types.mask(*(kind for kind in config.type if kind in types.names))
    return allowed


def _words_mask(config: FilterOptions, facets: ItemFacets) -> BoolArray:
    """Where an anime has the words asked for, and none of those not wanted."""
    import numpy as np

    allowed = np.ones(len(facets.rating_level), bool)
    for facet, wanted, unwanted in (("genre", "genre", "without"), ("tag", "tag", "without_tag")):
        words: Facet = getattr(facets, facet)
        for option in (wanted, unwanted):
            flag = option.replace("_", "-")
            for name in getattr(config, option):
                has = words.mask(find_word(words, f"--{flag} {name}", name))
                allowed &= has if option == wanted else ~has
    for option in ("studio", "material"):
        words, names = getattr(facets, option), getattr(config, option)
        if names:
            slugs = [find_word(words, f"--{option} {name}", name) for name in names]
            allowed &= words.mask(*slugs)
    return allowed


def find_word(facet: Facet, asked: str, name: str, catalogue: str = "--catalogue") -> str:
    """Return the slug of a word, ``asked`` for in these words."""
    from app.facets import slugify

    slug = slugify(name)
    if slug not in facet.names:
        near = facet.suggest(slug)
        some = ", ".join(list(facet.names.values())[:12]) or f"none: train with a {catalogue}"
        hint = f"did you mean {near}?" if near else f"the model's catalogue has {some}."
        raise InputError(f"{asked}: {hint}")
    return slug
