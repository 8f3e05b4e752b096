"""List the versions of a model at a place, the one made last first.

The live one has a star; what is incomplete says why.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from model_build.arguments import add_place
from model_build.measures import for_json
from model_build.publishing.inventory import Version, take_inventory
from model_build.publishing.store import open_store

HELP = "list what was published"
SHOWN = ("ndcg@10", "recall@10", "new_ndcg@10", "rmse")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_place(parser, "--at")
    parser.add_argument("--json", action="store_true", help="all facts, as one JSON array")


def run(arguments: argparse.Namespace) -> None:
    with open_store(arguments.at, "--at") as store:
        versions = take_inventory(store).versions
    if arguments.json:
        print(json.dumps([for_json(_facts(version)) for version in versions]))
        return
    heads = ("version", "made", "MB", "anime", *SHOWN)
    rows = [heads, *map(_cells, versions)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row, version in zip(rows, (None, *versions), strict=True):
        mark = "*" if version and version.live else " "
        first, second, *numbers = (
            cell.ljust(width) if at < 2 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        fault = f"  {version.fault}" if version and version.fault else ""
        print(f"{mark} {first}  {second}  {'  '.join(numbers)}{fault}")


def _cells(version: Version) -> tuple[str, ...]:
    manifest = version.manifest
    metrics = manifest.metrics if manifest else {}
    return (
        version.name,
        manifest.created[:16] if manifest else "-",
        f"{version.size / 1e6:.1f}",
        f"{manifest.counts.get('anime', 0):,}" if manifest else "-",
        *(f"{metrics[name]:.4f}" if name in metrics else "-" for name in SHOWN),
    )


def _facts(version: Version) -> dict[str, Any]:
    manifest = version.manifest
    return {
        "version": version.name,
        "live": version.live,
        "complete": version.fault is None,
        "fault": version.fault,
        "created": manifest.created if manifest else None,
        "bytes": version.size,
        "files": len(version.files),
        "dataset": manifest.dataset.name if manifest else None,
        "counts": manifest.counts if manifest else {},
        "metrics": manifest.metrics if manifest else {},
    }
