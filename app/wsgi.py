"""What a WSGI server loads: ``gunicorn app.wsgi:app``."""

from __future__ import annotations

import logging
import sys

from flask import Flask

from app import create_app
from app.settings import SettingsError, load_settings


def _start() -> Flask:
    try:
        settings = load_settings()
    except SettingsError as error:
        sys.stderr.write(f"hakken: {error}\n")
        raise SystemExit(2) from None
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    return create_app(settings)


app = _start()
