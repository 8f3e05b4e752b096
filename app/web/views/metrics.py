"""``GET /metrics`` in Prometheus' text format, and the counting of requests."""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Iterator
from functools import partial

from flask import Blueprint, Flask, Response, abort, g, request
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from app.observability.metrics import CIRCUIT_OPEN_UNTIL, REQUEST_SECONDS, REQUESTS
from app.settings import METRICS_DIR_ENV
from app.upstream.circuit_breaker import RESET_SECONDS
from app.web.middleware.access_log import call_when_sent, route_pattern
from app.web.request_costs import unlimited
from app.web.state import get_app_state

blueprint = Blueprint("metrics", __name__)

_KNOWN_METHODS = {"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"}


@blueprint.get("/metrics")
@unlimited
def get_metrics() -> Response:
    """All metrics of all workers; not there unless it is turned on."""
    settings = get_app_state().settings
    if not settings.metrics:
        abort(404)
    if settings.metrics_token and not _token_matches(settings.metrics_token):
        raise Unauthorized(
            "The token of the metrics is needed.", www_authenticate=WWWAuthenticate("bearer")
        )
    return Response(generate_latest(_CircuitStateCollector()), content_type=CONTENT_TYPE_LATEST)


def init_app(app: Flask) -> None:
    """Count and time every request of ``app``."""
    app.after_request(_record_request)


def _token_matches(token: str) -> bool:
    given = request.authorization
    sent = (given.token or "") if given and given.type == "bearer" else ""
    return hmac.compare_digest(sent.encode(), token.encode())


class _CircuitStateCollector(Collector):
    """Everything that was counted, with moments that services rest until turned into yes or no.

    A worker that nobody asks anything would never take back that a service is at rest.
    """

    def collect(self) -> Iterator[Metric]:
        """The metrics of all workers where there are several, else of this process."""
        source: Collector = REGISTRY
        if METRICS_DIR_ENV in os.environ:
            source = MultiProcessCollector(CollectorRegistry())  # type: ignore[no-untyped-call]
        now = time.time()
        (open_until,) = CIRCUIT_OPEN_UNTIL.describe()
        for metric in source.collect():
            if metric.name != open_until.name:
                yield metric
                continue
            resting = GaugeMetricFamily(
                "hakken_upstream_resting",
                "1 while a service is left alone after repeated failures.",
                labels=["service"],
            )
            for sample in metric.samples:
                left = sample.value - now
                resting.add_metric([sample.labels["service"]], 0 < left <= RESET_SECONDS)
            yield resting


def _record_request(response: Response) -> Response:
    method = request.method if request.method in _KNOWN_METHODS else "other"
    observe = partial(
        _observe_request, route_pattern(), method, str(response.status_code), g.started
    )
    call_when_sent(response, observe)
    return response


def _observe_request(route: str, method: str, status: str, started: float) -> None:
    REQUESTS.labels(route, method, status).inc()
    REQUEST_SECONDS.labels(route).observe(time.perf_counter() - started)
