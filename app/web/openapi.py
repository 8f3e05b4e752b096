"""``GET /api/v1/openapi.json``: the API described from the models that read its queries.

The shapes of the answers stand in `app.web.schemas`; the tests ask the API whatever the description
allows, and more, and compare.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.lists.registry import SLUGS
from app.recommender import EngineName
from app.web import schemas
from app.web.anime import SimilarQuery
from app.web.as_json import as_json
from app.web.body import Body
from app.web.details import DetailsQuery
from app.web.options import FetchQuery
from app.web.picks import SearchQuery
from app.web.problems import all_kinds
from app.web.state import hakken
from app.web.together import PairQuery
from app.web.values import MARK

blueprint = Blueprint("openapi", __name__, url_prefix="/api/v1")

_REF = "#/components/schemas/{model}"
_ANIME_ID = {
    "name": "anime_id",
    "in": "path",
    "required": True,
    "description": "MyAnimeList’s number of the anime",
    "schema": {"type": "integer", "minimum": 1},
}
_FLAG = {"type": "string", "enum": ["0", "1", "false", "true"]}
_MARKS = {"type": "string", "pattern": MARK}
_GENRES = ("genre", "without")
_FETCHING = (403, 404, 413, 501, 502, 504)
_ALWAYS = (400, 429, 500, 503)
"""Statuses that any request may be answered with: 400 for a host name that is not ours."""


@blueprint.get("/openapi.json")
def description() -> Response:
    """The description."""
    body = {
        "openapi": "3.1.0",
        "info": {
            "title": "Hakken",
            "description": "What to watch next, and why. Errors are problem details (RFC 9457), "
            "whose type is a page that says what it means.",
            "version": hakken().version,
        },
        "paths": _paths(),
        "components": {"schemas": _schemas()},
    }
    return as_json(body, "public, max-age=3600")


def _paths() -> dict[str, Any]:
    body = {"application/json": {"schema": _ref(Body)}}
    fetch = _does(
        "Recommendations for a public list", schemas.UserAnswer, _query(FetchQuery), _FETCHING
    )
    pair = _does(
        "What two fans would both enjoy, and how alike they are",
        schemas.PairAnswer,
        _query(PairQuery),
        _FETCHING,
    )
    fans = _does(
        "The fans most like one, and what they loved",
        schemas.FansAnswer,
        _query(FetchQuery),
        _FETCHING,
    )
    post = _does(
        "Recommendations for the list in the body", schemas.Answer, [], (408, 413, 415, 422)
    )
    similar = [_ANIME_ID, *_query(SimilarQuery)]
    return {
        "/api/v1/recommendations": {
            "get": fetch,
            "post": post | {"requestBody": {"required": True, "content": body}},
        },
        "/api/v1/together": {"get": pair},
        "/api/v1/fans": {"get": fans},
        "/api/v1/anime": {"get": _does("Anime by title", schemas.Search, _query(SearchQuery), ())},
        "/api/v1/anime/{anime_id}": {
            "get": _does("One anime", schemas.AnimeFacts, [_ANIME_ID], (404,))
        },
        "/api/v1/anime/{anime_id}/similar": {
            "get": _does("What is like an anime", schemas.Similar, similar, (404,))
        },
        "/api/v1/details": {
            "get": _does("Pictures and synopses", schemas.Details, _query(DetailsQuery), ())
        },
        "/api/v1/openapi.json": {"get": _does("This description", None, [], ())},
    }


def _does(
    summary: str,
    answer: type[BaseModel] | None,
    parameters: list[dict[str, Any]],
    problems: tuple[int, ...],
) -> dict[str, Any]:
    """An operation; ``problems`` are the statuses that it may fail with."""
    schema = _ref(answer) if answer else {"type": "object"}
    content = {"application/json": {"schema": schema}}
    return {
        "summary": summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": summary, "content": content},
            **{str(status): _problem(status) for status in sorted({*problems, *_ALWAYS})},
        },
    }


def _problem(status: int) -> dict[str, Any]:
    """What the problems with a status are called, and what they look like."""
    titles = [kind.title for kind in all_kinds().values() if kind.status == status]
    return {
        "description": "; ".join(titles),
        "content": {"application/problem+json": {"schema": _ref(schemas.Problem)}},
    }


def _ref(kind: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=kind.__name__)}


def _query(kind: type[BaseModel]) -> list[dict[str, Any]]:
    """The parameters of a query; several values have commas between them."""
    known = kind.model_json_schema(ref_template=_REF)["properties"]
    parameters = []
    for name, field in kind.model_fields.items():
        schema = {k: v for k, v in known[name].items() if k not in {"title", "description"}}
        parameter = {
            "name": name,
            "in": "query",
            "required": field.is_required(),
            "description": field.description or "",
            "schema": _as_text(name, schema),
        }
        if schema.get("type") == "array":
            parameter |= {"style": "form", "explode": False}
        parameters.append(parameter)
    return parameters


def _as_text(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a value as it stands in an address."""
    if name.endswith("source"):
        return {"type": "string", "enum": list(SLUGS)}
    if name == "engine":
        return _engine()
    if name == "seen":
        return {**schema, "items": _MARKS}
    if name in _GENRES:
        return {**schema, "items": _genre()}
    if schema.get("type") == "boolean":
        return _FLAG
    # There is no null in an address: it is left out.
    given = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    return given[0] if given else schema


def _engine() -> dict[str, Any]:
    """An engine that the model has."""
    held = hakken().library
    further = held.model.engines if held else ()
    return {"type": "string", "enum": [EngineName.HAKKEN.value, *further]}


def _genre() -> dict[str, Any]:
    """A genre that the model knows."""
    held = hakken().library
    known = {"enum": list(held.facts.genre_names)} if held else {}
    return {"type": "string", **known}


def _schemas() -> dict[str, Any]:
    """All shapes, with the kinds of values that they and the queries refer to."""
    _, answers = models_json_schema(
        [(shape, "serialization") for shape in schemas.SHAPES], ref_template=_REF
    )
    body = Body.model_json_schema(ref_template=_REF)
    given = body["properties"]["engine"]
    told = {name: given[name] for name in ("default", "description")}
    body["properties"]["engine"] = {**told, **_engine()}
    for name in _GENRES:
        body["properties"][name]["items"] = _genre()
    return {**answers["$defs"], **body.pop("$defs"), "Body": body}
