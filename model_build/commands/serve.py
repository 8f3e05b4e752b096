"""Serve Hakken's pages and API from this machine, as `gunicorn app.wsgi:app` does.

    python -m model_build serve --port 8000

Everything else is set by environment variables (docs/settings.md): HAKKEN_MODEL, say, for a model
of your own. Ctrl-C stops it.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

from annotated_types import Ge, Le
from pydantic import Field

from model_build.util.options import Config, Metavar


class ServeConfig(Config):
    """Options of `serve`."""

    host: Annotated[str, Metavar("ADDRESS")] = Field(
        "127.0.0.1", description="where to listen; 0.0.0.0 lets other machines in"
    )
    port: Annotated[int, Ge(0), Le(65535), Metavar("N")] = Field(
        8000, description="0 takes any free one"
    )


CONFIG = ServeConfig


def run(config: ServeConfig) -> None:
    """Become the server."""
    host = f"[{config.host}]" if ":" in config.host else config.host
    command = [sys.executable, "-m", "gunicorn", "--config", "python:app.gunicorn_conf"]
    os.execv(sys.executable, [*command, "--bind", f"{host}:{config.port}", "app.wsgi:app"])  # noqa: S606
