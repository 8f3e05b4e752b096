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
from app.lists.entry import AnimeList, ListEntry
from app.lists.errors import EmptyList, ListTooLong, NotFoundOrPrivate, PrivateList, UnknownUser
from app.lists.http_client import Deadline, HttpResponse, SourceClient
from app.lists.normalize import MAL_STATUS_CODES, normalize_score, normalize_title
from app.lists.payload import error_for_status, is_html, parse_payload, try_parse_payload
from app.lists.progress import FetchProgress, ListProgressCallback, ignore_progress
from app.lists.usernames import UsernameRule
from app.recommender.watch_status import WatchStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

SLUG: Final = "jikan"
NAME: Final = "Jikan"
USERNAME_RULE: Final[UsernameRule] = replace(myanimelist.USERNAME_RULE, source=NAME)
# Said by Jikan's router rather than by MyAnimeList: this host serves no lists at all.
_ROUTE_NOT_FOUND = "HttpException"


class _JikanEntry(BaseModel):
    watching_status: int
    score: float
    is_rewatching: bool | None = None
    mal_id: int = Field(gt=0)
    title: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _flatten_anime(cls, row: object) -> object:
        if isinstance(row, dict) and isinstance(anime := row.get("anime"), dict):
            inner = {key: anime[key] for key in ("mal_id", "title") if key in anime}
            return {**row, **inner}
        return row


class _JikanListPage(BaseModel):
    entries: list[_JikanEntry] = Field(validation_alias=AliasChoices("data", "anime"))


class _JikanError(BaseModel):
    type: str = ""
    message: str | None = None


_PAGE_ADAPTER: Final = TypeAdapter(_JikanListPage)
_ERROR_ADAPTER: Final = TypeAdapter(_JikanError)


def clean_username(typed: str) -> str:
    """The (MyAnimeList) username in what a fan typed or pasted, or BadUsername."""
    return USERNAME_RULE.clean_username(typed)


def fetch_anime_list(
    username: str,
    *,
    client: SourceClient,
    base_url: str,
    slug: str = SLUG,
    max_entries: int = 20_000,
    deadline_s: float = 25.0,
    on_progress: ListProgressCallback = ignore_progress,
) -> AnimeList:
    """The MyAnimeList list of ``username``; ``slug`` is the source that it stands in for.

    Raises BadUsername, UnknownUser, PrivateList, NotFoundOrPrivate, EmptyList, ListTooLong,
    RateLimited or SourceDown.
    """
    name = clean_username(username)
    deadline = Deadline(deadline_s)
    found: dict[int, _JikanEntry] = {}
    for page, (url, query) in enumerate(_page_urls(base_url, name), 1):
        on_progress(FetchProgress(page, len(found)))
        reply = client.send("GET", url, username=name, deadline=deadline, params=query)
        before = len(found)
        found |= {row.mal_id: row for row in _parse_response(reply, client.source, name)}
        if len(found) > max_entries:
            raise ListTooLong(source=client.source, username=name, limit=max_entries)
        # There is no word of how many pages there are: the first that brings nothing is the end.
        if len(found) == before:
            break
    if not found:
        raise EmptyList(source=client.source, username=name)
    entries = tuple(_to_list_entry(row) for row in found.values())
    return AnimeList(source=slug, username=name, entries=entries)


def _page_urls(base_url: str, name: str) -> Iterator[tuple[str, dict[str, str]]]:
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


def _to_list_entry(row: _JikanEntry) -> ListEntry:
    known = MAL_STATUS_CODES.get(row.watching_status, WatchStatus.UNKNOWN)
    status = WatchStatus.COMPLETED if row.is_rewatching else known
    return ListEntry(row.mal_id, status, normalize_score(row.score), normalize_title(row.title))


def _parse_response(reply: HttpResponse, source: str, username: str) -> list[_JikanEntry]:
    """The rows of an answer, or the error that the answer stands for."""
    if reply.status == 200:
        return parse_payload(_PAGE_ADAPTER, reply, source=source, username=username).entries
    fault = try_parse_payload(_ERROR_ADAPTER, reply)
    said = f"{fault.type} {fault.message or ''}".strip() if fault else ""
    if not is_html(reply) and not (fault and fault.type == _ROUTE_NOT_FOUND):
        if reply.status == 404:
            raise UnknownUser(source=source, username=username)
        if reply.status == 403:
            raise PrivateList(source=source, username=username)
        if reply.status == 400:
            raise NotFoundOrPrivate(source=source, username=username)
    raise error_for_status(reply, source=source, username=username, reason=said)
