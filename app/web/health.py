"""For whoever runs Hakken: is the process up, and can it answer?"""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from app.web.state import hakken

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> dict[str, str]:
    """The process is up."""
    return {"status": "ok"}


@blueprint.get("/readyz")
def readyz() -> tuple[dict[str, Any], int]:
    """The model is open: which one; or the reason why not."""
    held = hakken()
    if held.library is None:
        return {"ready": False, "reason": held.fault}, 503
    manifest = held.library.model.manifest
    return {
        "ready": True,
        "version": held.version,
        "model": manifest.version,
        "created": manifest.created,
        "counts": {**manifest.counts, "catalogue": len(held.library.catalogue)},
    }, 200
