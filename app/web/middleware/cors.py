"""Lets pages of other origins ask the API, if the operator says which (``HAKKEN_CORS_ORIGINS``).

Nobody else's cookies are at stake: there are none.
"""

from __future__ import annotations

from flask import Flask
from flask_cors import CORS

from app.settings import AppSettings
from app.web.middleware.access_log import REQUEST_ID_HEADER

PREFLIGHT_MAX_AGE = 24 * 3600


def init_app(app: Flask, settings: AppSettings) -> None:
    """Send the headers that browsers ask for; without a setting nothing is sent."""
    if settings.cors_origins:
        CORS(
            app,
            resources={r"/api/.*": {"origins": list(settings.cors_origins)}},
            methods=["GET", "HEAD", "POST", "OPTIONS"],
            allow_headers=["Content-Type", "If-None-Match"],
            expose_headers=["ETag", "Retry-After", REQUEST_ID_HEADER],
            max_age=PREFLIGHT_MAX_AGE,
        )
