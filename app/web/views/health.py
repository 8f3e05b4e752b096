"""For whoever runs Hakken: is the process up, and can it answer?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint

from app.web.request_costs import unlimited
from app.web.state import get_app_state

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@unlimited
def healthz() -> dict[str, str]:
    """The process is up."""
    return {"status": "ok"}


@blueprint.get("/readyz")
@unlimited
def readyz() -> tuple[dict[str, Any], int]:
    """Which model is in use, or the reason why none is.

    ``stale`` says that the live model could not be had, for the reason that ``fault`` gives, and
    that an earlier one answers in its place.
    """
    state = get_app_state()
    loaded_model, fault = state.model_manager.current, state.model_fault
    body = {
        "version": state.version,
        "checked": _iso_time(state.model_manager.checked_at),
        "fault": fault,
    }
    if loaded_model is None:
        return {"ready": False, "reason": fault, **body}, 503
    manifest = loaded_model.content.model.manifest
    return {
        "ready": True,
        "model": manifest.version,
        "created": manifest.created,
        "age": _age_seconds(manifest.created),
        "loaded": _iso_time(loaded_model.loaded_at),
        "stale": fault is not None,
        **body,
        "counts": {**manifest.counts, "catalogue": len(loaded_model.content.catalogue)},
    }, 200


def _iso_time(seconds: float | None) -> str | None:
    return (
        None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat("T", "seconds")
    )


def _age_seconds(created: str) -> int | None:
    """Seconds since a model was made; None if its manifest does not say so in a way we can read."""
    try:
        made = datetime.fromisoformat(created)
    except ValueError:
        return None
    if made.tzinfo is None:
        made = made.replace(tzinfo=UTC)
    return max(0, round((datetime.now(UTC) - made).total_seconds()))
