"""``/about``: what the model is, how good it is, and one recommendation worked through."""

from __future__ import annotations

from flask import Blueprint, Response, render_template

from app.notice import read_sources
from app.web.presenters.model_quality import load_model_quality, second_stage_result
from app.web.request_costs import Cost, rate_limited
from app.web.services.example_lists import EXAMPLE_LIST
from app.web.services.worked_example import build_worked_example
from app.web.state import get_library
from app.web.views.responses import PUBLIC_HOUR, page_response

blueprint = Blueprint("about", __name__)


@blueprint.get("/about")
@rate_limited(Cost.PAGE)
def show_about() -> Response:
    """Show the page."""
    library = get_library()
    page = render_template(
        "about.html",
        manifest=library.model.manifest,
        sources=read_sources(library.model.manifest.dataset.name),
        quality=load_model_quality(library.model),
        has_second_stage=library.model.rerank_trees is not None,
        second_stage=second_stage_result(library.model),
        worked=build_worked_example(library, EXAMPLE_LIST),
    )
    return page_response(page, PUBLIC_HOUR)
