"""For whoever runs Hakken: is the process up, and can it answer?"""

from __future__ import annotations

from datetime import UTC, datetime
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
    """Which model is in use, or the reason why none is.

    ``stale`` says that the live model could not be had, for the reason that ``fault`` gives, and
    that an earlier one answers in its place.
    """
    held = hakken()
    kept, fault = held.models.current, held.fault
    told = {"version": held.version, "checked": _moment(held.models.checked), "fault": fault}
    if kept is None:
        return {"ready": False, "reason": fault, **told}, 503
    manifest = kept.content.model.manifest
    return {
        "ready": True,
        "model": manifest.version,
        "created": manifest.created,
        "age": _age(manifest.created),
        "loaded": _moment(kept.loaded),
        "stale": fault is not None,
        **told,
        "counts": {**manifest.counts, "catalogue": len(kept.content.catalogue)},
    }, 200


def _moment(seconds: float | None) -> str | None:
    return (
        None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat("T", "seconds")
    )


def _age(created: str) -> int | None:
    """Seconds since a model was made; None if its manifest does not say so in a way we can read."""
    try:
        made = datetime.fromisoformat(created)
    except ValueError:
        return None
    if made.tzinfo is None:
        made = made.replace(tzinfo=UTC)
    return max(0, round((datetime.now(UTC) - made).total_seconds()))
