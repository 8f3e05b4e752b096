"""For whoever runs Hakken: whether the process is up, and whether it can answer."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from app.web.presenters.health import describe_readiness
from app.web.request_costs import unlimited
from app.web.state import get_app_state

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@unlimited
def healthz() -> dict[str, str]:
    """Say that the process is up."""
    return {"status": "ok"}


@blueprint.get("/readyz")
@unlimited
def readyz() -> tuple[dict[str, Any], int]:
    """Say which model is in use, or why none is."""
    state = get_app_state()
    body = describe_readiness(
        state.model_manager.current,
        version=state.version,
        checked_at=state.model_manager.checked_at,
        fault=state.model_fault,
        places=(state.settings.model, str(state.settings.model_cache_dir)),
    )
    return body, 200 if body["ready"] else 503
