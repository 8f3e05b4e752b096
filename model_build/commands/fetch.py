"""Fetch a model that was trained before into a folder, and verify it.

From a place where models were published, or the one that comes with Hakken. Example:

    python -m model_build fetch --from gs://bucket/models --out model
    python -m model_build fetch --from bundled --out model
"""

from __future__ import annotations

import argparse
from pathlib import Path

from model_build.artifact.pretrained import BUNDLED_SOURCE, download_model

HELP = "copy a published model, or the bundled one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from",
        required=True,
        metavar="URL",
        dest="source",
        help=f"{BUNDLED_SOURCE}, gs://bucket/prefix or a directory",
    )
    parser.add_argument("--version", metavar="VERSION", help="as versions lists it (default: live)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the model's place")


def run(arguments: argparse.Namespace) -> None:
    version = download_model(arguments.source, arguments.version, arguments.out)
    print(f"model       {version} in {arguments.out}")
