"""The page about the API, from its description, with examples that can be run as they stand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Any, Final
from urllib.parse import urlencode

_FAN: Final = {"source": "anilist", "username": "NAME"}
_EXAMPLE_QUERIES: Final[dict[str, dict[str, str]]] = {
    "recommendForUser": {**_FAN, "top": "5"},
    "recommendForList": {},
    "recommendForFile": {"top": "5"},
    "recommendForTwo": {**_FAN, "with_source": "anilist", "with_username": "OTHER", "top": "5"},
    "findSimilarFans": _FAN,
    "searchAnime": {"search": "cowboy", "limit": "3"},
    "getAnimeForFan": _FAN,
}
"""Queries of the examples, by operation; NAME and OTHER are to be replaced."""


@dataclass(frozen=True, slots=True)
class ApiParameter:
    """A parameter: its name, whether it has to be given, and what it may be."""

    name: str
    required: bool
    told: str


@dataclass(frozen=True, slots=True)
class ApiOperation:
    """One question to the API."""

    operation_id: str
    method: str
    path: str
    summary: str
    parameters: tuple[ApiParameter, ...]
    answer: str | None
    problems: tuple[str, ...]
    example: str


@dataclass(frozen=True, slots=True)
class ApiSection:
    """Questions of one kind."""

    heading: str
    operations: tuple[ApiOperation, ...]


def build_api_page(
    description: Mapping[str, Any], base_url: str, anime_id: int
) -> list[ApiSection]:
    """Build the sections from the OpenAPI document; ``anime_id`` is that of the examples."""
    operations = [
        (each["tags"][0], _operation(each, method, path, base_url, anime_id))
        for path, methods in description["paths"].items()
        for method, each in methods.items()
    ]
    return [
        ApiSection(
            tag["description"], tuple(each for name, each in operations if name == tag["name"])
        )
        for tag in description["tags"]
    ]


def _operation(
    described: Mapping[str, Any], method: str, path: str, base_url: str, anime_id: int
) -> ApiOperation:
    responses = described["responses"]
    (content,) = responses["200"]["content"].values()
    reference = content["schema"].get("$ref")
    return ApiOperation(
        operation_id=described["operationId"],
        method=method.upper(),
        path=path,
        summary=described["summary"],
        parameters=tuple(
            ApiParameter(each["name"], each["required"], each["description"])
            for each in described["parameters"]
        ),
        answer=reference and reference.rpartition("/")[2],
        problems=tuple(
            f"{status}: {each['description']}"
            for status, each in responses.items()
            if status != "200"
        ),
        example=_example(described["operationId"], path, base_url, anime_id),
    )


def _example(operation_id: str, path: str, base_url: str, anime_id: int) -> str:
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
