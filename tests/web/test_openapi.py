"""The description of the API says what the API does."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.web.requests.query import UserQuery
from tests.web.fans import IDS


@pytest.fixture
def told(client: FlaskClient) -> dict[str, Any]:
    body = client.get("/api/v1/openapi.json").json
    assert isinstance(body, dict)
    return body


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if "$ref" in value else set()
        return own.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_every_endpoint_is_described_and_no_other(app: Flask, told: dict[str, Any]) -> None:
    there = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        for method in (rule.methods or set()) & {"GET", "POST", "PUT", "DELETE"}
    }
    described = {(path, method) for path, doing in told["paths"].items() for method in doing}
    assert described == there


def test_generated_clients_have_good_names(app: Flask, told: dict[str, Any]) -> None:
    operations = [each for doing in told["paths"].values() for each in doing.values()]
    names = [each["operationId"] for each in operations]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z]+(?:[A-Z][a-z]+)+", name) for name in names)
    tags = {each["name"] for each in told["tags"]}
    assert {tag for each in operations for tag in each["tags"]} == tags
    assert told["info"]["license"]["identifier"] == "MIT"
    assert told["servers"][0]["url"] == "/"


def test_what_it_refers_to_is_there(told: dict[str, Any]) -> None:
    found = references(told)
    assert "#/components/schemas/Body" in found
    assert {name.removeprefix("#/components/schemas/") for name in found} <= set(
        told["components"]["schemas"]
    )


def test_every_option_is_a_parameter(told: dict[str, Any]) -> None:
    parameters = told["paths"]["/api/v1/recommendations"]["get"]["parameters"]
    assert [each["name"] for each in parameters] == list(UserQuery.model_fields)
    assert all(each["description"] for each in parameters)
    assert {each["name"] for each in parameters if each["required"]} == {"source", "username"}
    body = told["components"]["schemas"]["Body"]
    assert set(body["properties"]) == {*UserQuery.model_fields, "list", "partial"} - {
        "source",
        "username",
    }


def test_every_address_can_be_asked(client: FlaskClient, told: dict[str, Any]) -> None:
    for path, doing in told["paths"].items():
        if "get" not in doing:
            continue
        address = path.replace("{anime_id}", str(IDS[12]))
        wanted = {
            each["name"]: {
                "ids": IDS[12],
                "search": "anime",
                "source": "anilist",
                "with_source": "anilist",
                "with_username": "NoScores",
            }.get(each["name"], "Regular")
            for each in doing["get"]["parameters"]
            if each["required"] and each["in"] == "query"
        }
        # This model keeps no fans; tests/web/test_fans.py asks one that does.
        status = 400 if path == "/api/v1/fans" else 200
        assert client.get(address, query_string=wanted).status_code == status, path
