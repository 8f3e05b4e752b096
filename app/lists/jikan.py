"""Lists from a Jikan that the operator runs (or any host that speaks like it).

The public Jikan closed in October 2026 and none is built in. Jikan 4 nests the anime in each row,
Jikan 3 has flat rows; both shapes are read from either.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from pydantic import AliasChoices, BaseModel, Field, TypeAdapter, model_validator

from app.lists import myanimelist
from app.lists.entry import FanList, ListEntry
from app.lists.errors import EmptyList, ListTooLong, NotFoundOrPrivate, PrivateList, UnknownUser
from app.lists.fields import MAL_CODES, to_score, to_title
from app.lists.http import Deadline, Reply, SourceClient
from app.lists.payload import is_web_page, read_payload, refusal, try_payload
from app.lists.progress import Progress, Report, unreported
from app.lists.usernames import NameRule
from app.recommender.status import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

SLUG: Final = "jikan"
NAME: Final = "Jikan"
NAMES: Final[NameRule] = replace(myanimelist.NAMES, source=NAME)
# Said by Jikan's router rather than by MyAnimeList: this host serves no lists at all.
_NO_SUCH_ROUTE = "HttpException"


class _Row(BaseModel):
    watching_status: int
    score: float
    is_rewatching: bool | None = None
    mal_id: int = Field(gt=0)
    title: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _flatten(cls, row: object) -> object:
        if isinstance(row, dict) and isinstance(anime := row.get("anime"), dict):
            inner = {key: anime[key] for key in ("mal_id", "title") if key in anime}
            return {**row, **inner}
        return row


class _Page(BaseModel):
    rows: list[_Row] = Field(validation_alias=AliasChoices("data", "anime"))


class _Fault(BaseModel):
    type: str = ""
    message: str | None = None


_PAGE: Final = TypeAdapter(_Page)
_FAULT: Final = TypeAdapter(_Fault)


def clean_username(typed: str) -> str:
    """The (MyAnimeList) username in what a fan typed or pasted, or BadUsername."""
    return NAMES.clean(typed)


def fetch(
    username: str,
    *,
    client: SourceClient,
    base_url: str,
    slug: str = SLUG,
    max_entries: int = 20_000,
    deadline_s: float = 25.0,
    report: Report = unreported,
) -> FanList:
    """The MyAnimeList list of ``username``; ``slug`` is the source that it stands in for.

    Raises BadUsername, UnknownUser, PrivateList, NotFoundOrPrivate, EmptyList, ListTooLong,
    RateLimited or SourceDown.
    """
    name = clean_username(username)
    deadline = Deadline(deadline_s)
    found: dict[int, _Row] = {}
    for page, (url, query) in enumerate(_addresses(base_url, name), 1):
        report(Progress(page, len(found)))
        reply = client.send("GET", url, username=name, deadline=deadline, params=query)
        before = len(found)
        found |= {row.mal_id: row for row in _read(reply, client.source, name)}
        if len(found) > max_entries:
            raise ListTooLong(source=client.source, username=name, limit=max_entries)
        # There is no word of how many pages there are: the first that brings nothing is the end.
        if len(found) == before:
            break
    if not found:
        raise EmptyList(source=client.source, username=name)
    entries = tuple(_entry(row) for row in found.values())
    return FanList(source=slug, username=name, entries=entries)


def _addresses(base_url: str, name: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Where the pages are, one after another."""
    user = quote(name, safe="")
    flat = urlsplit(base_url).path.rstrip("/").endswith("/v3")
    page = 0
    while True:
        page += 1
        if flat:
            yield f"{base_url}/user/{user}/animelist/all/{page}", {}
        else:
            yield f"{base_url}/users/{user}/animelist", {"page": str(page)}


def _entry(row: _Row) -> ListEntry:
    known = MAL_CODES.get(row.watching_status, Status.UNKNOWN)
    status = Status.COMPLETED if row.is_rewatching else known
    return ListEntry(row.mal_id, status, to_score(row.score), to_title(row.title))


def _read(reply: Reply, source: str, username: str) -> list[_Row]:
    """The rows of an answer, or the error that the answer stands for."""
    if reply.status == 200:
        return read_payload(_PAGE, reply, source=source, username=username).rows
    fault = try_payload(_FAULT, reply)
    said = f"{fault.type} {fault.message or ''}".strip() if fault else ""
    if not is_web_page(reply) and not (fault and fault.type == _NO_SUCH_ROUTE):
        if reply.status == 404:
            raise UnknownUser(source=source, username=username)
        if reply.status == 403:
            raise PrivateList(source=source, username=username)
        if reply.status == 400:
            raise NotFoundOrPrivate(source=source, username=username)
    raise refusal(reply, source=source, username=username, said=said)
