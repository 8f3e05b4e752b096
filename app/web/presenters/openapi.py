"""The API described (OpenAPI 3.1) from the models that read its queries and build its answers.

The tests ask the API whatever the description allows, and more, and compare.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter

from app.lists.registry import SOURCE_SLUGS
from app.schemas.anime import (
    AnimeDetailsResponse,
    AnimeResponse,
    SearchResponse,
    SimilarAnimeResponse,
)
from app.schemas.anime_for_fan import AnimeForFanResponse
from app.schemas.base import ProblemDetails, Schema, adapter_of
from app.schemas.pair import PairRecommendationsResponse
from app.schemas.recommendations import (
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

RESPONSES = (
    ProblemDetails,
    SearchResponse,
    RecommendationsResponse,
    UserRecommendationsResponse,
    FileRecommendationsResponse,
    PairRecommendationsResponse,
    SimilarUsersResponse,
    AnimeResponse,
    AnimeForFanResponse,
    SimilarAnimeResponse,
    AnimeDetailsResponse,
)
_FILE_CONTENT = {
    "application/octet-stream": {"schema": {"type": "string", "contentMediaType": "*/*"}}
}
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
        body = {"application/json": {"schema": _schema_ref(RecommendationsBody)}}
        user = self._query_parameters(UserQuery)
        search = self._query_parameters(SearchQuery)
        similar = [_ANIME_ID_PARAMETER, *self._query_parameters(SimilarQuery)]
        post = _operation(
            "recommendForList",
            "recommendations",
            "Recommendations for the list in the body",
            RecommendationsResponse,
            statuses=(408, 413, 415, 422),
        )
        return {
            "/api/v1/recommendations": {
                "get": _operation(
                    "recommendForUser",
                    "recommendations",
                    "Recommendations for a public list",
                    UserRecommendationsResponse,
                    user,
                    _LIST_STATUSES,
                ),
                "post": post | {"requestBody": {"required": True, "content": body}},
            },
            "/api/v1/recommendations/file": {
                "post": _operation(
                    "recommendForFile",
                    "recommendations",
                    "Recommendations for a list in a file",
                    FileRecommendationsResponse,
                    self._query_parameters(QueryOptions),
                    (408, 413),
                )
                | {"requestBody": {"required": True, "content": _FILE_CONTENT}}
            },
            "/api/v1/together": {
                "get": _operation(
                    "recommendForTwo",
                    "recommendations",
                    "What two fans would both enjoy, and how alike they are",
                    PairRecommendationsResponse,
                    self._query_parameters(PairQuery),
                    _LIST_STATUSES,
                )
            },
            "/api/v1/fans": {
                "get": _operation(
                    "findSimilarFans",
                    "fans",
                    "The fans most like one, and what they loved",
                    SimilarUsersResponse,
                    self._query_parameters(SimilarUsersQuery),
                    _LIST_STATUSES,
                )
            },
            "/api/v1/anime": {
                "get": _operation("searchAnime", "anime", "Anime by title", SearchResponse, search)
            },
            "/api/v1/anime/{anime_id}": {
                "get": _operation(
                    "getAnime", "anime", "One anime", AnimeResponse, [_ANIME_ID_PARAMETER], (404,)
                )
            },
            "/api/v1/anime/{anime_id}/similar": {
                "get": _operation(
                    "getSimilarAnime",
                    "anime",
                    "What is like an anime",
                    SimilarAnimeResponse,
                    similar,
                    (404,),
                )
            },
            "/api/v1/anime/{anime_id}/for": {
                "get": _operation(
                    "getAnimeForFan",
                    "anime",
                    "Whether an anime is for a fan",
                    AnimeForFanResponse,
                    [_ANIME_ID_PARAMETER, *self._query_parameters(ForFanQuery)],
                    _LIST_STATUSES,
                )
            },
            "/api/v1/details": {
                "get": _operation(
                    "getDetails",
                    "anime",
                    "Pictures and synopses",
                    AnimeDetailsResponse,
                    self._query_parameters(DetailsQuery),
                )
            },
            "/api/v1/openapi.json": {
                "get": _operation("getDescription", "description", "This description", None)
            },
        }

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
        _, answers = TypeAdapter.json_schemas(
            [(shape, "validation", adapter_of(shape)) for shape in RESPONSES],
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


def _operation(
    operation_id: str,
    tag: str,
    summary: str,
    response: type[Schema] | None,
    parameters: Sequence[dict[str, Any]] = (),
    statuses: Sequence[int] = (),
) -> dict[str, Any]:
    """Describe an operation, which generated clients call by its id.

    ``statuses`` are those of the problems it may end with.
    """
    schema = _schema_ref(response) if response else {"type": "object"}
    content = {"application/json": {"schema": schema}}
    problems = {
        str(status): _problem_response(status) for status in sorted({*statuses, *_COMMON_STATUSES})
    }
    return {
        "summary": summary,
        "operationId": operation_id,
        "tags": [tag],
        "parameters": list(parameters),
        "responses": {"200": {"description": summary, "content": content}, **problems},
    }


def _problem_response(status: int) -> dict[str, Any]:
    """Say what the problems with a status are called, and what they look like."""
    titles = [kind.title for kind in problem_types_by_slug().values() if kind.status == status]
    return {
        "description": "; ".join(titles),
        "content": {"application/problem+json": {"schema": _schema_ref(ProblemDetails)}},
    }


def _schema_ref(model: type[Schema | BaseModel]) -> dict[str, str]:
    name = "Body" if model is RecommendationsBody else model.__name__
    return {"$ref": _REF_TEMPLATE.format(model=name)}
