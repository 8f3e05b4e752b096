"""Whoever accepts gzip gets it, and reads the same."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient

from app.web.middleware import compression

GZIP = {"Accept-Encoding": "gzip, deflate, br"}


@pytest.mark.parametrize(
    "address",
    ["/", "/user/anilist/Regular", "/static/hakken.css", "/api/v1/openapi.json", "/no/such/page"],
)
def test_the_same_in_fewer_bytes(client: FlaskClient, address: str) -> None:
    with client.get(address) as plain, client.get(address, headers=GZIP) as packed:
        assert "Content-Encoding" not in plain.headers
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.data) == plain.data
        assert len(packed.data) < 0.5 * len(plain.data)
        assert int(packed.headers["Content-Length"]) == len(packed.data)
        assert "Accept-Encoding" in plain.headers["Vary"]
        assert "Accept-Encoding" in packed.headers["Vary"]


def test_what_is_small_or_packed_already_stays_as_it_is(client: FlaskClient) -> None:
    for address in ("/healthz", "/static/preview.png"):
        with client.get(address, headers=GZIP) as response:
            assert "Content-Encoding" not in response.headers
    with client.get("/", headers={"Accept-Encoding": "gzip;q=0"}) as response:
        assert "Content-Encoding" not in response.headers


def test_a_static_file_that_is_known_is_not_sent_again(client: FlaskClient) -> None:
    with client.get("/static/hakken.css", headers=GZIP) as first:
        told = {name: first.headers[name] for name in ("ETag", "Cache-Control", "Vary")}
    known = {**GZIP, "If-None-Match": told["ETag"]}
    with client.get("/static/hakken.css", headers=known) as again:
        assert again.status_code == 304
        assert not again.data
        assert {name: again.headers.get(name) for name in told} == told


def test_a_stream_arrives_piece_by_piece() -> None:
    """Every piece can be read before the next one is made, and the source is closed."""
    app, made, closed = Flask(__name__), [], []

    def pieces() -> Iterator[str]:
        try:
            for word in ("one ", "two ", "three "):
                made.append(word)
                yield word * 100
        finally:
            closed.append(True)

    app.add_url_rule("/", "stream", lambda: Response(pieces(), mimetype="text/html"))
    compression.init_app(app)
    response = app.test_client().get("/", headers=GZIP, buffered=False)
    reader = zlib.decompressobj(wbits=31)
    read = ""
    for count, piece in enumerate(response.response, 1):
        read += reader.decompress(piece).decode()
        assert read == "".join(word * 100 for word in made)
        assert len(made) == min(count, 3)
    assert reader.eof
    response.close()
    assert closed == [True]
