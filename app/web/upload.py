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
from app.lists.entry import FanList, ListEntry
from app.recommender import Status
from app.web.options import BadQuery

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MAX_UPLOAD = 16 * 1024 * 1024
_DRAIN = 64 * 1024 * 1024
_PIECE = 256 * 1024


class InMemoryRequest(Request):
    """A request whose uploads never touch the disk, not even as temporary files.

    A body that is shorter than was announced is an error, and not just short.
    """

    def __init__(self, environ: WSGIEnvironment, *arguments: Any, **more: Any) -> None:
        if environ.get("CONTENT_LENGTH"):
            environ.pop("wsgi.input_terminated", None)  # with it, nobody looks whether it was all
        super().__init__(environ, *arguments, **more)

    def _get_file_stream(
        self,
        total_content_length: int | None,  # noqa: ARG002
        content_type: str | None,  # noqa: ARG002
        filename: str | None = None,  # noqa: ARG002
        content_length: int | None = None,  # noqa: ARG002
    ) -> IO[bytes]:
        return BytesIO()


class _Carried(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(max_length=100)] | None = None
    unmapped: Annotated[int, Field(ge=0)] = 0
    rows: tuple[
        tuple[
            Annotated[int, Field(gt=0, lt=2**31)],
            Annotated[float, Field(ge=1, le=10, allow_inf_nan=False)] | None,
            Status,
        ],
        ...,
    ]


def read_export(file: FileStorage | None) -> FanList:
    """The list in the uploaded file.

    Raises:
        BadQuery: no file was chosen.
        BadExportFile, ListTooLong: it cannot be used.
    """
    if file is None or not file.filename:
        raise BadQuery("export", "No file was chosen: pick the export that MyAnimeList gave you.")
    return export_file.parse(cast("BinaryIO", file.stream))


def carry(fan_list: FanList) -> str:
    """The list as text for a hidden field."""
    rows = tuple((e.anime_id, e.score, e.status) for e in fan_list.entries)
    name = fan_list.username and fan_list.username[:100]
    return _Carried(name=name, unmapped=fan_list.unmapped, rows=rows).model_dump_json()


def read_carried(text: str, max_entries: int) -> FanList:
    """The list that `carry` wrote.

    Raises:
        BadQuery: somebody else wrote it.
    """
    try:
        carried = _Carried.model_validate_json(text)
    except ValidationError:
        carried = None
    if carried is None or len(carried.rows) > max_entries:
        raise BadQuery("list", "The list did not come back whole: upload the file again.")
    entries = tuple(ListEntry(anime_id, status, score) for anime_id, score, status in carried.rows)
    return FanList(export_file.SLUG, carried.name, entries, carried.unmapped)


def drain(request: Request) -> None:
    """Read what is left of a refused upload, within reason.

    A connection that is closed with unread data is reset, and the browser would show that instead
    of our answer.
    """
    left = min(request.content_length or 0, _DRAIN)
    stream = request.environ["wsgi.input"]
    while left > 0 and (piece := stream.read(min(left, _PIECE))):
        left -= len(piece)
