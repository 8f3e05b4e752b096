"""The API described (OpenAPI 3.1) from the models that read its queries and build its answers.

The tests ask the API whatever the description allows, and more, and compare.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Any, NamedTuple
from urllib.parse import urlencode

from pydantic import BaseModel, TypeAdapter

from app.lists.registry import SOURCE_SLUGS
from app.schemas.anime import (
    AnimeDetailsResponse,
    AnimeResponse,
    SearchResponse,
    SimilarAnimeResponse,
)
from app.schemas.base import ProblemDetails, Schema, adapter_of
from app.schemas.pair import PairRecommendationsResponse
from app.schemas.recommendations import (
    AnimeForFanResponse,
    FileRecommendationsResponse,
    RecommendationsResponse,
    UserRecommendationsResponse,
)
from app.schemas.similar_users import SimilarUsersResponse
from app.web.problems import problem_types_by_slug
from app.web.requests.body import RecommendationsBody
from app.web.requests.query import (
    DetailsQuery,
    ForFanQuery,
    PairQuery,
    QueryOptions,
    SearchQuery,
    SimilarQuery,
    SimilarUsersQuery,
    UserQuery,
)
from app.web.requests.values import MARK_PATTERN

_TAGS = {
    "recommendations": "What to watch next, and why",
    "fans": "Fans with the same taste",
    "anime": "Facts about anime, and what is like them",
    "description": "The API itself",
}
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
_WORD_SCHEMAS = {
    "genre": "Genre",
    "without": "Genre",
    "tag": "Tag",
    "without_tag": "Tag",
    "studio": "Studio",
    "material": "Material",
}
"""Options of words, and the shape that lists these."""
_LIST_STATUSES = (403, 404, 413, 501, 502, 504)
_COMMON_STATUSES = (400, 429, 500, 503)
"""Statuses that any request may be answered with: 400 for a host name that is not ours."""


class _Operation(NamedTuple):
    """A question to the API. Generated clients call it by ``id``.

    ``statuses`` are those of the problems it may end with, ``content`` is what its body may be.
    """

    path: str
    id: str
    tag: str
    summary: str
    response: type[Schema] | None
    query: type[BaseModel] | None = None
    statuses: tuple[int, ...] = ()
    content: Mapping[str, Any] | None = None


_OPERATIONS = (
    _Operation(
        "/api/v1/recommendations",
        "recommendForUser",
        "recommendations",
        "Recommendations for a public list",
        UserRecommendationsResponse,
        UserQuery,
        _LIST_STATUSES,
    ),
    _Operation(
        "/api/v1/recommendations",
        "recommendForList",
        "recommendations",
        "Recommendations for the list in the body",
        RecommendationsResponse,
        statuses=(408, 413, 415, 422),
        content={"application/json": {"schema": {"$ref": "#/components/schemas/Body"}}},
    ),
    _Operation(
        "/api/v1/recommendations/file",
        "recommendForFile",
        "recommendations",
        "Recommendations for a list in a file",
        FileRecommendationsResponse,
        QueryOptions,
        (408, 413),
        {"application/octet-stream": {"schema": {"type": "string", "contentMediaType": "*/*"}}},
    ),
    _Operation(
        "/api/v1/together",
        "recommendForTwo",
        "recommendations",
        "What two fans would both enjoy, and how alike they are",
        PairRecommendationsResponse,
        PairQuery,
        _LIST_STATUSES,
    ),
    _Operation(
        "/api/v1/fans",
        "findSimilarFans",
        "fans",
        "The fans most like one, and what they loved",
        SimilarUsersResponse,
        SimilarUsersQuery,
        _LIST_STATUSES,
    ),
    _Operation(
        "/api/v1/anime", "searchAnime", "anime", "Anime by title", SearchResponse, SearchQuery
    ),
    _Operation(
        "/api/v1/anime/{anime_id}", "getAnime", "anime", "One anime", AnimeResponse, None, (404,)
    ),
    _Operation(
        "/api/v1/anime/{anime_id}/similar",
        "getSimilarAnime",
        "anime",
        "What is like an anime",
        SimilarAnimeResponse,
        SimilarQuery,
        (404,),
    ),
    _Operation(
        "/api/v1/anime/{anime_id}/for",
        "getAnimeForFan",
        "anime",
        "Whether an anime is for a fan",
        AnimeForFanResponse,
        ForFanQuery,
        _LIST_STATUSES,
    ),
    _Operation(
        "/api/v1/details",
        "getDetails",
        "anime",
        "Pictures and synopses",
        AnimeDetailsResponse,
        DetailsQuery,
    ),
    _Operation("/api/v1/openapi.json", "getDescription", "description", "This description", None),
)


@dataclass(frozen=True, slots=True)
class ApiDescription:
    """What depends on the release and on the model: the engines, and the words of facets.

    ``words`` has the slugs by the facet's name; no facet that is not offered. ``server`` is the
    address that the paths begin with.
    """

    version: str
    engines: Sequence[str]
    words: Mapping[str, Sequence[str]]
    server: str = "/"

    def to_openapi(self) -> dict[str, Any]:
        """Build the document."""
        return {
            "openapi": "3.1.0",
            "info": {
                "title": "Hakken",
                "description": "What to watch next, and why. Errors are problem details (RFC "
                "9457), whose type is a page that says what it means.",
                "version": self.version,
                "license": {"name": "MIT", "identifier": "MIT"},
            },
            "servers": [{"url": self.server, "description": "This Hakken"}],
            "tags": [{"name": name, "description": told} for name, told in _TAGS.items()],
            "paths": self._path_items(),
            "components": {"schemas": self._component_schemas()},
        }

    def _path_items(self) -> dict[str, Any]:
        paths: dict[str, Any] = {}
        for each in _OPERATIONS:
            content = {"application/json": {"schema": _schema_ref(each.response)}}
            described = {
                "summary": each.summary,
                "operationId": each.id,
                "tags": [each.tag],
                "parameters": [
                    *([_ANIME_ID_PARAMETER] if "{anime_id}" in each.path else []),
                    *(self._query_parameters(each.query) if each.query else []),
                ],
                "responses": {
                    "200": {"description": each.summary, "content": content},
                    **{
                        str(status): _problem_response(status)
                        for status in sorted({*each.statuses, *_COMMON_STATUSES})
                    },
                },
            }
            if each.content:
                described["requestBody"] = {"required": True, "content": each.content}
            paths.setdefault(each.path, {})["post" if each.content else "get"] = described
        return paths

    def _query_parameters(self, model: type[BaseModel]) -> list[dict[str, Any]]:
        """Describe the parameters of a query; several values have commas between them."""
        known = model.model_json_schema(ref_template=_REF_TEMPLATE)["properties"]
        parameters = []
        for name, field in model.model_fields.items():
            schema = {k: v for k, v in known[name].items() if k not in {"title", "description"}}
            parameter = {
                "name": name,
                "in": "query",
                "required": field.is_required(),
                "description": field.description or "",
                "schema": self._query_schema(name, schema),
            }
            if schema.get("type") == "array":
                parameter |= {"style": "form", "explode": False}
            parameters.append(parameter)
        return parameters

    def _query_schema(self, name: str, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe a value as it stands in an address."""
        if name.endswith("source"):
            return {"type": "string", "enum": list(SOURCE_SLUGS)}
        if name == "engine":
            return self._engine_schema()
        if name == "seen":
            return {**schema, "items": _SEEN_MARK_SCHEMA}
        if name in _WORD_SCHEMAS:
            return {**schema, **self._words_schema(name)}
        if name == "season":
            return {**schema, **self._season_schema()}
        if schema.get("type") == "boolean":
            return _FLAG_SCHEMA
        # There is no null in an address: it is left out.
        given = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
        return given[0] if given else schema

    def _engine_schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.engines)}

    def _words_schema(self, option: str) -> dict[str, Any]:
        """Describe what an array of words may hold: nothing where the facet is not offered."""
        shape = _WORD_SCHEMAS[option]
        if shape.lower() not in self.words:
            return {"maxItems": 0}
        return {"items": {"$ref": _REF_TEMPLATE.format(model=shape)}}

    def _season_schema(self) -> dict[str, Any]:
        return {} if "season" in self.words else {"maxItems": 0}

    def _component_schemas(self) -> dict[str, Any]:
        """Describe all shapes, and the kinds of values that they and the queries refer to."""
        shapes = (ProblemDetails, *(each.response for each in _OPERATIONS))
        _, answers = TypeAdapter.json_schemas(
            [(shape.__name__, "validation", adapter_of(shape)) for shape in shapes if shape],
            ref_template=_REF_TEMPLATE,
        )
        body = RecommendationsBody.model_json_schema(ref_template=_REF_TEMPLATE)
        given = body["properties"]["engine"]
        described = {name: given[name] for name in ("default", "description")}
        body["properties"]["engine"] = {**described, **self._engine_schema()}
        for name in _WORD_SCHEMAS:
            body["properties"][name] |= self._words_schema(name)
        body["properties"]["season"] |= self._season_schema()
        words = {
            shape: {"type": "string", "enum": list(self.words[shape.lower()])}
            for shape in sorted(set(_WORD_SCHEMAS.values()))
            if shape.lower() in self.words
        }
        fans = SimilarUsersQuery.model_json_schema(ref_template=_REF_TEMPLATE)["$defs"]
        return {**answers["$defs"], **fans, **body.pop("$defs"), **words, "Body": body}


def _problem_response(status: int) -> dict[str, Any]:
    """Say what the problems with a status are called, and what they look like."""
    titles = [kind.title for kind in problem_types_by_slug().values() if kind.status == status]
    return {
        "description": "; ".join(titles),
        "content": {"application/problem+json": {"schema": _schema_ref(ProblemDetails)}},
    }


def _schema_ref(response: type[Schema] | None) -> dict[str, str]:
    if response is None:
        return {"type": "object"}
    return {"$ref": _REF_TEMPLATE.format(model=response.__name__)}


_FAN = {"source": "anilist", "username": "NAME"}
_EXAMPLE_QUERIES: dict[str, dict[str, str]] = {
    "recommendForUser": {**_FAN, "top": "5"},
    "recommendForFile": {"top": "5"},
    "recommendForTwo": {**_FAN, "with_source": "anilist", "with_username": "OTHER", "top": "5"},
    "findSimilarFans": _FAN,
    "searchAnime": {"search": "cowboy", "limit": "3"},
    "getAnimeForFan": _FAN,
}
"""Queries of the examples, by operation; NAME and OTHER are to be replaced."""


def example_command(operation_id: str, path: str, base_url: str, anime_id: int) -> str:
    """Write a command that asks an operation of ``base_url``, about an anime where it needs one."""
    query = dict(_EXAMPLE_QUERIES.get(operation_id, {}))
    if operation_id == "getDetails":
        query["ids"] = str(anime_id)
    address = base_url + path.replace("{anime_id}", str(anime_id))
    command = f"curl {quote(address + ('?' + urlencode(query) if query else ''))}"
    if operation_id == "recommendForList":
        body = json.dumps({"list": [{"anime_id": anime_id, "score": 10}], "top": 5})
        command += f" -H 'Content-Type: application/json' -d {quote(body)}"
    if operation_id == "recommendForFile":
        command += " -H 'Content-Type: application/octet-stream' --data-binary @animelist.xml.gz"
    return command
