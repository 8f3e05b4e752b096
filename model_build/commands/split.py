"""Take fans out of a set of ratings to measure a model on.

Writes ratings.parquet (everyone else, to train on), lists.parquet (what the model may see of the
fans taken out: 80 % of their scores and all entries without one) and holdout.parquet (the rest).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from model_build.commands.arguments import positive_int
from model_build.data.holdout import split_users
from model_build.data.ratings import read_ratings
from model_build.util.errors import InputError

HELP = "take fans out for evaluation"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ratings", type=Path, nargs="+", required=True, metavar="FILE")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new directory")
    parser.add_argument("--fans", type=positive_int, default=1000, help="fans to take out")
    parser.add_argument("--seed", type=int, default=0)


def run(arguments: argparse.Namespace) -> None:
    if arguments.out.exists() and any(arguments.out.iterdir()):
        raise InputError(f"{arguments.out}: exists and is not empty; choose another directory.")
    parts = split_users(read_ratings(arguments.ratings), arguments.fans, arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, frame in parts.items():
        frame.write_parquet(arguments.out / f"{name}.parquet")
        print(f"{name:<8} {len(frame):>10,} rows, {frame['user_id'].n_unique():,} fans")
