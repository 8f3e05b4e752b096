"""Bodies of requests: in memory only, whole or not at all, and never too large."""

from __future__ import annotations

from io import BytesIO
from typing import IO, TYPE_CHECKING, Any

from flask import Flask, Request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MAX_BODY_BYTES = 4 * 1024 * 1024
"""Bytes of a request; an upload may be larger (`app.web.requests.upload.MAX_UPLOAD_BYTES`)."""
MAX_FORM_PARTS = 250
"""Every filter, and a score on each of a hundred cards."""


class _BoundedFormParser(FormDataParser):
    """Werkzeug's own bounds the number of fields only where they are sent in parts."""

    def parse(
        self,
        stream: IO[bytes],
        mimetype: str,
        content_length: int | None,
        options: dict[str, str] | None = None,
    ) -> Any:
        """Read a form; raises RequestEntityTooLarge: it has too many fields."""
        if mimetype == "application/x-www-form-urlencoded":
            data = stream.read()
            if data.count(b"&") >= MAX_FORM_PARTS:
                raise RequestEntityTooLarge
            stream = BytesIO(data)
        return super().parse(stream, mimetype, content_length, options)


class InMemoryRequest(Request):
    """A request whose uploads never touch the disk, not even as temporary files.

    A body that is shorter than was announced is an error, and not just short.
    """

    form_data_parser_class = _BoundedFormParser

    def __init__(self, environ: WSGIEnvironment, *arguments: Any, **keyword_arguments: Any) -> None:
        if environ.get("CONTENT_LENGTH"):
            environ.pop("wsgi.input_terminated", None)  # with it, nobody looks whether it was all
        super().__init__(environ, *arguments, **keyword_arguments)

    # Named like a private method, but documented by Werkzeug as the one to override for this.
    def _get_file_stream(self, *_: Any, **__: Any) -> IO[bytes]:
        return BytesIO()


def init_app(app: Flask) -> None:
    """Limit the bodies that ``app`` reads."""
    app.request_class = InMemoryRequest
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY_BYTES
    app.config["MAX_FORM_PARTS"] = MAX_FORM_PARTS
