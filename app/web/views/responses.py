"""Answers as JSON."""

from __future__ import annotations

from typing import Any

from flask import Response
from pydantic_core import to_json


def json_response(body: dict[str, Any], cache_control: str | None = None) -> Response:
    """``body`` in its own order, titles as themselves; ``kept`` is who may keep it, how long.

    Written by pydantic, in a tenth of the time that the standard library takes.
    """
    response = Response(to_json(body), mimetype="application/json")
    if cache_control:
        response.headers["Cache-Control"] = cache_control
    return response
