"""Models from the registries of MLflow and Weights & Biases, by their real clients."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from app.recommender import Model
from app.recommender.artifact import read_manifest
from tests.model_build.pipeline.shop import Shop
from tests.model_build.worlds import ROOT

EXAMPLE = (ROOT / "docs" / "pipeline.md").read_text("utf-8").split("```python\n")[1].split("```")[0]
LOAD = """
import json, sys, warnings
warnings.simplefilter("ignore")
sys.path.remove(sys.argv[2])
EXAMPLE
listed = pandas.DataFrame({"anime_id": json.loads(sys.argv[1]), "score": 9})
picks = model.predict(listed, params={"top": 3})
import model_build
for value in (picks["anime_id"].tolist(), list(picks.columns), model_build.__file__):
    print(json.dumps(value))
print(json.dumps(model.predict(listed.assign(status="completed"))["rank"].tolist()))
""".replace("EXAMPLE", EXAMPLE)
"""The example of docs/pipeline.md, run beside the folder `build`, where no code is."""
COMMANDS = """
import contextlib, io, json, os, sys
from model_build.cli import main

told = []
for command, environment in json.loads(sys.argv[1]):
    os.environ.update(environment)
    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stderr(error), contextlib.redirect_stdout(out):
        status = main(command)
    told.append([status, out.getvalue(), error.getvalue()])
print(json.dumps(told))
"""
Command = tuple[list[str], dict[str, str]]
Told = tuple[int, str, str]
"""Status, standard output and standard error of a command."""


def python(folder: Path, *words: str) -> str:
    """What a script prints in a process of its own: trackers that are imported stay."""
    done = subprocess.run(
        [sys.executable, "-c", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HOME": str(folder), "PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def tell(folder: Path, *commands: Command) -> list[Told]:
    return [(*told,) for told in json.loads(python(folder, COMMANDS, json.dumps(commands)))]


def fetch(source: str, out: Path, *options: str, **environment: str) -> Command:
    return ["fetch", "--from", source, "--out", str(out), *options], environment


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@dataclass(frozen=True)
class Registered:
    """A build with its model in the registry of an MLflow, and what was said of commands on it."""

    shop: Shop
    folder: Path
    told: dict[str, Told]

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.shop.work / 'mlflow.db'}"


@pytest.fixture(scope="module")
def registered(built: Shop, tmp_path_factory: pytest.TempPathFactory) -> Registered:
    folder = tmp_path_factory.mktemp("registered")
    shop = Shop(shutil.copytree(built.folder, folder / "shop"))
    with shop.config.open("a", encoding="utf-8") as file:
        file.write("\n[mlflow]\n")
    found = Registered(shop, folder, {})
    taken = folder / "build.toml"
    taken.write_text(
        f'[train]\npretrained = "models:/hakken/1"\n[mlflow]\nuri = "{found.uri}"\n'
        "model_files = false\n"
    )
    pipeline = ["pipeline", "--config", str(taken)]
    server, nowhere = {"MLFLOW_TRACKING_URI": found.uri}, {"MLFLOW_TRACKING_URI": ""}
    commands = {
        "build": (shop.command("--set", "compare.fans=16"), nowhere),
        "homeless": fetch("models:/hakken/1", folder / "none", **nowhere),
        "taken": (pipeline, nowhere),
        "again": (pipeline, nowhere),
        "first": fetch("models:/hakken/1", folder / "first", **server),
        "latest": fetch("models:/hakken/latest", folder / "latest", **server),
        "unknown": fetch("models:/hakken/9", folder / "none", **server),
        "partial": fetch("models:/hakken", folder / "none", **server),
        "twice": fetch("models:/hakken/1", folder / "none", "--version", "v1", **server),
    }
    found.told.update(zip(commands, tell(folder, *commands.values()), strict=True))
    assert found.told["build"][0] == 0, found.told["build"]
    return found


def test_mlflow_loads_the_model_with_its_code_and_recommends(registered: Registered) -> None:
    ids = Model.open(registered.shop.work / "model").anime_id[:5].tolist()
    printed = python(registered.shop.folder, LOAD, json.dumps(ids), str(ROOT))
    picks, columns, code, ranks = map(json.loads, printed.splitlines())
    assert len(picks) == 3
    assert not {*picks} & {*ids}
    assert columns[:3] == ["rank", "anime_id", "title"]
    assert not Path(code).is_relative_to(ROOT), "the code that came with the model"
    assert len(ranks) > 3


@pytest.mark.parametrize("name", ["first", "latest"])
def test_a_model_is_fetched_from_mlflow(registered: Registered, name: str) -> None:
    assert registered.told[name][::2] == (0, "")
    assert content(registered.folder / name) == content(registered.shop.work / "model")


def test_the_pipeline_takes_a_model_of_its_mlflow(registered: Registered) -> None:
    assert registered.told["taken"][::2] == (0, "")
    assert read_manifest(registered.folder / "build" / "model") == registered.shop.model
    assert "train: up to date" in registered.told["again"][1]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("homeless", "models:/hakken/1: where is MLflow? Set MLFLOW_TRACKING_URI, or --mlflow-uri"),
        ("unknown", "models:/hakken/9 cannot be had (Model Version"),
        ("partial", "models:/hakken: expected models:/name/version, as models:/hakken/3."),
        ("twice", "models:/hakken/1: names its version itself; leave out --version."),
    ],
)
def test_what_is_not_there_is_one_sentence(registered: Registered, name: str, said: str) -> None:
    status, _, error = registered.told[name]
    assert status == 2
    (line,) = error.splitlines()
    assert line.startswith(f"model_build fetch: {said}")
    assert not (registered.folder / "none").exists()


class WandbServer(ThreadingHTTPServer):
    """As much of Weights & Biases as its client asks for an artifact, of the files of a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), WandbRequest)
        self.files = {file.name: file.read_bytes() for file in folder.iterdir()}
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class WandbRequest(BaseHTTPRequestHandler):
    server: WandbServer

    def log_message(self, *_: Any) -> None:
        pass

    def answer(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        self.server.asked.append(name)
        if name != "contents":
            self.answer(self.server.files[name])
            return
        contents = {
            name: {
                "digest": base64.b64encode(hashlib.md5(body).digest()).decode(),
                "size": len(body),
                "birthArtifactID": "1",
            }
            for name, body in self.server.files.items()
        }
        manifest = {
            "version": 1,
            "storagePolicy": "wandb-storage-policy-v1",
            "storagePolicyConfig": {"storageLayout": "V2"},
            "contents": contents,
        }
        self.answer(json.dumps(manifest).encode())

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        found = self.data(asked["query"], asked.get("variables") or {})
        self.answer(json.dumps({"data": found}).encode())

    def data(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        url = f"{self.server.url}/files"
        if "ArtifactMembershipByName" in query:
            asked = (variables["entity"], variables["project"], variables["name"])
            known = asked == ("me", "hakken", "model:v3")
            return {"project": {"artifactCollectionMembership": membership() if known else None}}
        if "FetchArtifactManifest" in query:
            return {"artifact": {"currentManifest": {"file": {"directUrl": f"{url}/contents"}}}}
        if "GetArtifactMembershipFileUrls" in query:
            edges = [
                {"node": {"__typename": "File", "name": name, "directUrl": f"{url}/{name}"}}
                for name in self.server.files
            ]
            page = {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}
            files = {"pageInfo": page, "edges": edges}
            collection = {"__typename": "ArtifactSequence", "artifactMembership": {"files": files}}
            return {"project": {"artifactCollection": collection}}
        viewer = {"id": "1", "username": "me", "entity": "me", "flags": "{}"}
        return {"viewer": {**viewer, "teams": {"edges": []}}}


def membership() -> dict[str, Any]:
    project = {"id": "1", "internalId": "1", "name": "hakken", "entity": {"name": "me"}}
    sequence = {"__typename": "ArtifactSequence", "name": "model", "project": project}
    day = "2026-01-01T00:00:00Z"
    artifact = {
        "__typename": "Artifact",
        "id": "1",
        "artifactSequence": sequence,
        "versionIndex": 3,
        "artifactType": {"name": "model"},
        "description": None,
        "metadata": "{}",
        "ttlDurationSeconds": -1,
        "ttlIsInherited": False,
        "tags": [],
        "historyStep": None,
        "state": "COMMITTED",
        "size": 1,
        "digest": "1",
        "commitHash": "1",
        "fileCount": 1,
        "createdAt": day,
        "updatedAt": None,
    }
    return {
        "__typename": "ArtifactCollectionMembership",
        "id": "1",
        "versionIndex": 3,
        "createdAt": day,
        "aliases": [],
        "artifactCollection": sequence,
        "artifact": artifact,
    }


@pytest.fixture
def wandb_server(built: Shop) -> Iterator[WandbServer]:
    with WandbServer(built.work / "model") as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_model_is_fetched_from_weights_and_biases(
    built: Shop, tmp_path: Path, wandb_server: WandbServer
) -> None:
    out = tmp_path / "model"
    key = {"WANDB_BASE_URL": wandb_server.url, "WANDB_API_KEY": "1" * 40}
    done, unknown, partial = tell(
        tmp_path,
        fetch("wandb:me/hakken/model:v3", out, **key),
        fetch("wandb:me/hakken/model:v4", out, **key),
        fetch("wandb:me/model", out, **key),
    )
    assert done[::2] == (0, "")
    assert content(out) == wandb_server.files
    assert (unknown[0], partial[0]) == (2, 2)
    assert "wandb:me/hakken/model:v4 cannot be had (" in unknown[2]
    assert "expected wandb:entity/project/name:version" in partial[2]
    assert read_manifest(out) == built.model, "as it was"
