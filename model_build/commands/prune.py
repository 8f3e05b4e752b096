"""Delete old versions at a place.

Keeps the N made last, and the live one whichever it is. What an interrupted publish left is deleted
once it is older than a day. What this Hakken cannot read, such as a model of another format, stays.
"""

from __future__ import annotations

from pydantic import Field

from model_build.util.options import Config, Count, Location


class PruneConfig(Config):
    """Options of `prune`."""

    keep: Count = Field(description="how many stay")
    at: Location = Field(
        description="gs://bucket/prefix, s3://bucket/prefix, hf://owner/name, or a directory"
    )
    dry_run: bool = Field(False, description="only say what would be deleted")


CONFIG = PruneConfig


def run(config: PruneConfig) -> None:
    """Delete versions, and print which."""
    from model_build.artifact.store import open_model_store
    from model_build.artifact.versions import prune_versions

    with open_model_store(config.at, "--at") as store:
        deleted, unreadable = prune_versions(store, config.keep, dry_run=config.dry_run)
    did = "would delete" if config.dry_run else "deleted"
    for version in deleted:
        why = f" ({version.problem})" if version.problem else ""
        print(f"{did:<12}{version.name}, {version.size / 1e6:.1f} MB{why}")
    if not deleted:
        print("nothing to delete")
    for version in unreadable:
        print(f"{'kept':<12}{version.name}, {version.size / 1e6:.1f} MB ({version.problem})")
