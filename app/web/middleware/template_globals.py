"""Addresses for templates: of static files, and of pages as other sites see them."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from flask import Flask, request, url_for
from werkzeug.urls import iri_to_uri

from app.settings import AppSettings

YEAR_SECONDS = 365 * 24 * 3600


def init_app(app: Flask, settings: AppSettings) -> None:
    """Give templates ``asset("hakken.css")``, ``absolute(address)`` and ``here()``."""
    folder = Path(app.static_folder or "")
    public = str(settings.public_url).rstrip("/") if settings.public_url else None

    def digest(name: str) -> str:
        return hashlib.sha256((folder / name).read_bytes()).hexdigest()[:12]

    known_digest = digest if app.debug else cache(digest)

    def asset_url(name: str) -> str:
        """Build an address that changes with the file, so that browsers may keep it for good."""
        return url_for("static", filename=name, v=known_digest(name))

    def absolute_url(address: str) -> str:
        """Add the host: that of ``HAKKEN_PUBLIC_URL``, else the one that was asked."""
        return (public or request.url_root.rstrip("/")) + iri_to_uri(address)

    def current_url() -> str:
        return absolute_url(request.full_path.rstrip("?"))

    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = YEAR_SECONDS
    app.jinja_env.globals |= {"asset": asset_url, "absolute": absolute_url, "here": current_url}
