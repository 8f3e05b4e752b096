"""What may be kept is asked for again without being sent again: ETag and 304.

The ETag is that of the answer's own words, so a new model, a new release and a new setting all
change it. What holds a list (``no-store``) and what is streamed has none.
"""

from __future__ import annotations

from flask import Flask, Response, request


def init_app(app: Flask) -> None:
    """Tag the answers of ``app``; to be called after what changes an answer's bytes."""
    app.after_request(_add_etag)


def _add_etag(response: Response) -> Response:
    cacheable = "no-store" not in response.headers.get("Cache-Control", "no-store")
    if cacheable and response.status_code == 200 and not response.is_streamed:
        response.add_etag()
        response.make_conditional(request)
    return response
