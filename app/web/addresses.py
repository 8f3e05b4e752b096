"""The address of the page that was asked for, as a link to it has to be written."""

from __future__ import annotations

from urllib.parse import quote

from flask import request


def current_path() -> str:
    """Return root and path; names in it may hold what means something else in an address."""
    # Not by url_for, for which some names have a meaning of their own.
    return f"{request.script_root}/{quote(request.path.lstrip('/'))}"


def current_address() -> str:
    """Return root, path and query."""
    query = request.query_string.decode(errors="replace")
    return f"{current_path()}?{query}" if query else current_path()
