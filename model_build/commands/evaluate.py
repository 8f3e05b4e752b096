"""Measure a model on fans that it was not trained on.

--lists holds what the model may see of each fan, --holdout what it must find; both have the columns
of a ratings file. `python -m model_build split` makes such files.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from app.catalogue import Catalogue
from app.recommender import Model, Order
from model_build.evaluation import evaluate, fans_of
from model_build.ratings import read_user_entries

HELP = "measure a model on held-out fans"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, required=True, metavar="DIR")
    parser.add_argument("--lists", type=Path, required=True, metavar="FILE", help="what is seen")
    parser.add_argument(
        "--holdout", type=Path, required=True, metavar="FILE", help="what is hidden"
    )
    parser.add_argument("--order", type=Order, choices=list(Order), default=Order.MATCH)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")


def run(arguments: argparse.Namespace) -> None:
    fans = fans_of(read_user_entries(arguments.lists), read_user_entries(arguments.holdout))
    model = Model.open(arguments.model)
    groups = Catalogue.open(model.catalogue_path).column("franchise_id", model.anime_id.tolist())
    franchise = np.array([-1 if group is None else group for group in groups], np.int64)
    progress = sys.stderr.isatty()
    measured = evaluate(model, franchise, fans, order=arguments.order, progress=progress)
    if arguments.json:
        # NaN is no JSON: a measure that nothing could be measured for is null.
        print(json.dumps({k: None if v != v else v for k, v in measured.items()}))
        return
    for name, value in measured.items():
        print(
            f"{name:<12} {value:>10,}" if isinstance(value, int) else f"{name:<12} {value:>10.4f}"
        )
