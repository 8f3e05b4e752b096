"""Recommend for one list, as the web application would.

The list file has the columns anime_id, rating and optionally status; with --json the output is what
the web API answers.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from app.catalogue import Catalogue, infer_franchises
from app.recommender import Model, RecommendOptions, SortOrder, recommend
from app.schemas.recommendations import RecommendationsResponse
from model_build.commands.arguments import add_engine_option, positive_int, require_engine
from model_build.commands.catalogue_filters import add_filter_options, filter_mask
from model_build.data.ratings import read_user_list

HELP = "recommend for a list file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, required=True, metavar="DIR")
    parser.add_argument("--list", type=Path, required=True, metavar="FILE", dest="list_file")
    parser.add_argument("--top", type=positive_int, default=20, metavar="N")
    parser.add_argument("--order", type=SortOrder, choices=list(SortOrder), default=SortOrder.MATCH)
    add_engine_option(parser)
    add_filter_options(parser)
    parser.add_argument("--json", action="store_true")


def run(arguments: argparse.Namespace) -> None:
    listed = read_user_list(arguments.list_file)
    model = Model.open(arguments.model)
    require_engine(model, arguments.engine)
    catalogue = Catalogue.open(model.catalogue_path)
    wish = RecommendOptions(
        top_n=arguments.top,
        sort_order=arguments.order,
        engine=arguments.engine,
        franchises=infer_franchises(catalogue, model.anime_id.tolist()),
        allowed_mask=filter_mask(arguments, model, catalogue),
    )
    answer = recommend(model, listed, wish)
    if arguments.json:
        print(RecommendationsResponse.build(answer, catalogue).model_dump_json())
        return
    for item in answer.recommendations:
        anime = catalogue.get_anime(item.anime_id)
        facts = ", ".join(str(fact) for fact in (anime.type, anime.year) if fact)
        print(
            f"{item.rank:>3}  {item.match:3.0f} %  {item.predicted_score:4.1f}  "
            f"{anime.title} ({facts})"
        )
        reasons = [
            catalogue.title(reason.anime_id) + (f" {reason.score:g}" if reason.score else "")
            for reason in item.contributions
        ]
        if reasons:
            print(f"                  because of {', '.join(reasons)}")
