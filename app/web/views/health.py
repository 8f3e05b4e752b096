"""For whoever runs Hakken: whether the process is up, whether it can answer, and its counts."""

from __future__ import annotations

import hmac
from typing import Any

from flask import Blueprint, Response, abort, request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from app.observability.metrics import AllWorkersCollector
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
        fault=state.model_manager.load_error,
        places=(state.settings.model, str(state.settings.model_cache)),
    )
    return body, 200 if body["ready"] else 503


@blueprint.get("/metrics")
@unlimited
def get_metrics() -> Response:
    """Answer with all metrics of all workers; 404 unless it is turned on."""
    settings = get_app_state().settings
    if not settings.metrics:
        abort(404)
    if settings.metrics_token and not _token_matches(settings.metrics_token):
        raise Unauthorized(
            "The token of the metrics is needed.", www_authenticate=WWWAuthenticate("bearer")
        )
    return Response(generate_latest(AllWorkersCollector()), content_type=CONTENT_TYPE_LATEST)


def _token_matches(token: str) -> bool:
    given = request.authorization
    sent = (given.token or "") if given and given.type == "bearer" else ""
    return hmac.compare_digest(sent.encode(), token.encode())
