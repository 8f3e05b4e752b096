"""`scripts/serve --reload`: every change is there with the next request.

Templates and static files are read again when they are asked for. When code changes, the process
that answers is replaced: this one has the packages of others loaded already, and forks it anew. It
also holds the socket, so that a browser waits for the new code instead of being refused.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WATCHED_SUFFIXES = {".py", ".po"}
POLL_SECONDS = 0.2
PRELOADED = (
    *("babel", "flask", "flask_cors", "limits", "gunicorn", "numba", "numpy", "PIL.Image"),
    *("prometheus_client", "pydantic_settings", "pyrate_limiter", "rapidfuzz"),
    *(
        "redis",
        "requests",
        "werkzeug.debug",
        "defusedxml.ElementTree",
        "filelock",
        "pythonjsonlogger.json",
    ),
)
"""Packages of others that take long to load."""


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    os.environ["FLASK_DEBUG"] = "1"
    family = socket.AF_INET6 if ":" in arguments.host else socket.AF_INET
    with socket.create_server((arguments.host, arguments.port), family=family) as listening:
        port = listening.getsockname()[1]
        print(f"port {port}, changes in {ROOT / 'app'} are watched", file=sys.stderr, flush=True)
        _preload()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        while True:
            seen = _watched_state()
            child = os.fork()
            if child == 0:
                _answer(listening, arguments.host, port)
            try:
                while _watched_state() == seen:
                    time.sleep(POLL_SECONDS)
            finally:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)


def _preload() -> None:
    for name in PRELOADED:
        importlib.import_module(name)
    from numba import njit

    @njit
    def nothing() -> None:
        """Bring the compiler along, which loads most of numba."""

    nothing()  # type: ignore[call-arg]
    gc.freeze()


def _watched_state() -> dict[str, int]:
    """Return when each file was changed that only a new process sees."""
    found = {}
    for file in (ROOT / "app").rglob("*"):
        if file.suffix in WATCHED_SUFFIXES:
            with suppress(FileNotFoundError):  # an editor is replacing it
                found[str(file)] = file.stat().st_mtime_ns
    return found


def _answer(listening: socket.socket, host: str, port: int) -> None:
    """Serve in this process; where that cannot begin, say why, and wait for a change."""
    from werkzeug.debug import DebuggedApplication
    from werkzeug.serving import make_server

    start = time.perf_counter()
    try:
        from app.process_memory import pause_gc

        with pause_gc():
            from app.wsgi import app

            debugged = DebuggedApplication(app, evalex=True)
            server = make_server(host, port, debugged, threaded=True, fd=listening.fileno())
        print(f"ready after {time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)
        server.serve_forever()
    except Exception:
        traceback.print_exc()
    signal.pause()


if __name__ == "__main__":
    main()
