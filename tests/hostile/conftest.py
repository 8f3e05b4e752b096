from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.web.server import Server, at, running_hakken

LITTLE_MEMORY = 640 * 1024 * 1024
"""Bytes that a process may have of its own; one that answers needs less than a third of it."""


@pytest.fixture(scope="module")
def narrow_server(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Hakken with one worker and little memory: what asks for much fails here."""
    environment = {"WEB_CONCURRENCY": "1", "HAKKEN_MAX_LIST_LENGTH": "20000"}
    with running_hakken(
        at(tiny_model, tmp_path_factory.mktemp("narrow")) | environment,
        "prlimit",
        f"--data={LITTLE_MEMORY}",
    ) as server:
        server.wait_for("Booting worker")
        (worker,) = server.workers()
        assert psutil.Process(worker.pid).rlimit(resource.RLIMIT_DATA)[0] == LITTLE_MEMORY
        yield server
        assert [each.pid for each in server.workers()] == [worker.pid]
