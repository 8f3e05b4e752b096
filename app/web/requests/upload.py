"""An uploaded list, and how its result page asks again without anything being stored.

The page carries the list back to the visitor in a hidden field; changing the order or asking for
more titles posts that field instead of the file.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Annotated, BinaryIO, cast
from urllib.parse import parse_qsl

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Request

from app.lists import SOURCE_SLUGS
from app.lists.entry import AnimeList, ListEntry
from app.lists.errors import BadFileReason, BadListFile, ListTooLong
from app.lists.files import read_list_file
from app.lists.files.entries import SLUG, FileList
from app.lists.normalize import MAX_TITLE_LENGTH
from app.recommender import WatchStatus
from app.translation import gettext
from app.web.requests.values import InvalidQuery

MAX_UPLOAD_BYTES = 16 * 1024 * 1024
_MAX_DRAIN_BYTES = 64 * 1024 * 1024
_MAX_OTHER_VALUES = 100
_CHUNK_BYTES = 256 * 1024


def _check_source(slug: str) -> str:
    if slug not in (SLUG, *SOURCE_SLUGS):
        raise ValueError
    return slug


class _UploadedList(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(max_length=100)] | None = None
    source: Annotated[str, AfterValidator(_check_source)] = SLUG
    file_format: Annotated[str, Field(max_length=100)] | None = None
    unmapped: Annotated[int, Field(ge=0)] = 0
    unplaced_titles: Annotated[
        tuple[Annotated[str, Field(max_length=MAX_TITLE_LENGTH)], ...], Field(max_length=10)
    ] = ()
    rows: tuple[
        tuple[
            Annotated[int, Field(gt=0, lt=2**31)],
            Annotated[float, Field(ge=1, le=10, allow_inf_nan=False)] | None,
            WatchStatus,
        ],
        ...,
    ]


def parse_uploaded_file(file: FileStorage | None, max_entries: int) -> FileList:
    """Read the list in the uploaded file.

    Raises BadListFile, ListTooLong: no file was chosen, or it cannot be used.
    """
    if file is None or not file.filename:
        raise BadListFile(reason=BadFileReason.NOT_CHOSEN)
    return parse_list_file(cast("BinaryIO", file.stream), max_entries)


def parse_list_file(data: bytes | BinaryIO, max_entries: int) -> FileList:
    """Read a file with a list of at most ``max_entries``.

    Raises BadListFile, ListTooLong: it cannot be used.
    """
    file_list = read_list_file(data)
    if len(file_list.entries) > max_entries:
        raise ListTooLong(source="list", limit=max_entries)
    return file_list


def serialize_list(anime_list: AnimeList) -> str:
    """Write the list as text for a hidden field."""
    return _UploadedList(
        name=anime_list.username and anime_list.username[:100],
        source=anime_list.source,
        file_format=anime_list.file_format,
        unmapped=anime_list.unmapped,
        unplaced_titles=anime_list.unplaced_titles,
        rows=tuple((e.anime_id, e.score, e.status) for e in anime_list.entries),
    ).model_dump_json()


def deserialize_list(text: str, max_entries: int) -> AnimeList:
    """Read what `serialize_list` wrote. Raises InvalidQuery: somebody else wrote it."""
    uploaded = None
    # A row is three values and a bracket; what has far more of them is not read at all.
    if text.count(",") + text.count("[") <= 4 * max_entries + _MAX_OTHER_VALUES:
        with suppress(ValidationError):
            uploaded = _UploadedList.model_validate_json(text)
    if uploaded is None or len(uploaded.rows) > max_entries:
        raise InvalidQuery(
            "list", gettext("The list did not come back whole: upload the file again.")
        )
    return AnimeList(
        source=uploaded.source,
        username=uploaded.name,
        entries=tuple(
            ListEntry(anime_id, status, score) for anime_id, score, status in uploaded.rows
        ),
        unmapped=uploaded.unmapped,
        unplaced_titles=uploaded.unplaced_titles,
        file_format=uploaded.file_format,
    )


def parse_choice(text: str) -> dict[str, str]:
    """Read what a button of the page stands for, as in an address. Raises InvalidQuery."""
    try:
        return dict(parse_qsl(text, max_num_fields=_MAX_OTHER_VALUES))
    except ValueError:
        raise InvalidQuery(
            "choice", gettext("The button said too much: upload the file again.")
        ) from None


def read_whole_body(request: Request) -> bytes:
    """Read the body, which is cut off silently at the limit where there is no Content-Length.

    Raises RequestEntityTooLarge: the body is at the limit or beyond.
    """
    data = request.get_data()
    if len(data) >= (request.max_content_length or sys.maxsize):
        raise RequestEntityTooLarge
    return data


def drain_body(request: Request) -> None:
    """Read what is left of a refused upload, within reason.

    A connection that is closed with unread data is reset, and the browser would show that instead
    of our answer.
    """
    left = min(request.content_length or 0, _MAX_DRAIN_BYTES)
    stream = request.environ["wsgi.input"]
    while left > 0 and (chunk := stream.read(min(left, _CHUNK_BYTES))):
        left -= len(chunk)
