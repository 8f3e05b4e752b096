"""What all readers of lists have in common: one name, one deadline, pages with progress."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, TypeVar
from urllib.parse import parse_qsl, urlsplit

from app.lists import payload
from app.lists.deadline import Deadline
from app.lists.entry import (
    AnimeList,
    FetchProgress,
    ListChannel,
    ListProgressCallback,
    ignore_progress,
)
from app.lists.errors import (
    EmptyList,
    ListError,
    ListTooLong,
    SignInFailed,
    SignInReason,
    SourceDown,
    Trouble,
)
from app.lists.http_client import HttpResponse, SourceClient, url_origin
from app.lists.normalize import bound_list
from app.lists.service_guard import ServiceGuard
from app.lists.usernames import UsernameRule

MAX_QUERY_LENGTH = 2_000
MAX_QUERY_FIELDS = 50
"""Of the address of a next page."""

T = TypeVar("T")
Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class ListReader(ABC):
    """Reads lists from one service at ``base_url``, under its ``guard``; a subclass a service.

    A list may have ``max_entries`` and take ``deadline_s`` seconds.
    """

    username_rule: ClassVar[UsernameRule]
    channel: ClassVar[ListChannel] = ListChannel.API
    refusals: ClassVar[Mapping[int, type[ListError]]] = {}
    """What a status means where the API itself answers with it."""
    takes_token: ClassVar[bool] = False
    """Whether it reads private lists with a ``token`` of their owners."""

    client: SourceClient
    guard: ServiceGuard | None = None
    base_url: str
    max_entries: int = 20_000
    deadline_s: float = 25.0
    token: str | None = field(default=None, repr=False)

    def read(self, typed: str, on_progress: ListProgressCallback = ignore_progress) -> AnimeList:
        """Return the list of the user who was typed or pasted.

        Raises ListError: whatever can go wrong with a list (`app.lists.errors`).
        """
        username = self.clean_username(typed)
        with self.guard.asking(username) if self.guard else nullcontext():
            return self._read_bounded(ListRead[Any](self, username, on_progress))

    def _read_bounded(self, reading: ListRead[Any]) -> AnimeList:
        read = self._read(reading)
        bounded = bound_list(replace(read, unmapped=read.unmapped + reading.odd_rows))
        if read.entries and not bounded.entries:
            raise reading.malformed("no id can be an anime's")
        return replace(bounded, channel=self.channel)

    def clean_username(self, typed: str) -> str:
        """Return the username in what was typed or pasted, or raise BadUsername."""
        return replace(self.username_rule, source=self.client.source).clean_username(typed)

    @abstractmethod
    def _read(self, reading: ListRead[Any]) -> AnimeList: ...

    def refusal(self, reading: ListRead[Any], reply: HttpResponse) -> ListError:
        """Return what an answer other than 200 stands for."""
        return reading.refusal(reply, self.refusals)


class ListRead(Generic[Row]):
    """One reading of one list.

    ``rows`` are those found so far, by the service's anime id; ``odd_rows`` counts those that could
    not be read, ``odd_on_page`` those of the last answer.
    """

    def __init__(
        self, reader: ListReader, username: str, on_progress: ListProgressCallback
    ) -> None:
        self.username = username
        self.rows: dict[Any, Row] = {}
        self.odd_rows = self.odd_on_page = 0
        self._reader = reader
        self._on_progress = on_progress
        self._deadline = Deadline(reader.deadline_s)
        self._page = 0

    def report(self, page: int = 1) -> None:
        """Say which page is asked for next."""
        self._on_progress(FetchProgress(page, len(self.rows)))

    def send(self, method: str, url: str, **options: Any) -> HttpResponse:
        """One answer of any status."""
        return self._reader.client.send(
            method, url, username=self.username, deadline=self._deadline, **options
        )

    def get_page(self, kind: type[T], url: str, params: Mapping[str, str], **options: Any) -> T:
        """Report and return the next page, or raise what its refusal means."""
        self._page += 1
        self.report(self._page)
        return self.accept(kind, self.send("GET", url, params=params, **options))

    def add(self, rows: Mapping[Any, Row]) -> bool:
        """Take the rows of a page; False if none is new: such pages would go on for ever.

        Raises ListTooLong: there are more than the reader takes.
        """
        before = len(self.rows)
        self.rows |= rows
        if len(self.rows) > self._reader.max_entries:
            raise self.too_long()
        return len(self.rows) > before

    def found_rows(self) -> list[Row]:
        """All rows; raises EmptyList where there are none."""
        if not self.rows:
            raise self.error(EmptyList)
        return list(self.rows.values())

    def accept(self, kind: type[T], reply: HttpResponse) -> T:
        """Return a good answer as what it should be, or raise what its refusal means."""
        if reply.status != 200:
            raise self._reader.refusal(self, reply)
        return self.parse(kind, reply)

    def parse(self, kind: type[T], reply: HttpResponse) -> T:
        """Return an answer of any status as what it should be, or SourceDown."""
        odd = payload.OddRows(others=bool(self.rows))
        found = payload.parse_payload(kind, reply, odd)
        self.odd_on_page = odd.count
        self.odd_rows += odd.count
        return found

    def next_query(self, url: str, usual_url: str, field: str) -> dict[str, str]:
        """Return the query of the next page, which is only ever asked of our own host.

        The service's usual address stands for ours where a proxy is in between.
        """
        try:
            origin, query = url_origin(url), urlsplit(url).query[:MAX_QUERY_LENGTH]
            arguments = dict(parse_qsl(query, max_num_fields=MAX_QUERY_FIELDS))
        except ValueError:
            raise self.malformed(f"{field} is no address") from None
        if origin not in (url_origin(self._reader.base_url), url_origin(usual_url)):
            raise self.error(SourceDown, detail=f"{field} leads to another host")
        return arguments

    def error(self, kind: type[ListError], **arguments: Any) -> ListError:
        """Return an error about this list."""
        return kind(source=self._reader.client.source, username=self.username, **arguments)

    def malformed(self, detail: str) -> ListError:
        """Build the error of an answer that says what cannot be."""
        return self.error(SourceDown, detail=detail, trouble=Trouble.MALFORMED)

    def expired(self) -> ListError:
        """Build the error of a token that the service no longer accepts."""
        return self.error(SignInFailed, reason=SignInReason.EXPIRED)

    def too_long(self) -> ListError:
        """Build the error of a list with more entries than the reader takes."""
        return self.error(ListTooLong, limit=self._reader.max_entries)

    def refusal(
        self, reply: HttpResponse, kinds: Mapping[int, type[ListError]], reason: str = ""
    ) -> ListError:
        """Return what a refusal means: by status where the API itself says it, else trouble."""
        if reply.status in kinds and not payload.is_html(reply):
            return self.error(kinds[reply.status])
        return payload.error_for_status(reply, reason)
