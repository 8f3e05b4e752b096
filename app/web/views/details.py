"""``GET /api/v1/details``: pictures and synopses for titles that a page already shows."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from flask import Blueprint, Response, request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from app.web.request_costs import Cost, rate_limited
from app.web.requests.query import MAX_TOP, AnimeId, parse_query
from app.web.requests.values import parse_int
from app.web.state import get_library
from app.web.views.responses import json_response

blueprint = Blueprint("details", __name__, url_prefix="/api/v1")


def _split_ids(value: object, info: ValidationInfo) -> object:
    return [parse_int(part, info) for part in value.split(",")] if isinstance(value, str) else value


class DetailsQuery(BaseModel):
    """The query."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ids: Annotated[
        tuple[AnimeId, ...],
        Field(
            min_length=1,
            max_length=MAX_TOP,
            description=f"up to {MAX_TOP} of MyAnimeList’s anime ids with commas between them",
        ),
        BeforeValidator(_split_ids),
    ]


@blueprint.get("/details")
@rate_limited(Cost.PAGE)
def get_details() -> Response:
    """What is known of these anime; nobody is asked for anime that Hakken does not know itself."""
    library = get_library()
    query = parse_query(DetailsQuery, request.args)
    found = library.details_cache.get_details(
        [each for each in query.ids if each in library.catalogue]
    )
    body: dict[str, Any] = {
        "details": [asdict(each) for each in found.details],
        "complete": found.complete,
    }
    # About anime, not about fans: anybody may keep it.
    return json_response(body, "public, max-age=86400" if found.complete else "no-store")
