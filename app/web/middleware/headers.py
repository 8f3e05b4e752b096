"""Response headers that keep a visitor safe, as data."""

from __future__ import annotations

from flask import Flask, Response, request

from app.lists.normalize import PICTURE_HOSTS
from app.settings import AppSettings

POSTER_ORIGINS = tuple(f"https://{host}" for host in PICTURE_HOSTS)

CONTENT_SECURITY_POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "script-src": "'self'",
    "img-src": " ".join(("'self'", *POSTER_ORIGINS)),
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}

DISABLED_FEATURES = (
    *("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer"),
    *("microphone", "midi", "payment", "usb"),
)

HSTS_VALUE = "max-age=31536000"
"""A year of nothing but https; subdomains are not ours to speak for."""

SECURITY_HEADERS = {
    "Content-Security-Policy": "; ".join(
        f"{directive} {value}" for directive, value in CONTENT_SECURITY_POLICY.items()
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in DISABLED_FEATURES),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # Nearly every answer holds somebody's list; what does not says so itself.
    "Cache-Control": "private, no-store",
}


def init_app(app: Flask, settings: AppSettings) -> None:
    """Send the headers with every response that does not set them itself."""
    public = settings.public_url
    always_https = public is not None and public.scheme == "https"

    def add_headers(response: Response) -> Response:
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        if always_https or request.is_secure:
            response.headers.setdefault("Strict-Transport-Security", HSTS_VALUE)
        return response

    app.after_request(add_headers)
