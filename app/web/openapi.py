"""``GET /api/v1/openapi.json``: the API described from the models that read its queries."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, json
from pydantic import BaseModel

from app.web.anime import SimilarQuery
from app.web.body import Body
from app.web.details import DetailsQuery
from app.web.options import FetchQuery
from app.web.picks import SearchQuery
from app.web.state import hakken
from app.web.together import PairQuery

blueprint = Blueprint("openapi", __name__, url_prefix="/api/v1")

_TEXT, _NUMBER, _WHOLE = {"type": "string"}, {"type": "number"}, {"type": "integer"}
_ANIME_ID = {
    "name": "anime_id",
    "in": "path",
    "required": True,
    "description": "MyAnimeList’s number of the anime",
    "schema": _WHOLE,
}
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {"type": _TEXT, "title": _TEXT, "status": _WHOLE, "detail": _TEXT},
}
_BECAUSE = {"anime_id": _WHOLE, "title": _TEXT, "score": {"type": ["number", "null"]}}
_RECOMMENDATION = {
    "rank": _WHOLE,
    "anime_id": _WHOLE,
    "title": _TEXT,
    "match": _NUMBER,
    "predicted_score": _NUMBER,
    "expected_error": _NUMBER,
    "because": {
        "type": "array",
        "items": {"type": "object", "properties": {**_BECAUSE, "weight": _NUMBER}},
    },
    "rest": _NUMBER,
    "more_of_franchise": _WHOLE,
}
_ANSWER = {
    "type": "object",
    "required": ["model", "order", "recommendations"],
    "properties": {
        "model": _TEXT,
        "order": _TEXT,
        "recommendations": {
            "type": "array",
            "items": {
                "type": "object",
                "required": list(_RECOMMENDATION),
                "properties": _RECOMMENDATION,
            },
        },
    },
}
_FOR_ONE = {
    "match": _NUMBER,
    "predicted_score": _NUMBER,
    "planned": {"type": "boolean"},
    "because": _RECOMMENDATION["because"],
}
_FOR_BOTH = {
    "rank": _WHOLE,
    "anime_id": _WHOLE,
    "title": _TEXT,
    "match": _NUMBER,
    "fans": {"type": "array", "items": {"type": "object", "properties": _FOR_ONE}},
    "more_of_franchise": _WHOLE,
}
_UNSURE = {"type": ["number", "null"]}
_LIKENESS = {
    "both_seen": _WHOLE,
    "both_scored": _WHOLE,
    "value": _UNSURE,
    "chance": _UNSURE,
    "mean_difference": _UNSURE,
}
_ROWS = {"type": "array", "items": {"type": "object"}}
_PAIR_PARTS = {
    "model": _TEXT,
    "order": _TEXT,
    "fans": _ROWS,
    "likeness": {"type": "object", "required": list(_LIKENESS), "properties": _LIKENESS},
    "recommendations": {
        "type": "array",
        "items": {"type": "object", "required": list(_FOR_BOTH), "properties": _FOR_BOTH},
    },
    "favourites": _ROWS,
    "disagreements": _ROWS,
    "first_loved": _ROWS,
    "second_loved": _ROWS,
}
_PAIR = {"type": "object", "required": list(_PAIR_PARTS), "properties": _PAIR_PARTS}
_ANY = {"type": "object"}


@blueprint.get("/openapi.json")
def description() -> Response:
    """The description."""
    body = {
        "openapi": "3.1.0",
        "info": {
            "title": "Hakken",
            "description": "What to watch next, and why.",
            "version": hakken().version,
        },
        "paths": _paths(),
        "components": {
            "schemas": {
                "Problem": _PROBLEM,
                "Answer": _ANSWER,
                "PairAnswer": _PAIR,
                **_body_schemas(),
            }
        },
    }
    text = json.dumps(body, ensure_ascii=False, sort_keys=False)
    response = Response(text, mimetype="application/json")
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response


def _paths() -> dict[str, Any]:
    answer = {"$ref": "#/components/schemas/Answer"}
    pair = {"$ref": "#/components/schemas/PairAnswer"}
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/Body"}}}
    return {
        "/api/v1/recommendations": {
            "get": _does("Recommendations for a public list", answer, _query(FetchQuery)),
            "post": _does("Recommendations for the list in the body", answer)
            | {"requestBody": {"required": True, "content": body}},
        },
        "/api/v1/together": {
            "get": _does(
                "What two fans would both enjoy, and how alike they are", pair, _query(PairQuery)
            )
        },
        "/api/v1/anime": {"get": _does("Anime by title", _ANY, _query(SearchQuery))},
        "/api/v1/anime/{anime_id}": {"get": _does("One anime", _ANY, [_ANIME_ID])},
        "/api/v1/anime/{anime_id}/similar": {
            "get": _does("What is like an anime", _ANY, [_ANIME_ID, *_query(SimilarQuery)])
        },
        "/api/v1/details": {"get": _does("Pictures and synopses", _ANY, _query(DetailsQuery))},
        "/api/v1/openapi.json": {"get": _does("This description", _ANY)},
    }


def _does(
    summary: str, schema: dict[str, Any], parameters: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        "summary": summary,
        "parameters": parameters or [],
        "responses": {
            "200": {
                "description": summary,
                "content": {"application/json": {"schema": schema}},
            },
            "default": {
                "description": "What went wrong, and what to do",
                "content": {"application/problem+json": problem},
            },
        },
    }


def _query(kind: type[BaseModel]) -> list[dict[str, Any]]:
    """The parameters of a query; what has several values is one text with commas in it."""
    schemas = kind.model_json_schema(ref_template="#/components/schemas/{model}")["properties"]
    parameters = []
    for name, field in kind.model_fields.items():
        schema = {k: v for k, v in schemas[name].items() if k not in {"title", "description"}}
        parameters.append(
            {
                "name": name,
                "in": "query",
                "required": field.is_required(),
                "description": field.description or "",
                "schema": _TEXT if schema.get("type") == "array" else schema,
            }
        )
    return parameters


def _body_schemas() -> dict[str, Any]:
    """The body of a POST, with the kinds of values that it and the queries refer to."""
    schema = Body.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), "Body": schema}
