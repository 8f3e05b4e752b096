"""Write measures into a model that is trained already, as train --metrics does while it trains.

They are those of a model with the same settings that had some fans left out. The result is a new
version; nothing but its measures and its card differs. Example:

    python -m model_build annotate --model trained --metrics measures.json --out model
"""

from __future__ import annotations

import argparse
from pathlib import Path

from model_build.artifact.metrics import annotate_model, read_evaluation_metrics

HELP = "write measures into a model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--metrics", type=Path, required=True, metavar="FILE", help="what evaluate --json printed"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the new model")


def run(arguments: argparse.Namespace) -> None:
    manifest = annotate_model(
        arguments.model, read_evaluation_metrics(arguments.metrics), arguments.out
    )
    print(f"model       {manifest.version} in {arguments.out}")
