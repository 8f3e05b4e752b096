"""An uploaded export, and how its result page asks again without anything being stored.

The page carries the list back to the visitor in a hidden field; changing the order or asking for
more titles posts that field instead of the file.
"""

from __future__ import annotations

from io import BytesIO
from typing import IO, TYPE_CHECKING, Annotated, Any, BinaryIO, cast

from flask import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.datastructures import FileStorage

from app.lists import export_file
from app.lists.entry import AnimeList, ListEntry
from app.recommender import WatchStatus
from app.web.requests.query import InvalidQuery

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MAX_UPLOAD_BYTES = 16 * 1024 * 1024
_MAX_DRAIN_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 256 * 1024


class InMemoryRequest(Request):
    """A request whose uploads never touch the disk, not even as temporary files.

    A body that is shorter than was announced is an error, and not just short.
    """

    def __init__(self, environ: WSGIEnvironment, *arguments: Any, **keyword_arguments: Any) -> None:
        if environ.get("CONTENT_LENGTH"):
            environ.pop("wsgi.input_terminated", None)  # with it, nobody looks whether it was all
        super().__init__(environ, *arguments, **keyword_arguments)

    # Named like a private method, but documented by Werkzeug as the one to override for this.
    def _get_file_stream(
        self,
        total_content_length: int | None,  # noqa: ARG002
        content_type: str | None,  # noqa: ARG002
        filename: str | None = None,  # noqa: ARG002
        content_length: int | None = None,  # noqa: ARG002
    ) -> IO[bytes]:
        return BytesIO()


class _UploadedList(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(max_length=100)] | None = None
    unmapped: Annotated[int, Field(ge=0)] = 0
    rows: tuple[
        tuple[
            Annotated[int, Field(gt=0, lt=2**31)],
            Annotated[float, Field(ge=1, le=10, allow_inf_nan=False)] | None,
            WatchStatus,
        ],
        ...,
    ]


def parse_uploaded_export(file: FileStorage | None) -> AnimeList:
    """The list in the uploaded file.

    Raises:
        BadQuery: no file was chosen.
        BadExportFile, ListTooLong: it cannot be used.
    """
    if file is None or not file.filename:
        raise InvalidQuery(
            "export", "No file was chosen: pick the export that MyAnimeList gave you."
        )
    return export_file.parse_export(cast("BinaryIO", file.stream))


def serialize_list(anime_list: AnimeList) -> str:
    """The list as text for a hidden field."""
    rows = tuple((e.anime_id, e.score, e.status) for e in anime_list.entries)
    name = anime_list.username and anime_list.username[:100]
    return _UploadedList(name=name, unmapped=anime_list.unmapped, rows=rows).model_dump_json()


def deserialize_list(text: str, max_entries: int) -> AnimeList:
    """The list that `carry` wrote.

    Raises:
        BadQuery: somebody else wrote it.
    """
    try:
        uploaded = _UploadedList.model_validate_json(text)
    except ValidationError:
        uploaded = None
    if uploaded is None or len(uploaded.rows) > max_entries:
        raise InvalidQuery("list", "The list did not come back whole: upload the file again.")
    entries = tuple(ListEntry(anime_id, status, score) for anime_id, score, status in uploaded.rows)
    return AnimeList(export_file.SLUG, uploaded.name, entries, uploaded.unmapped)


def drain_body(request: Request) -> None:
    """Read what is left of a refused upload, within reason.

    A connection that is closed with unread data is reset, and the browser would show that instead
    of our answer.
    """
    left = min(request.content_length or 0, _MAX_DRAIN_BYTES)
    stream = request.environ["wsgi.input"]
    while left > 0 and (chunk := stream.read(min(left, _CHUNK_BYTES))):
        left -= len(chunk)
