"""Make an earlier version live again.

Running workers take it as they would take a new one. Without VERSION it is the whole version that
was made just before the live one. Example:

    python -m model_build rollback 20260101T000000Z-1a2b3c4d --at gs://bucket/models
"""

from __future__ import annotations

import argparse

from model_build.artifact.store import open_model_store
from model_build.artifact.versions import rollback_version
from model_build.commands.arguments import add_storage_option

HELP = "make an earlier version live again"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("version", nargs="?", metavar="VERSION", help="as versions lists it")
    add_storage_option(parser, "--at")


def run(arguments: argparse.Namespace) -> None:
    with open_model_store(arguments.at, "--at") as store:
        before, now = rollback_version(store, arguments.version)
        print(f"live        {now} at {store.url} (before: {before or 'none'})")
