"""Fetch a model that was trained before into a folder, and verify it.

From a place where models were published, or the one that comes with Hakken. Example:

    python -m model_build fetch --from gs://bucket/models --out model
    python -m model_build fetch --from bundled --out model
"""

from __future__ import annotations

from model_build.artifact.config import FetchConfig

CONFIG = FetchConfig
