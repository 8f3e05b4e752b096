"""``GET /api/v1/openapi.json``: the API described from the models that read its queries.

The shapes of the answers stand in `app.web.schemas`; the tests ask the API whatever the description
allows, and more, and compare.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.lists.registry import SOURCE_SLUGS
from app.recommender import EngineName
from app.web import schemas
from app.web.problems import problem_types_by_slug
from app.web.request_costs import Cost, rate_limited
from app.web.requests.body import RecommendationsBody
from app.web.requests.query import UserQuery
from app.web.requests.values import MARK_PATTERN
from app.web.state import get_app_state
from app.web.views.anime import SimilarQuery
from app.web.views.details import DetailsQuery
from app.web.views.pair import PairQuery
from app.web.views.picks import SearchQuery
from app.web.views.responses import json_response

blueprint = Blueprint("openapi", __name__, url_prefix="/api/v1")

_REF_TEMPLATE = "#/components/schemas/{model}"
_ANIME_ID_PARAMETER = {
    "name": "anime_id",
    "in": "path",
    "required": True,
    "description": "MyAnimeList’s number of the anime",
    "schema": {"type": "integer", "minimum": 1},
}
_FLAG_SCHEMA = {"type": "string", "enum": ["0", "1", "false", "true"]}
_SEEN_MARK_SCHEMA = {"type": "string", "pattern": MARK_PATTERN}
_GENRE_OPTIONS = ("genre", "without")
_LIST_FETCH_STATUSES = (403, 404, 413, 501, 502, 504)
_COMMON_STATUSES = (400, 429, 500, 503)
"""Statuses that any request may be answered with: 400 for a host name that is not ours."""


@blueprint.get("/openapi.json")
@rate_limited(Cost.PAGE)
def get_openapi() -> Response:
    """The description."""
    body = {
        "openapi": "3.1.0",
        "info": {
            "title": "Hakken",
            "description": "What to watch next, and why. Errors are problem details (RFC 9457), "
            "whose type is a page that says what it means.",
            "version": get_app_state().version,
        },
        "paths": _path_items(),
        "components": {"schemas": _component_schemas()},
    }
    return json_response(body, "public, max-age=3600")


def _path_items() -> dict[str, Any]:
    body = {"application/json": {"schema": _schema_ref(RecommendationsBody)}}
    fetch = _operation(
        "Recommendations for a public list",
        schemas.UserRecommendationsResponse,
        _query_parameters(UserQuery),
        _LIST_FETCH_STATUSES,
    )
    pair = _operation(
        "What two fans would both enjoy, and how alike they are",
        schemas.PairRecommendationsResponse,
        _query_parameters(PairQuery),
        _LIST_FETCH_STATUSES,
    )
    fans = _operation(
        "The fans most like one, and what they loved",
        schemas.SimilarUsersResponse,
        _query_parameters(UserQuery),
        _LIST_FETCH_STATUSES,
    )
    post = _operation(
        "Recommendations for the list in the body",
        schemas.RecommendationsResponse,
        [],
        (408, 413, 415, 422),
    )
    similar = [_ANIME_ID_PARAMETER, *_query_parameters(SimilarQuery)]
    return {
        "/api/v1/recommendations": {
            "get": fetch,
            "post": post | {"requestBody": {"required": True, "content": body}},
        },
        "/api/v1/together": {"get": pair},
        "/api/v1/fans": {"get": fans},
        "/api/v1/anime": {
            "get": _operation(
                "Anime by title", schemas.SearchResponse, _query_parameters(SearchQuery), ()
            )
        },
        "/api/v1/anime/{anime_id}": {
            "get": _operation("One anime", schemas.AnimeResponse, [_ANIME_ID_PARAMETER], (404,))
        },
        "/api/v1/anime/{anime_id}/similar": {
            "get": _operation(
                "What is like an anime", schemas.SimilarAnimeResponse, similar, (404,)
            )
        },
        "/api/v1/details": {
            "get": _operation(
                "Pictures and synopses",
                schemas.AnimeDetailsResponse,
                _query_parameters(DetailsQuery),
                (),
            )
        },
        "/api/v1/openapi.json": {"get": _operation("This description", None, [], ())},
    }


def _operation(
    summary: str,
    response_schema: type[BaseModel] | None,
    parameters: list[dict[str, Any]],
    problem_statuses: tuple[int, ...],
) -> dict[str, Any]:
    """An operation; ``problems`` are the statuses that it may fail with."""
    schema = _schema_ref(response_schema) if response_schema else {"type": "object"}
    content = {"application/json": {"schema": schema}}
    return {
        "summary": summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": summary, "content": content},
            **{
                str(status): _problem_response(status)
                for status in sorted({*problem_statuses, *_COMMON_STATUSES})
            },
        },
    }


def _problem_response(status: int) -> dict[str, Any]:
    """What the problems with a status are called, and what they look like."""
    titles = [kind.title for kind in problem_types_by_slug().values() if kind.status == status]
    return {
        "description": "; ".join(titles),
        "content": {"application/problem+json": {"schema": _schema_ref(schemas.ProblemDetails)}},
    }


def _schema_ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF_TEMPLATE.format(model=model.__name__)}


def _query_parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    """The parameters of a query; several values have commas between them."""
    known = model.model_json_schema(ref_template=_REF_TEMPLATE)["properties"]
    parameters = []
    for name, field in model.model_fields.items():
        schema = {k: v for k, v in known[name].items() if k not in {"title", "description"}}
        parameter = {
            "name": name,
            "in": "query",
            "required": field.is_required(),
            "description": field.description or "",
            "schema": _query_schema(name, schema),
        }
        if schema.get("type") == "array":
            parameter |= {"style": "form", "explode": False}
        parameters.append(parameter)
    return parameters


def _query_schema(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a value as it stands in an address."""
    if name.endswith("source"):
        return {"type": "string", "enum": list(SOURCE_SLUGS)}
    if name == "engine":
        return _engine_schema()
    if name == "seen":
        return {**schema, "items": _SEEN_MARK_SCHEMA}
    if name in _GENRE_OPTIONS:
        return {**schema, "items": _genre_schema()}
    if schema.get("type") == "boolean":
        return _FLAG_SCHEMA
    # There is no null in an address: it is left out.
    given = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    return given[0] if given else schema


def _engine_schema() -> dict[str, Any]:
    """An engine that the model has."""
    library = get_app_state().library
    further = library.model.engines if library else ()
    return {"type": "string", "enum": [EngineName.HAKKEN.value, *further]}


def _genre_schema() -> dict[str, Any]:
    """A genre that the model knows."""
    library = get_app_state().library
    known = {"enum": list(library.attributes.genre_names)} if library else {}
    return {"type": "string", **known}


def _component_schemas() -> dict[str, Any]:
    """All shapes, with the kinds of values that they and the queries refer to."""
    _, answers = models_json_schema(
        [(shape, "serialization") for shape in schemas.RESPONSE_SCHEMAS], ref_template=_REF_TEMPLATE
    )
    body = RecommendationsBody.model_json_schema(ref_template=_REF_TEMPLATE)
    given = body["properties"]["engine"]
    engine_schema = {name: given[name] for name in ("default", "description")}
    body["properties"]["engine"] = {**engine_schema, **_engine_schema()}
    for name in _GENRE_OPTIONS:
        body["properties"][name]["items"] = _genre_schema()
    return {**answers["$defs"], **body.pop("$defs"), "Body": body}
