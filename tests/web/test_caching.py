"""What may be kept is not sent twice, and what may not be kept has no tag."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.settings import AppSettings
from model_build.cli import main
from tests.web.fans import SCORED

KEPT = [
    f"/anime/{SCORED[0]}",
    f"/api/v1/anime/{SCORED[0]}",
    f"/api/v1/anime/{SCORED[0]}/similar",
    "/api/v1/anime?search=anime",
    "/api/v1/openapi.json",
    "/about",
    "/",
]
NOT_KEPT = [
    "/user/anilist/Regular",
    "/api/v1/recommendations?source=anilist&username=Regular",
    "/example",
    "/healthz",
    "/api/v1/anime/999999999",
    "/api/v1/anime?search=",
]


@pytest.mark.parametrize("address", KEPT)
@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_what_is_known_already_is_not_sent_again(
    client: FlaskClient, address: str, coding: str
) -> None:
    accept = {"Accept-Encoding": coding}
    first = client.get(address, headers=accept)
    etag = first.headers["ETag"]
    again = client.get(address, headers={**accept, "If-None-Match": etag})
    assert again.status_code == 304
    assert again.data == b""
    for name in ("ETag", "Cache-Control", "Vary"):
        assert again.headers[name] == first.headers[name]
    assert "Content-Encoding" not in again.headers
    other = client.get(address, headers={**accept, "If-None-Match": '"something else"'})
    assert other.status_code == 200
    assert other.data == first.data
    head = client.head(address, headers=accept)
    assert head.headers["ETag"] == etag


def test_compressed_or_not_it_is_the_same(client: FlaskClient) -> None:
    plain = client.get(KEPT[0], headers={"Accept-Encoding": "identity"})
    packed = client.get(KEPT[0], headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(packed.data) == plain.data
    assert packed.headers["ETag"] == f"W/{plain.headers['ETag']}"
    crossed = {"If-None-Match": plain.headers["ETag"], "Accept-Encoding": "gzip"}
    assert client.get(KEPT[0], headers=crossed).status_code == 304


@pytest.mark.parametrize("address", NOT_KEPT)
def test_what_is_not_to_be_kept_has_no_tag(client: FlaskClient, address: str) -> None:
    response = client.get(address)
    assert "ETag" not in response.headers
    assert "no-store" in response.headers["Cache-Control"]


def test_another_model_is_another_answer(
    client: FlaskClient, tiny_model: Path, tmp_path: Path, settings: AppSettings
) -> None:
    files = tiny_model.parent / "r.parquet", tiny_model.parent / "c.parquet"
    command = f"train --ratings {files[0]} --catalogue {files[1]} --out {tmp_path / 'model'}"
    assert main([*command.split(), "--quiet", "--shrinkage", "50"]) == 0
    other = create_app(settings.model_copy(update={"model": str(tmp_path / "model")}))
    for address in KEPT[:3]:
        known = {"If-None-Match": client.get(address).headers["ETag"]}
        assert other.test_client().get(address, headers=known).status_code == 200
