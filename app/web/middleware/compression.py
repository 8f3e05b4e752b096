"""Answers are compressed for whoever accepts it: not every host has a proxy that would.

There is no secret in any answer that its size could give away: what a form has to bring back is
another one every second (`app.web.views.visitors`).
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from typing import cast

from flask import Flask, Response, request

MIN_BYTES = 1_000
"""Bytes of an answer that is worth it."""
GZIP_LEVEL = 5
COMPRESSIBLE_TYPES = ("text/", "application/json", "application/problem+json", "image/svg+xml")


def init_app(app: Flask) -> None:
    """Compress the answers of ``app``."""
    app.after_request(_compress)


def _compress(response: Response) -> Response:
    if not (response.mimetype or "").startswith(COMPRESSIBLE_TYPES) or response.status_code in {
        204,
        206,
    }:
        return response
    response.vary.add("Accept-Encoding")
    if "Content-Encoding" in response.headers or not request.accept_encodings["gzip"]:
        return response
    static = response.direct_passthrough
    if response.is_streamed and not static:
        response.response = _compress_stream(cast("Iterable[bytes]", response.iter_encoded()))
        response.headers.pop("Content-Length", None)
    else:
        size = (response.content_length or 0) if static else len(response.get_data())
        if size < MIN_BYTES:
            return response
        if etag := response.get_etag()[0]:
            response.set_etag(etag, weak=True)  # the same file, in other bytes
        if response.status_code == 304:  # it has the headers of the answer, but no body
            return response
        response.direct_passthrough = False
        response.set_data(gzip.compress(response.get_data(), GZIP_LEVEL, mtime=0))
    response.headers["Content-Encoding"] = "gzip"
    return response


def _compress_stream(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Each piece compressed and sent on at once."""
    packer = zlib.compressobj(GZIP_LEVEL, wbits=31)
    try:
        for piece in chunks:
            yield packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)
        yield packer.flush()
    finally:
        if close := getattr(chunks, "close", None):
            close()
