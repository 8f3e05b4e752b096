"""Response headers: what keeps a visitor safe, what may be kept and for how long, who may ask."""

from __future__ import annotations

from flask import Flask, Response, request
from flask_cors import CORS

from app.pictures import PICTURE_HOSTS
from app.settings import AppSettings
from app.web.middleware.request_context import REQUEST_ID_HEADER

POSTER_ORIGINS = tuple(f"https://{host}" for host in PICTURE_HOSTS)

CONTENT_SECURITY_POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "script-src": "'self'",
    "worker-src": "'self'",
    "img-src": " ".join(("'self'", *POSTER_ORIGINS)),
    "connect-src": "'self'",
    "manifest-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}

DISABLED_FEATURES = (
    *("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer"),
    *("microphone", "midi", "payment", "usb"),
)

PREFLIGHT_MAX_AGE = 24 * 3600
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


def init_security(app: Flask, settings: AppSettings) -> None:
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


def init_cors(app: Flask, settings: AppSettings) -> None:
    """Let pages of other origins ask the API, if the operator says which; no cookie decides.

    Stremio and its likes are pages of other origins, each of its own: its catalogues are for all.
    """
    CORS(
        app,
        resources={r"/stremio/.*": {"origins": "*"}},
        methods=["GET", "HEAD", "OPTIONS"],
        send_wildcard=True,
    )
    if not settings.cors_origins:
        return
    for_all = "*" in settings.cors_origins

    def tell_caches(response: Response) -> Response:
        """Say, to any origin and to none, that others are answered otherwise."""
        if request.path.startswith("/api/") and not for_all:
            response.vary.add("Origin")
        return response

    app.after_request(tell_caches)
    CORS(
        app,
        resources={r"/api/.*": {"origins": list(settings.cors_origins)}},
        methods=["GET", "HEAD", "POST", "OPTIONS"],
        allow_headers=["Content-Type", "If-None-Match"],
        expose_headers=["ETag", "Retry-After", REQUEST_ID_HEADER],
        max_age=PREFLIGHT_MAX_AGE,
        send_wildcard=for_all,
    )


def init_caching(app: Flask) -> None:
    """Answer 304 to who has the answer already; to be called after what changes its bytes.

    The ETag is that of the answer's own words, so a new model, a new release and a new setting all
    change it. What holds a list (``no-store``) and what is streamed has none.
    """
    app.after_request(_add_etag)


def _add_etag(response: Response) -> Response:
    cacheable = "no-store" not in response.headers.get("Cache-Control", "no-store")
    if cacheable and response.status_code == 200 and not response.is_streamed:
        response.add_etag()
        response.make_conditional(request)
    return response
