"""What an engine's vectors say is alike: anime to an anime, or fans to a list.

With --anime the anime whose vectors are nearest, or, by `similarity` and `affinity`, those that are
scored alike and those that its fans pick; with --list the fans whose are (of a model whose
engine was fitted --with-fans), their genres and sources, and what they loved that is not on the
list. Example:

    python -m model_build similar --model model-mf --engine mf --anime 5114 --type movie
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from annotated_types import Ge
from pydantic import Field, model_validator

from model_build.commands.catalogue_filters import EngineOptions, format_anime
from model_build.util.errors import InputError
from model_build.util.options import InputFile, Metavar, named


class SimilarConfig(EngineOptions):
    """Options of `similar`; one of ``anime`` and ``list_file`` is needed."""

    exclusive = (("anime", "list_file"),)

    engine: Literal["als", "mf", "mlp", "hybrid", "cosine", "kernel", "similarity", "affinity"] = (
        Field(description="one that the model has; for anime also what every model has")
    )
    anime: Annotated[int, Ge(1), Metavar("ID")] | None = Field(
        None, description="anime like this one"
    )
    list_file: InputFile | None = named("list", "fans like this", None)

    prefer: tuple[Annotated[Literal["genres", "sources"], Metavar("NAME")], ...] = Field(
        (),
        description="with --list: rank what fans loved by the genres, or the source material, that "
        "they prefer, and leave out what they prefer less than others",
    )

    @model_validator(mode="after")
    def _check_given(self) -> Self:
        if self.anime is None and self.list_file is None:
            raise ValueError("one of the arguments --anime --list is required")
        if self.prefer and self.list_file is None:
            raise ValueError("argument --prefer: goes with --list")
        return self


CONFIG = SimilarConfig


def run(config: SimilarConfig) -> None:
    """Print what is alike, in words or as JSON."""
    if config.anime is not None:
        _print_similar_anime(config, config.anime)
    else:
        _print_similar_users(config)


def _print_similar_anime(config: SimilarConfig, anime_id: int) -> None:
    import numpy as np

    from app.recommender.similar_items import similar_items
    from app.schemas.anime import EngineNeighbourSchema, EngineNeighboursResponse, ranked_fields
    from app.schemas.base import to_json

    matrix = config.engine if config.engine in ("similarity", "affinity") else None
    model, engine, catalogue, allowed = config.open("hakken" if matrix else config.engine)
    at = int(model.find_positions(np.array([anime_id], np.int64))[0])
    if at < 0:
        raise InputError(f"--anime {anime_id}: model {model.version} does not know it.")
    found = similar_items(model, config.engine, at, count=config.top, allowed=allowed)
    answer = EngineNeighboursResponse(
        model=model.version,
        engine=matrix or engine,
        anime_id=anime_id,
        similar=[
            EngineNeighbourSchema(
                **ranked_fields(rank, int(model.anime_id[position]), catalogue), likeness=similarity
            )
            for rank, (position, similarity) in enumerate(found, 1)
        ],
    )
    if config.as_json:
        print(to_json(answer).decode())
        return
    print(f"like {catalogue.title(anime_id)}, by {config.engine}:")
    for row in answer.similar:
        print(f"{row.rank:>3}  {row.likeness:.3f}  {format_anime(row)}")


def _print_similar_users(config: SimilarConfig) -> None:
    from app.facets import ItemFacets
    from app.recommender.similar_items import MATRICES
    from app.recommender.user_neighbours import find_user_neighbours
    from app.schemas.base import to_json
    from app.schemas.similar_users import SimilarUsers
    from model_build.data.ratings import read_user_list

    if config.engine in MATRICES:
        raise InputError(f"--engine {config.engine}: knows anime, no fans; name another engine.")
    model, engine, catalogue, allowed = config.open(config.engine)
    if engine not in model.training_users:
        raise InputError(
            f"model {model.version}: its engine {engine} keeps no fans; "
            f"`python -m model_build engine {engine} --with-fans` makes one that does, "
            "--with-centres one that keeps the centres of clusters of them."
        )
    assert config.list_file is not None
    user_list = read_user_list(config.list_file)
    facets = ItemFacets(model, catalogue)
    words = {"genres": facets.genre, "sources": facets.material}
    found = find_user_neighbours(
        model,
        engine,
        user_list,
        count=config.top,
        allowed=allowed,
        preferred=[words[kind] for kind in config.prefer],
    )
    answer = SimilarUsers.build(found, model, catalogue, engine)
    if config.as_json:
        print(to_json(answer).decode())
        return
    n_users = len(model.training_users[engine])
    print(f"the {answer.nearest} fans most like this list, of {n_users:,}")
    for name, preferences in (("genres", answer.genres), ("sources", answer.sources)):
        shares = [f"{each.name} {each.share:.0%} ({each.usual:.0%})" for each in preferences]
        print(f"{name:<8} " + (", ".join(shares) or "the catalogue has none"))
    for row in answer.recommendations:
        preference = f"  x{row.preference:.2f}" if config.prefer else ""
        print(f"{row.rank:>3}  loved by {row.lovers:>2}{preference}  {format_anime(row)}")
