"""Every way in which a request can end without what was asked for: one table.

The table says which HTTP status an error becomes, under which name the API reports it
(``/problems/<slug>``, RFC 9457) and what its page is headed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from werkzeug.exceptions import ClientDisconnected, HTTPException

from app.lists import errors as lists
from app.web.body import BadBody, BadJson, Fault
from app.web.options import BadQuery
from app.web.pairing import OneOfTwo
from app.web.state import ModelMissing

RETRY_SECONDS = 60
"""How long to wait when nobody said."""


class TooFast(Exception):  # noqa: N818 -- it names the state, not a mistake
    """One client has asked for more than its share; ``seconds`` until it may ask again."""

    def __init__(self, seconds: int) -> None:
        super().__init__(
            f"Your network has sent more requests than Hakken can answer: try again {_in(seconds)}."
        )
        self.seconds = seconds


def _in(seconds: int) -> str:
    """Words for a wait, rounded up: ``in 45 seconds``, ``in 2 minutes``, ``in 3 hours``."""
    for unit, length in (("hour", 3600), ("minute", 60)):
        if seconds > 1.5 * length:
            return f"in {math.ceil(seconds / length)} {unit}s"
    return "in a second" if seconds == 1 else f"in {seconds} seconds"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem. ``field`` is the form field that it is about, if any."""

    slug: str
    status: int
    title: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem, ready to be told: ``detail`` is a sentence for whoever asked."""

    kind: Kind
    detail: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()


BUG = Kind("bug", 500, "Something broke on our side")
SOURCE_SLOW = Kind("source-timed-out", 504, "The site took too long to answer")
EXPORT_TOO_LARGE = Kind("export-too-large", 413, "This file is too large", "export")

KINDS: dict[type[Exception], Kind] = {
    lists.BadUsername: Kind("bad-username", 400, "That is not a username", "username"),
    lists.UnknownUser: Kind("unknown-user", 404, "No such user", "username"),
    lists.PrivateList: Kind("private-list", 403, "This list is private", "username"),
    lists.NotFoundOrPrivate: Kind("not-found-or-private", 404, "No list to read", "username"),
    lists.EmptyList: Kind("empty-list", 200, "This list is empty"),
    lists.ListTooLong: Kind("list-too-long", 413, "This list is too long"),
    lists.RateLimited: Kind("rate-limited", 503, "The site is busy"),
    lists.SourceDown: Kind("source-down", 502, "The site is not working"),
    lists.NotSetUp: Kind("source-not-set-up", 501, "Hakken cannot read this site here"),
    lists.BadExportFile: Kind("bad-export-file", 400, "This file cannot be read", "export"),
    BadQuery: Kind("bad-query", 400, "The address is not quite right"),
    BadJson: Kind("bad-json", 400, "The body is not JSON"),
    BadBody: Kind("bad-body", 422, "The body has the wrong shape"),
    TooFast: Kind("too-many-requests", 429, "A little slower, please"),
    ModelMissing: Kind("being-updated", 503, "Hakken is being updated"),
}

HTTP_KINDS: dict[int, Kind] = {
    400: Kind("bad-request", 400, "This request makes no sense here"),
    404: Kind("not-found", 404, "There is no such page"),
    405: Kind("method-not-allowed", 405, "This address does not do that"),
    408: Kind("request-cut-short", 408, "This did not arrive whole"),
    413: Kind("too-large", 413, "That was too large"),
    415: Kind("unsupported-media-type", 415, "Send JSON"),
}
_HTTP_DETAILS = {
    404: "The address may be misspelt, or the page has moved.",
    405: "Another method is expected here; the Allow header names it.",
    408: "What was sent broke off, or took too long: send it again.",
    413: "What was sent is larger than Hakken accepts.",
    415: "The body should be JSON, with the header Content-Type: application/json.",
}


def all_kinds() -> dict[str, Kind]:
    """Every kind by its slug."""
    extra = (BUG, SOURCE_SLOW, EXPORT_TOO_LARGE)
    kinds = (*KINDS.values(), *HTTP_KINDS.values(), *extra)
    return {kind.slug: kind for kind in kinds}


def problem_of(error: Exception, request_id: str) -> Problem:
    """What to tell about an error; one that nobody foresaw is a bug, and gets ``request_id``."""
    if isinstance(error, HTTPException):
        return _http_problem(error)
    if isinstance(error, OneOfTwo):
        return replace(problem_of(error.first, request_id), detail=str(error))
    kind = _kind(error)
    if kind is None:
        detail = (
            f"It is not your fault. If it happens again, report it with the number {request_id}."
        )
        return Problem(BUG, detail, BUG.status)
    faults: tuple[Fault, ...] = ()
    if isinstance(error, BadBody):
        faults = tuple(error.faults)
    elif isinstance(error, BadQuery):
        faults = (Fault(error.field, str(error)),)
    return Problem(kind, str(error), kind.status, _headers(error), faults)


def _kind(error: Exception) -> Kind | None:
    if isinstance(error, lists.SourceDown) and error.timed_out:
        return SOURCE_SLOW
    if isinstance(error, lists.BadExportFile) and error.reason is lists.BadFile.TOO_LARGE:
        return EXPORT_TOO_LARGE
    return next((KINDS[cls] for cls in type(error).__mro__ if cls in KINDS), None)


def _headers(error: Exception) -> dict[str, str]:
    if isinstance(error, lists.RateLimited):
        return {"Retry-After": str(error.retry_after or RETRY_SECONDS)}
    if isinstance(error, TooFast):
        return {"Retry-After": str(error.seconds)}
    if isinstance(error, ModelMissing):
        return {"Retry-After": str(RETRY_SECONDS)}
    return {}


def _http_problem(error: HTTPException) -> Problem:
    status = 408 if isinstance(error, ClientDisconnected) else error.code or 500
    kind = HTTP_KINDS.get(status) or Kind("", status, error.name)
    skipped = {"content-type", "content-length"}
    headers = {name: value for name, value in error.get_headers() if name.casefold() not in skipped}
    detail = _HTTP_DETAILS.get(status) or error.description or kind.title
    return Problem(kind, detail, status, headers)
