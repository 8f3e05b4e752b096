"""Delete old versions at a place.

Keeps the N made last, and the live one whichever it is. What an interrupted publish left is deleted
once it is older than a day.
"""

from __future__ import annotations

import argparse

from model_build.artifact.store import open_model_store
from model_build.artifact.versions import prune_versions
from model_build.commands.arguments import add_storage_option, positive_int

HELP = "delete old versions, never the live one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keep", type=positive_int, required=True, metavar="N", help="how many stay"
    )
    add_storage_option(parser, "--at")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be deleted")


def run(arguments: argparse.Namespace) -> None:
    with open_model_store(arguments.at, "--at") as store:
        deleted = prune_versions(store, arguments.keep, dry_run=arguments.dry_run)
    did = "would delete" if arguments.dry_run else "deleted"
    for version in deleted:
        why = f" ({version.problem})" if version.problem else ""
        print(f"{did:<12}{version.name}, {version.size / 1e6:.1f} MB{why}")
    if not deleted:
        print("nothing to delete")
