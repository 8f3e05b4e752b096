"""Addresses of this server: its own, and that of the page that was asked for, as links have it."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from flask import request

from app.web.state import get_app_state


def own_origin() -> str:
    """Return what makes `url_for` absolute: scheme and host, of ``HAKKEN_PUBLIC_URL`` if it is set.

    Its path goes with them only where the server knows no root (``SCRIPT_NAME``), because what is
    before this server takes it off: else addresses have it already.
    """
    public = str(get_app_state().settings.public_url or request.host_url)
    if request.script_root:
        parts = urlsplit(public)
        return f"{parts.scheme}://{parts.netloc}"
    return public.rstrip("/")


def current_path() -> str:
    """Return root and path; names in it may hold what means something else in an address."""
    # Not by url_for, for which some names have a meaning of their own.
    return f"{request.script_root}/{quote(request.path.lstrip('/'))}"


def current_address() -> str:
    """Return root, path and query."""
    query = request.query_string.decode(errors="replace")
    return f"{current_path()}?{query}" if query else current_path()
