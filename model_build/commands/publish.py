"""Put a model where the web application finds it, and make it the live one.

Uploads the files under the model's version, compares every one with what arrived, and moves
`latest` last. Whatever happens before that, the model that is live stays live; the same command
then completes what is missing. A model whose held-out quality fell against the live one is refused.
Example:

    python -m model_build publish --model model --to gs://bucket/models
"""

from __future__ import annotations

import argparse
from pathlib import Path

from model_build.artifact.publish import GATE_METRICS, QualityGate, publish_model
from model_build.artifact.store import open_model_store
from model_build.commands.arguments import add_storage_option, non_negative_float

HELP = "make a model the live one, in a bucket or a directory"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    default = QualityGate()
    parser.add_argument("--model", type=Path, required=True, metavar="DIR")
    add_storage_option(parser, "--to")
    parser.add_argument(
        "--metric",
        choices=GATE_METRICS,
        default=default.metric,
        metavar="NAME",
        help=f"what is compared with the live model, of {', '.join(GATE_METRICS)} (default "
        f"{default.metric})",
    )
    parser.add_argument(
        "--allow-drop",
        type=non_negative_float,
        default=default.allow_drop,
        metavar="X",
        help=f"how far it may fall (default {default.allow_drop})",
    )
    parser.add_argument("--force", action="store_true", help="publish a worse model, too")


def run(arguments: argparse.Namespace) -> None:
    gate = QualityGate(arguments.metric, arguments.allow_drop, arguments.force)
    with open_model_store(arguments.to, "--to") as store:
        done = publish_model(arguments.model, store, gate)
        print(f"quality     {done.verdict}")
        print(
            f"uploaded    {done.files_written} files, {done.bytes_written / 1e6:.1f} MB "
            f"of {done.total_bytes / 1e6:.1f} MB; the rest was there"
        )
        before = (
            "as before"
            if done.previous_version == done.version
            else f"before: {done.previous_version or 'none'}"
        )
        print(f"live        {done.version} at {store.url} ({before})")
