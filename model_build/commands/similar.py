"""What an engine's vectors say is alike: anime to an anime, or fans to a list.

With --anime the anime whose vectors are nearest; with --list the fans whose are (of a model whose
engine was fitted --with-fans), their genres and sources, and what they loved that is not on the
list. Example:

    python -m model_build similar --model model-mf --engine mf --anime 5114 --type movie
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from app.catalogue import Catalogue
from app.recommender import EngineName, Model
from app.recommender.array_types import BoolArray
from app.recommender.user_neighbours import find_user_neighbours, similar_items
from app.schemas.anime import (
    AnimeSummary,
    EngineNeighbourSchema,
    EngineNeighboursResponse,
    ranked_fields,
)
from app.schemas.similar_users import SimilarUsers
from model_build.commands.arguments import positive_int, require_engine
from model_build.commands.catalogue_filters import add_filter_options, filter_mask
from model_build.data.ratings import read_user_list
from model_build.util.errors import InputError

HELP = "what is alike by an engine's vectors: anime, or fans"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, required=True, metavar="DIR")
    engines = [name for name in EngineName if name is not EngineName.HAKKEN]
    parser.add_argument("--engine", type=EngineName, choices=engines, required=True)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--anime", type=positive_int, metavar="ID", help="anime like this one")
    what.add_argument("--list", type=Path, metavar="FILE", dest="list_file", help="fans like this")
    parser.add_argument("--top", type=positive_int, default=20, metavar="N")
    add_filter_options(parser)
    parser.add_argument("--json", action="store_true")


def run(arguments: argparse.Namespace) -> None:
    model = Model.open(arguments.model)
    require_engine(model, arguments.engine)
    catalogue = Catalogue.open(model.catalogue_path)
    allowed = filter_mask(arguments, model, catalogue)
    if arguments.anime is not None:
        _print_similar_anime(arguments, model, catalogue, allowed)
    else:
        _print_similar_users(arguments, model, catalogue, allowed)


def _print_similar_anime(
    arguments: argparse.Namespace, model: Model, catalogue: Catalogue, allowed: BoolArray
) -> None:
    at = int(model.find_positions(np.array([arguments.anime], np.int64))[0])
    if at < 0:
        raise InputError(f"--anime {arguments.anime}: model {model.version} does not know it.")
    found = similar_items(model, arguments.engine, at, count=arguments.top, allowed=allowed)
    answer = EngineNeighboursResponse(
        model=model.version,
        engine=arguments.engine,
        anime_id=arguments.anime,
        similar=[
            EngineNeighbourSchema(
                **ranked_fields(rank, int(model.anime_id[position]), catalogue), likeness=likeness
            )
            for rank, (position, likeness) in enumerate(found, 1)
        ],
    )
    if arguments.json:
        print(answer.model_dump_json())
        return
    print(f"like {catalogue.title(arguments.anime)}, by {arguments.engine}:")
    for row in answer.similar:
        print(f"{row.rank:>3}  {row.likeness:.3f}  {_format_anime(row)}")


def _print_similar_users(
    arguments: argparse.Namespace, model: Model, catalogue: Catalogue, allowed: BoolArray
) -> None:
    if arguments.engine not in model.training_users:
        raise InputError(
            f"model {model.version}: its engine {arguments.engine} keeps no fans; "
            f"`python -m model_build engine {arguments.engine} --with-fans` makes one that does."
        )
    listed = read_user_list(arguments.list_file)
    found = find_user_neighbours(
        model, arguments.engine, listed, count=arguments.top, allowed=allowed
    )
    answer = SimilarUsers.build(found, model, catalogue, arguments.engine)
    if arguments.json:
        print(answer.model_dump_json())
        return
    crowd = len(model.training_users[arguments.engine])
    print(f"the {answer.nearest} fans most like this list, of {crowd:,}")
    for name, preferences in (("genres", answer.genres), ("sources", answer.sources)):
        told = [f"{each.name} {each.share:.0%} ({each.usual:.0%})" for each in preferences]
        print(f"{name:<8} " + (", ".join(told) or "the catalogue has none"))
    for row in answer.recommendations:
        print(f"{row.rank:>3}  loved by {row.lovers:>2}  {_format_anime(row)}")


def _format_anime(row: AnimeSummary) -> str:
    facts = ", ".join(str(fact) for fact in (row.type, row.year) if fact)
    return f"{row.title} ({facts})" if facts else row.title
