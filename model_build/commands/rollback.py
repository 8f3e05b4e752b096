"""Make an earlier version live again.

Running workers take it as they would take a new one. Without VERSION it is the whole version that
was made just before the live one. Example:

    python -m model_build rollback 20260101T000000Z-1a2b3c4d --at gs://bucket/models
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from model_build.util.options import Config, Location, Metavar, OptionRole


class RollbackConfig(Config):
    """Options of `rollback`."""

    version: Annotated[str, OptionRole.POSITIONAL, Metavar("VERSION")] | None = Field(
        None, description="as versions lists it"
    )
    at: Location = Field(
        description="gs://bucket/prefix, s3://bucket/prefix, hf://owner/name, or a directory"
    )


CONFIG = RollbackConfig


def run(config: RollbackConfig) -> None:
    """Move the pointer, and print which version is live."""
    from model_build.artifact.store import open_model_store
    from model_build.artifact.versions import rollback_version

    with open_model_store(config.at, "--at") as store:
        before, now = rollback_version(store, config.version)
        print(f"live        {now} at {store.url} (before: {before or 'none'})")
