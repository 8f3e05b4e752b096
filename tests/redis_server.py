"""A real Redis on a socket of its own, gone when the test is over."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def running_redis(folder: Path) -> Iterator[str]:
    """Its address. Without the program a test is skipped, but never in CI."""
    program = shutil.which("redis-server")
    if program is None:
        reason = "there is no redis-server on this machine"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    socket = folder / "redis.sock"
    command = [program, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir"]
    with subprocess.Popen([*command, str(folder)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            log = []
            for line in process.stdout:
                log.append(line)
                if "eady to accept connections" in line:
                    break
            else:
                pytest.fail("Redis did not start:\n" + "".join(log))
            yield f"unix://{socket}"
        finally:
            process.terminate()
            process.stdout.read()
