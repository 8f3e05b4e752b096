"""Answers as JSON."""

from __future__ import annotations

from typing import Any

from flask import Response
from pydantic_core import to_json


def as_json(body: dict[str, Any], kept: str | None = None) -> Response:
    """``body`` in its own order, titles as themselves; ``kept`` is who may keep it, how long.

    Written by pydantic, in a tenth of the time that the standard library takes.
    """
    response = Response(to_json(body), mimetype="application/json")
    if kept:
        response.headers["Cache-Control"] = kept
    return response
