"""Traces as a collector receives them: a stand-in for one, and a real server with workers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from app import VERSION
from app.observability import tracing
from app.settings import PROJECT_ROOT, SettingsError
from demo.data import DemoEntry
from demo.fake_upstream import FakeUpstream
from demo.http_server import FakeResponse, FakeServer, RecordedRequest
from tests.web.fans import SCORED
from tests.web.server import at, running_hakken

NAME = "Someparticularfan"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector(FakeServer):
    """Keeps what is sent, packed as it comes."""

    def __init__(self) -> None:
        super().__init__(self._take)
        self.received: list[bytes] = []

    def _take(self, request: RecordedRequest) -> FakeResponse:
        assert request.path == "/v1/traces"
        self.received.append(request.raw)
        return FakeResponse(200, b"", {"Content-Type": "application/x-protobuf"})

    def batches(self) -> Iterable[ExportTraceServiceRequest]:
        for each in self.received:
            batch = ExportTraceServiceRequest()
            batch.ParseFromString(each)
            yield batch


def attributes_of(span: Span) -> dict[str, str]:
    return {
        each.key: str(getattr(each.value, each.value.WhichOneof("value") or ""))
        for each in span.attributes
    }


def test_requests_and_what_they_ask_are_traced_without_names(
    tiny_model: Path, tmp_path: Path
) -> None:
    with FakeUpstream() as upstream, Collector() as collector:
        upstream.add_user(NAME, [DemoEntry(n, 7) for n in SCORED])
        environment = {
            **at(tiny_model, tmp_path / "cache"),
            **upstream.environment(),
            "HAKKEN_LIST_GRACE": "0",
            "HAKKEN_METRICS": "1",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "NO_PROXY": "127.0.0.1",
        }
        with running_hakken(environment) as server:
            for path in (
                f"/user/anilist/{NAME}?hide=5",
                f"/api/v1/recommendations?source=kitsu&username={NAME}",
                "/user/shikimori/DownFan?format=csv",
                "/metrics",
                "/static/hakken.css",
            ):
                requests.get(
                    f"{server.url}{path}",
                    headers={
                        "traceparent": f"00-{TRACE}-{PARENT}-01",
                        "X-Request-ID": "number-17",
                        "Cookie": f"a={NAME}",
                    },
                    timeout=120,
                )
        asked = upstream.requests
    assert "detach" not in server.said, "what is sent in two parts leaves its context, too"
    assert not [each for each in asked if "traceparent" in each.headers], "sites learn no trace"
    sent = b"".join(collector.received)
    for secret in (NAME, NAME.casefold(), "DownFan", "hide=5", "127.0.0.1"):
        assert secret.encode() not in sent
    resources = [each.resource for batch in collector.batches() for each in batch.resource_spans]
    about = {each.key: each.value.string_value for each in resources[0].attributes}
    assert (about["service.name"], about["service.version"]) == ("hakken", VERSION)
    spans = {
        span.name: span
        for batch in collector.batches()
        for each in batch.resource_spans
        for scope in each.scope_spans
        for span in scope.spans
    }
    assert set(spans) == {
        "GET /user/<source>/<path:username>",
        "GET /api/v1/recommendations",
        "POST anilist",
        "GET kitsu",
        "GET shikimori",
    }
    assert {span.trace_id.hex() for span in spans.values()} == {TRACE}
    page = spans["GET /api/v1/recommendations"]
    assert page.kind == Span.SPAN_KIND_SERVER
    assert page.parent_span_id.hex() == PARENT
    told = attributes_of(page)
    assert told["http.route"] == "/api/v1/recommendations"
    assert told["http.response.status_code"] == "200"
    assert told["hakken.request_id"] == "number-17"
    call = spans["GET kitsu"]
    assert call.kind == Span.SPAN_KIND_CLIENT
    assert call.parent_span_id == page.span_id
    assert attributes_of(call)["hakken.result"] == "ok"
    failed = spans["GET shikimori"]
    assert failed.status.code == Status.STATUS_CODE_ERROR
    assert attributes_of(failed)["hakken.result"] == "failed"
    assert not [event for span in spans.values() for event in span.events]


@pytest.mark.parametrize("name", tracing.ENDPOINTS)
def test_without_the_packages_the_start_is_refused_in_a_sentence(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(SettingsError) as caught:
        tracing.init_tracing(VERSION)
    assert str(caught.value) == (
        f"{name}: the packages of OpenTelemetry are not installed; "
        "run pip install -r requirements-otel.txt, or unset the variable."
    )


def test_another_protocol_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(tracing.ENDPOINTS[0], "http://127.0.0.1:9")
    monkeypatch.setenv(tracing.PROTOCOL, "grpc")
    with pytest.raises(SettingsError) as caught:
        tracing.init_tracing(VERSION)
    assert (
        str(caught.value)
        == "OTEL_EXPORTER_OTLP_PROTOCOL='grpc': only http/protobuf is spoken here."
    )


def test_without_the_setting_nothing_is_sent_anywhere() -> None:
    code = "import sys, app.wsgi; assert not [n for n in sys.modules if 'trace_exporter' in n]"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT_ROOT,
        env={"HAKKEN_MODEL": "nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
