"""``/about``: what the model is, how good it is, and one recommendation worked through."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, render_template

from app.web.quality import quality_of
from app.web.sample import SAMPLE
from app.web.state import library
from app.web.worked import worked

blueprint = Blueprint("about", __name__)


@blueprint.get("/about")
def about() -> Response:
    """The page."""
    held = library()
    page = render_template(
        "about.html",
        manifest=held.model.manifest,
        quality=quality_of(held.model),
        worked=worked(held, SAMPLE),
    )
    shown = make_response(page)
    shown.headers["Cache-Control"] = "public, max-age=3600"
    return shown
