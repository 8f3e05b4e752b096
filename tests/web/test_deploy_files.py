"""What the files for Cloud Run, for a platform and for a container start, started."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from model_build.cli import main
from tests.storage_emulator import StorageEmulator
from tests.web.server import running_hakken

ROOT = Path(__file__).parents[2]
SERVED = ["gunicorn", "app.wsgi:app"]
"""What `running_hakken` runs."""


def test_all_of_them_run_the_same() -> None:
    procfile = (ROOT / "Procfile").read_text("utf-8").strip()
    assert shlex.split(procfile.removeprefix("web:")) == SERVED
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8").strip().splitlines()
    assert json.loads(dockerfile[-1].removeprefix("CMD")) == SERVED
    unit = (ROOT / "deploy" / "hakken.service").read_text("utf-8")
    (started,) = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
    assert shlex.split(started)[-2:][0].endswith("gunicorn")
    assert shlex.split(started)[-1] == SERVED[-1]
    assert not container().get("command")
    assert not container().get("args")


def container() -> dict[str, Any]:
    text = (ROOT / "deploy" / "cloud-run.yaml").read_text("utf-8")
    (only,) = yaml.safe_load(text)["spec"]["template"]["spec"]["containers"]
    return dict(only)


def test_cloud_run_s_settings_serve_a_model_from_a_bucket(
    emulator: StorageEmulator, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_ENDPOINT_OVERRIDE", emulator.url)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator.url)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "project")
    told = container()
    environment = {each["name"]: each["value"] for each in told["env"]}
    place = environment["HAKKEN_MODEL"].replace("BUCKET", "bucket")
    assert main(["publish", "--model", str(tiny_model), "--to", place]) == 0
    environment |= {"HAKKEN_MODEL": place, "HAKKEN_MODEL_CACHE": str(tmp_path)}
    with running_hakken(environment) as server:
        for probe in ("startupProbe", "livenessProbe"):
            path = told[probe]["httpGet"]["path"]
            assert requests.get(f"{server.url}{path}", timeout=120).status_code == 200
        version = json.loads((tiny_model / "manifest.json").read_text("utf-8"))["version"]
        assert requests.get(f"{server.url}/readyz", timeout=120).json()["model"] == version
        assert len(server.workers()) == int(environment["WEB_CONCURRENCY"])
