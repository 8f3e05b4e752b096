"""List the versions of a model at a place, the one made last first.

The live one has a star; what is incomplete says why.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import Field

from model_build.util.options import Config, Location, named

if TYPE_CHECKING:
    from model_build.artifact.versions import ModelVersion

METRIC_COLUMNS = ("ndcg@10", "recall@10", "new_ndcg@10", "rmse")


class VersionsConfig(Config):
    """Options of `versions`."""

    at: Location = Field(
        description="gs://bucket/prefix, s3://bucket/prefix, hf://owner/name, or a directory"
    )
    as_json: bool = named("json", "all facts, as one JSON array", False)


CONFIG = VersionsConfig


def run(config: VersionsConfig) -> None:
    """Print the versions, as a table or as JSON."""
    from model_build.artifact.store import open_model_store
    from model_build.artifact.versions import list_versions
    from model_build.util.markdown_tables import nan_to_null

    with open_model_store(config.at, "--at") as store:
        versions = list_versions(store).versions
    if config.as_json:
        print(json.dumps([nan_to_null(_version_json(version)) for version in versions]))
        return
    heads = ("version", "made", "MB", "anime", *METRIC_COLUMNS)
    rows = [heads, *map(_table_cells, versions)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row, version in zip(rows, (None, *versions), strict=True):
        mark = "*" if version and version.is_live else " "
        first, second, *numbers = (
            cell.ljust(width) if at < 2 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        problem = f"  {version.problem}" if version and version.problem else ""
        print(f"{mark} {first}  {second}  {'  '.join(numbers)}{problem}")


def _table_cells(version: ModelVersion) -> tuple[str, ...]:
    manifest = version.manifest
    metrics = manifest.metrics if manifest else {}
    return (
        version.name,
        manifest.created[:16] if manifest else "-",
        f"{version.size / 1e6:.1f}",
        f"{manifest.counts.get('anime', 0):,}" if manifest else "-",
        *(f"{metrics[name]:.4f}" if name in metrics else "-" for name in METRIC_COLUMNS),
    )


def _version_json(version: ModelVersion) -> dict[str, Any]:
    manifest = version.manifest
    return {
        "version": version.name,
        "live": version.is_live,
        "complete": version.problem is None,
        "fault": version.problem,
        "created": manifest.created if manifest else None,
        "bytes": version.size,
        "files": len(version.files),
        "dataset": manifest.dataset.name if manifest else None,
        "counts": manifest.counts if manifest else {},
        "metrics": manifest.metrics if manifest else {},
    }
