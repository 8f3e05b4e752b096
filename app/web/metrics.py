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

from app.metrics import REQUEST_SECONDS, REQUESTS, RESTING_UNTIL
from app.settings import METRICS_DIR
from app.upstream.breaker import REST_SECONDS
from app.web.access_log import at_end, route
from app.web.state import hakken

blueprint = Blueprint("metrics", __name__)

_METHODS = {"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"}


@blueprint.get("/metrics")
def metrics() -> Response:
    """All metrics of all workers; not there unless it is turned on."""
    settings = hakken().settings
    if not settings.metrics:
        abort(404)
    if settings.metrics_token and not _is_told(settings.metrics_token):
        raise Unauthorized(
            "The token of the metrics is needed.", www_authenticate=WWWAuthenticate("bearer")
        )
    return Response(generate_latest(_Resting()), content_type=CONTENT_TYPE_LATEST)


def init_app(app: Flask) -> None:
    """Count and time every request of ``app``."""
    app.after_request(_count)


def _is_told(token: str) -> bool:
    given = request.authorization
    told = (given.token or "") if given and given.type == "bearer" else ""
    return hmac.compare_digest(told.encode(), token.encode())


class _Resting(Collector):
    """Everything that was counted, with moments that services rest until turned into yes or no.

    A worker that nobody asks anything would never take back that a service is at rest.
    """

    def collect(self) -> Iterator[Metric]:
        """The metrics of all workers where there are several, else of this process."""
        source: Collector = REGISTRY
        if METRICS_DIR in os.environ:
            source = MultiProcessCollector(CollectorRegistry())  # type: ignore[no-untyped-call]
        now = time.time()
        for metric in source.collect():
            if metric.name != RESTING_UNTIL._name:
                yield metric
                continue
            resting = GaugeMetricFamily(
                "hakken_upstream_resting",
                "1 while a service is left alone after repeated failures.",
                labels=["service"],
            )
            for sample in metric.samples:
                left = sample.value - now
                resting.add_metric([sample.labels["service"]], 0 < left <= REST_SECONDS)
            yield resting


def _count(response: Response) -> Response:
    method = request.method if request.method in _METHODS else "other"
    done = partial(_done, route(), method, str(response.status_code), g.started)
    at_end(response, done)
    return response


def _done(rule: str, method: str, status: str, started: float) -> None:
    REQUESTS.labels(rule, method, status).inc()
    REQUEST_SECONDS.labels(rule).observe(time.perf_counter() - started)
