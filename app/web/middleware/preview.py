"""What a link to a page looks like elsewhere: absolute addresses for social preview tags."""

from __future__ import annotations

from flask import Flask, request
from werkzeug.urls import iri_to_uri

from app.settings import AppSettings


def init_app(app: Flask, settings: AppSettings) -> None:
    """Give templates ``absolute(address)`` and ``here()``, this page's own address."""
    public = str(settings.public_url).rstrip("/") if settings.public_url else None

    def absolute_url(address: str) -> str:
        """An address with host: that of ``HAKKEN_PUBLIC_URL``, else the one that was asked."""
        return (public or request.url_root.rstrip("/")) + iri_to_uri(address)

    def current_url() -> str:
        return absolute_url(request.full_path.rstrip("?"))

    app.jinja_env.globals |= {"absolute": absolute_url, "here": current_url}
