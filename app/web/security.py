"""Response headers that keep a visitor safe, as data."""

from __future__ import annotations

from flask import Flask, Response

from app.lists.fields import PICTURE_HOSTS

POSTERS = tuple(f"https://{host}" for host in PICTURE_HOSTS)

CONTENT_SECURITY_POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "script-src": "'self'",
    "img-src": " ".join(("'self'", *POSTERS)),
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}

HEADERS = {
    "Content-Security-Policy": "; ".join(
        f"{directive} {value}" for directive, value in CONTENT_SECURITY_POLICY.items()
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # Nearly every answer holds somebody's list; what does not says so itself.
    "Cache-Control": "private, no-store",
}


def init_app(app: Flask) -> None:
    """Send the headers with every response that does not set them itself."""
    app.after_request(_add)


def _add(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response
