"""Hakken and the demo's sites as fans need them to sign in: each knows the address of the other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from werkzeug.serving import make_server

from app import create_app
from app.settings import AppSettings
from demo.fake_upstream import FakeUpstream
from demo.faults import Fault

FAN = Fault.PRIVATE.value


@contextmanager
def serving(settings: dict[str, object]) -> Iterator[str]:
    """The application at an address of its own, which its settings have to know."""
    server = make_server("127.0.0.1", 0, lambda *_: [], threaded=True)
    url = f"http://127.0.0.1:{server.server_port}"
    server.app = create_app(AppSettings(public_url=url, **settings))  # type: ignore[arg-type]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def settings_for(upstream: FakeUpstream, model: Path, cache: Path) -> dict[str, object]:
    environment = upstream.environment() | upstream.sign_in_environment("")
    named = {
        name.removeprefix("HAKKEN_").lower(): value
        for name, value in environment.items()
        if name not in ("HAKKEN_JIKAN_URL", "HAKKEN_MAL_WEB_URL", "HAKKEN_PUBLIC_URL")
    }
    return {
        **named,
        "mal_web_url": upstream.base_url("mal-web"),
        "model": str(model),
        "cache_dir": cache,
        "list_grace": 120,
        "metrics": True,
    }
