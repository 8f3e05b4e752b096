"""Traces by OpenTelemetry, if the operator wants them: requests, and what they ask list sites.

Spans are made here and not by the instrumentation of Flask and requests, which puts addresses into
them: these hold usernames. So there is nothing to scrub, and list sites are sent no trace.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.settings import SettingsError

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
"""What OpenTelemetry calls the settings that it reads itself; there are more."""
_SPOKEN = "http/protobuf"

_tracer: Tracer | None = None


def init_tracing(version: str) -> None:
    """Send spans to where OpenTelemetry's own settings say, if they do, from now on.

    Raises SettingsError: the packages are not installed, or another protocol is wanted.
    """
    global _tracer
    endpoint = next((name for name in ENDPOINTS if os.environ.get(name)), None)
    if endpoint is None or _tracer is not None:
        return
    protocol = os.environ.get(PROTOCOL) or _SPOKEN
    if protocol != _SPOKEN:
        raise SettingsError(f"{PROTOCOL}={protocol!r}: only {_SPOKEN} is spoken here.")
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise SettingsError(
            f"{endpoint}: the packages of OpenTelemetry are not installed; "
            "run pip install -r requirements-otel.txt, or unset the variable."
        ) from None
    named = {"service.name": os.environ.get("OTEL_SERVICE_NAME") or "hakken"}
    provider = TracerProvider(resource=Resource.create({**named, "service.version": version}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _tracer = provider.get_tracer("hakken", version)


@dataclass(frozen=True, slots=True)
class RequestSpan:
    """The span of a request that is being answered; ``leave`` ends its time as the current one."""

    span: Span
    leave: Callable[[], None]

    def end(self, status: int) -> None:
        """End it once all is sent."""
        self.span.set_attribute("http.response.status_code", status)
        if status >= 500:
            _set_failed(self.span)
        self.span.end()


def begin_request(
    method: str, route: str, request_id: str, parent: Mapping[str, str]
) -> RequestSpan | None:
    """Begin the span of a request, in the trace of a proxy that says so in W3C's headers."""
    if _tracer is None:
        return None
    from opentelemetry import context
    from opentelemetry.trace import SpanKind, set_span_in_context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    span = _tracer.start_span(
        f"{method} {route}",
        context=TraceContextTextMapPropagator().extract(parent),
        kind=SpanKind.SERVER,
        attributes={
            "http.request.method": method,
            "http.route": route,
            "hakken.request_id": request_id,
        },
    )
    token = context.attach(set_span_in_context(span))
    return RequestSpan(span, lambda: context.detach(token))


@contextmanager
def upstream_span(service: str, method: str) -> Iterator[Callable[[str, int | None], None]]:
    """Trace a request to a list site; to be called with its result and status."""
    if _tracer is None:
        yield lambda _result, _status: None
        return
    from opentelemetry.trace import SpanKind

    attributes = {"http.request.method": method, "peer.service": service}
    with _tracer.start_as_current_span(
        f"{method} {service}",
        kind=SpanKind.CLIENT,
        attributes=attributes,
        # What an exception says may name a user.
        record_exception=False,
        set_status_on_exception=False,
    ) as span:

        def record(result: str, status: int | None) -> None:
            span.set_attribute("hakken.result", result)
            if status is not None:
                span.set_attribute("http.response.status_code", status)
            if result != "ok":
                _set_failed(span)

        yield record


def _set_failed(span: Span) -> None:
    from opentelemetry.trace import StatusCode

    span.set_status(StatusCode.ERROR)
