"""compose.yaml, what watches Hakken and the Kubernetes manifest name what is really there."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram

from app.observability import metrics
from app.settings import AppSettings, ServerSettings
from app.web.views import health
from scripts.settings_page import variable_name

ROOT = Path(__file__).resolve().parent.parent
MONITORING = ROOT / "deploy" / "monitoring"
SETTINGS = {
    variable_name(name, field, prefix)
    for kind, prefix in ((AppSettings, "HAKKEN_"), (ServerSettings, ""))
    for name, field in kind.model_fields.items()
}
FUNCTIONS = {"sum", "rate", "histogram_quantile", "count", "time", "min", "max", "by", "up"}
FUNCTIONS |= {"increase", "max_over_time"}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def series() -> dict[str, set[str]]:
    """Every series that /metrics has, with its labels."""
    found: dict[str, set[str]] = {"up": {"job"}}
    for each in vars(metrics).values():
        if not isinstance(each, Counter | Gauge | Histogram):
            continue
        labels = set(each._labelnames)
        found[each._name] = labels
        if isinstance(each, Counter):
            found[f"{each._name}_total"] = labels
        if isinstance(each, Histogram):
            found |= {f"{each._name}_{end}": labels | {"le"} for end in ("bucket", "sum", "count")}
    # Handed out as yes or no (`app.web.views.health`).
    found["hakken_upstream_resting"] = found.pop("hakken_upstream_resting_until")
    return found


def alerts() -> list[dict[str, Any]]:
    (group,) = load(MONITORING / "alerts.yml")["groups"]
    return list(group["rules"])


def expressions() -> list[str]:
    panels = json.loads((MONITORING / "dashboard.json").read_text("utf-8"))["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    return [*asked, *(rule["expr"] for rule in alerts())]


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_names_series_and_labels_that_there_are(expression: str) -> None:
    known, unquoted = series(), re.sub(r'"[^"]*"', "", expression)
    named = set(re.findall(r"\b[a-z_]+\b", re.sub(r"\[\w+\]", "", unquoted)))
    used = named & known.keys()
    assert used
    allowed = set.union(*(known[name] for name in used))
    assert named - FUNCTIONS - used <= allowed
    assert unquoted.count("(") == unquoted.count(")")


def test_the_alerts_are_those_of_the_docs() -> None:
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    block = text.partition("What is worth an alert")[2].split("```")[1]
    told = {re.sub(r"\s+#.*", "", line).strip() for line in block.strip().splitlines()}
    assert {rule["expr"] for rule in alerts()} - told == {'up{job="hakken"} == 0'}
    assert told <= {rule["expr"] for rule in alerts()}
    assert len({rule["alert"] for rule in alerts()}) == len(alerts())
    assert all(rule["annotations"]["summary"] for rule in alerts())


def test_compose_mounts_files_that_are_there_and_sets_settings_that_are_known() -> None:
    compose = load(ROOT / "compose.yaml")
    services = compose["services"]
    assert set(services) == {"app", "redis", "refresh", "prometheus", "grafana"}
    for service in services.values():
        for volume in service.get("volumes", ()):
            place = volume.split(":")[0]
            assert (
                (ROOT / place).is_file() if place.startswith(".") else place in compose["volumes"]
            )
    environment = services["app"]["environment"]
    assert set(environment) <= SETTINGS
    AppSettings(cache_url=environment["HAKKEN_CACHE_URL"], metrics=environment["HAKKEN_METRICS"])
    (job,) = load(MONITORING / "prometheus.yml")["scrape_configs"]
    host, _, port = job["static_configs"][0]["targets"][0].partition(":")
    assert host in services
    assert int(port) == ServerSettings.model_fields["port"].default


def test_kubernetes_probes_answer_and_a_change_never_takes_one_away() -> None:
    deployment, service = yaml.safe_load_all((ROOT / "deploy/kubernetes.yaml").read_text("utf-8"))
    spec = deployment["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    described = {rule for rule in ("/healthz", "/readyz") if hasattr(health, rule.strip("/"))}
    paths = {container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness")}
    assert paths == {"/readyz"}
    assert {container["livenessProbe"]["httpGet"]["path"], *paths} == described
    assert {each["name"] for each in container["env"]} <= SETTINGS
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][-1])
    graceful = re.search(
        r"^graceful_timeout = (\d+)", (ROOT / "app/gunicorn_conf.py").read_text("utf-8"), re.M
    )
    assert graceful
    assert pod["terminationGracePeriodSeconds"] > pause + int(graceful[1])
    assert service["spec"]["selector"].items() <= spec["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("status", [200, 503])
def test_the_image_s_health_check_asks_without_a_python(status: int) -> None:
    asked = []

    class Healthz(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Host"]))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    text = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    (command,) = re.findall(r"^HEALTHCHECK .*?CMD (\[.*\])$", text, re.M)
    words = json.loads(command)
    assert "python" not in command
    with ThreadingHTTPServer(("127.0.0.1", 0), Healthz) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        environment = {"PATH": "/usr/bin:/bin", "PORT": str(server.server_port)}
        done = subprocess.run(words, env=environment, check=False)
        server.shutdown()
        thread.join()
    assert asked == [("/healthz", "localhost")]
    assert (done.returncode == 0) is (status == 200)
    assert (
        subprocess.run(words, env=environment, check=False, stderr=subprocess.DEVNULL).returncode
        != 0
    )
