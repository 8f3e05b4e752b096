"""Addresses of this server: its own, and that of the page that was asked for, as links have it."""

from __future__ import annotations

from urllib.parse import quote

from flask import request

from app.web.state import get_app_state


def own_origin() -> str:
    """Return scheme and host: those of ``HAKKEN_PUBLIC_URL``, else those that were asked."""
    return str(get_app_state().settings.public_url or request.host_url).rstrip("/")


def current_path() -> str:
    """Return root and path; names in it may hold what means something else in an address."""
    # Not by url_for, for which some names have a meaning of their own.
    return f"{request.script_root}/{quote(request.path.lstrip('/'))}"


def current_address() -> str:
    """Return root, path and query."""
    query = request.query_string.decode(errors="replace")
    return f"{current_path()}?{query}" if query else current_path()
