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

from model_build.arguments import add_place, non_negative_float
from model_build.publishing.gate import METRICS, Gate
from model_build.publishing.publish import publish
from model_build.publishing.store import open_store

HELP = "make a model the live one, in a bucket or a directory"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    default = Gate()
    parser.add_argument("--model", type=Path, required=True, metavar="DIR")
    add_place(parser, "--to")
    parser.add_argument(
        "--metric",
        choices=METRICS,
        default=default.metric,
        metavar="NAME",
        help=f"what is compared with the live model, of {', '.join(METRICS)} (default "
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
    gate = Gate(arguments.metric, arguments.allow_drop, arguments.force)
    with open_store(arguments.to, "--to") as store:
        done = publish(arguments.model, store, gate)
        print(f"quality     {done.verdict}")
        print(
            f"uploaded    {done.files} files, {done.written / 1e6:.1f} MB "
            f"of {done.size / 1e6:.1f} MB; the rest was there"
        )
        before = "as before" if done.before == done.version else f"before: {done.before or 'none'}"
        print(f"live        {done.version} at {store.url} ({before})")
