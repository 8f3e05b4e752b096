"""Measure how well anime are placed that nobody has scored yet.

Known anime are hidden from training, get their place from the catalogue's facts, and are looked for
on the lists of fans left out; beside it stands a model that knows them. Example:

    python -m model_build cold --ratings ratings.parquet --catalogue anime.parquet
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from model_build.commands.arguments import positive_int
from model_build.data.catalogue import read_catalogue
from model_build.data.ratings import read_ratings
from model_build.evaluate.cold_start import evaluate_cold_start
from model_build.train.hyperparameters import Hyperparameters

HELP = "measure anime too new for scores"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ratings", type=Path, nargs="+", required=True, metavar="FILE")
    parser.add_argument("--catalogue", type=Path, required=True, metavar="FILE")
    parser.add_argument("--hide", type=positive_int, default=400, help="anime to hide")
    parser.add_argument("--fans", type=positive_int, default=1000, help="fans to leave out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")


def run(arguments: argparse.Namespace) -> None:
    found, counts = evaluate_cold_start(
        read_ratings(arguments.ratings),
        read_catalogue(arguments.catalogue),
        Hyperparameters(),
        n_hidden=arguments.hide,
        n_users=arguments.fans,
        seed=arguments.seed,
        progress=sys.stderr.isatty(),
    )
    if arguments.json:
        print(json.dumps({"counts": counts} | {name: asdict(it) for name, it in found.items()}))
        return
    print(", ".join(f"{count:,} {what}" for what, count in counts.items()))
    print(f"{'known by':<14}{'AUC':>8}{'NDCG@10':>9}{'RMSE':>8}{'expected':>10}{'within':>8}")
    for name, placed in found.items():
        print(
            f"{name:<14}{placed.auc:>8.3f}{placed.ndcg:>9.3f}{placed.rmse:>8.3f}"
            f"{placed.expected_error:>10.3f}{placed.within:>8.1%}"
        )
