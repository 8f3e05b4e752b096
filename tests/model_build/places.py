"""Places that models are published to, looked at and tampered with from outside."""

from __future__ import annotations

import os
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from app.model_store import open_model_source
from app.recommender import Model
from tests.storage_emulator import StorageEmulator


class PlaceForModels(Protocol):
    url: str

    def files(self) -> dict[str, bytes]: ...
    def put(self, name: str, content: bytes) -> None: ...
    def remove(self, name: str) -> None: ...
    def make_older(self, version: str, days: float) -> None: ...
    def empty(self) -> None: ...


class DirectoryForModels:
    def __init__(self, path: Path) -> None:
        self.path, self.url = path, str(path)

    def files(self) -> dict[str, bytes]:
        found = [file for file in self.path.rglob("*") if file.is_file() and file.name != ".lock"]
        return {file.relative_to(self.path).as_posix(): file.read_bytes() for file in found}

    def put(self, name: str, content: bytes) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_bytes(content)

    def remove(self, name: str) -> None:
        (self.path / name).unlink()

    def make_older(self, version: str, days: float) -> None:
        for file in (self.path / version).iterdir():
            os.utime(file, (time.time() - days * 86400,) * 2)

    def empty(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


class BucketForModels:
    def __init__(self, emulator: StorageEmulator) -> None:
        self.emulator, self.url = emulator, "gs://bucket/some/models"

    def files(self) -> dict[str, bytes]:
        found = self.emulator.objects("bucket")
        return {name.removeprefix("some/models/"): content for name, content in found.items()}

    def put(self, name: str, content: bytes) -> None:
        self.emulator.put("bucket", f"some/models/{name}", content)

    def remove(self, name: str) -> None:
        self.emulator.delete("bucket", f"some/models/{name}")

    def make_older(self, version: str, days: float) -> None:
        then = datetime.fromtimestamp(time.time() - days * 86400, UTC)
        for name, found in self.emulator.storage.objects["bucket"].items():
            if name.startswith(f"some/models/{version}/"):
                found["updated"] = then.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def empty(self) -> None:
        for name in self.emulator.objects("bucket"):
            self.emulator.delete("bucket", name)


def served(place: PlaceForModels, cache: Path) -> str:
    """The version of the model that the web application finds there."""
    return Model.open(
        open_model_source(place.url, cache, retry_timeout=0).latest().fetch(True)
    ).version
