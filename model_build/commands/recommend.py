"""Recommend for one list, as the web application would.

The list file has the columns anime_id, rating and optionally status; with --json the output is what
the web API answers.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from app.answer import answer_as_json
from app.catalogue import Catalogue, franchises_of
from app.recommender import Model, Order, Wish, recommend
from model_build.arguments import add_engine_option, positive_int, refuse_missing_engine
from model_build.filtering import add_filters, allowed_by
from model_build.lists import listed_in

HELP = "recommend for a list file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, required=True, metavar="DIR")
    parser.add_argument("--list", type=Path, required=True, metavar="FILE", dest="list_file")
    parser.add_argument("--top", type=positive_int, default=20, metavar="N")
    parser.add_argument("--order", type=Order, choices=list(Order), default=Order.MATCH)
    add_engine_option(parser)
    add_filters(parser)
    parser.add_argument("--json", action="store_true")


def run(arguments: argparse.Namespace) -> None:
    listed = listed_in(arguments.list_file)
    model = Model.open(arguments.model)
    refuse_missing_engine(model, arguments.engine)
    catalogue = Catalogue.open(model.catalogue_path)
    wish = Wish(
        top=arguments.top,
        order=arguments.order,
        engine=arguments.engine,
        franchises=franchises_of(catalogue, model.anime_id.tolist()),
        allowed=allowed_by(arguments, model, catalogue),
    )
    answer = recommend(model, listed, wish)
    if arguments.json:
        print(json.dumps(answer_as_json(answer, catalogue), ensure_ascii=False))
        return
    for item in answer.recommendations:
        anime = catalogue.get(item.anime_id)
        facts = ", ".join(str(fact) for fact in (anime.type, anime.year) if fact)
        print(
            f"{item.rank:>3}  {item.match:3.0f} %  {item.predicted_score:4.1f}  "
            f"{anime.title} ({facts})"
        )
        reasons = [
            catalogue.title(reason.anime_id) + (f" {reason.score:g}" if reason.score else "")
            for reason in item.because
        ]
        if reasons:
            print(f"                  because of {', '.join(reasons)}")
