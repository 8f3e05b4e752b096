"""What a WSGI server loads: ``gunicorn app.wsgi:app``."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from app import create_app, process_memory
from app.observability import logs
from app.settings import SettingsError, load_settings, unknown_variables

if TYPE_CHECKING:
    from flask import Flask


def _create_app() -> Flask:
    try:
        settings = load_settings()
        logs.configure_logging(settings)
        for name in unknown_variables():
            logging.getLogger(__name__).warning("%s is no setting: see docs/settings.md", name)
        with process_memory.pause_gc():
            return create_app(settings)
    except SettingsError as error:
        sys.stderr.write(f"hakken: {error}\n")
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "app":
            raise
        sys.stderr.write(f"hakken: {error}: the files are of several versions, get them anew.\n")
    raise SystemExit(2)


app = _create_app()
