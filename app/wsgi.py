"""What a WSGI server loads: ``gunicorn app.wsgi:app``."""

from __future__ import annotations

import sys

from flask import Flask

from app import create_app
from app.observability import logs
from app.settings import SettingsError, load_settings


def _start() -> Flask:
    try:
        settings = load_settings()
        logs.configure_logging(settings)
        return create_app(settings)
    except SettingsError as error:
        sys.stderr.write(f"hakken: {error}\n")
        raise SystemExit(2) from None


app = _start()
