"""Response headers that keep a visitor safe, as data."""

from __future__ import annotations

from flask import Flask, Response, request

from app.lists.fields import PICTURE_HOSTS
from app.settings import Settings

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

REFUSED_FEATURES = (
    *("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer"),
    *("microphone", "midi", "payment", "usb"),
)

HSTS = "max-age=31536000"
"""A year of nothing but https; subdomains are not ours to speak for."""

HEADERS = {
    "Content-Security-Policy": "; ".join(
        f"{directive} {value}" for directive, value in CONTENT_SECURITY_POLICY.items()
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in REFUSED_FEATURES),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # Nearly every answer holds somebody's list; what does not says so itself.
    "Cache-Control": "private, no-store",
}


def init_app(app: Flask, settings: Settings) -> None:
    """Send the headers with every response that does not set them itself."""
    public = settings.public_url
    always_https = public is not None and public.scheme == "https"

    def add(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if always_https or request.is_secure:
            response.headers.setdefault("Strict-Transport-Security", HSTS)
        return response

    app.after_request(add)
