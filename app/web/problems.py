"""The table of all errors: status, name in the API and heading of the page (RFC 9457)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from werkzeug.exceptions import ClientDisconnected, HTTPException

from app.lists import errors as lists
from app.schemas.base import FieldError
from app.translation import gettext, mark, ngettext
from app.web.requests.body import InvalidBody, MalformedJson
from app.web.requests.values import InvalidQuery
from app.web.services.anime import UnknownAnime
from app.web.services.library import ModelUnavailable
from app.web.services.pair_recommendations import PairListError
from app.web.services.recommendations import TvdbIdsUnknown

DEFAULT_RETRY_SECONDS = 60
"""How long to wait when nobody said."""


class ClientRateLimited(Exception):  # noqa: N818 -- it names the state, not a mistake
    """A client has sent too many requests; it may send one again after ``retry_after`` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            gettext(
                "Your network has sent more requests than Hakken can answer: try again %(wait)s.",
                wait=_format_wait(retry_after),
            )
        )
        self.retry_after = retry_after


def _format_wait(seconds: int) -> str:
    """Words for a wait, rounded up: ``in 45 seconds``, ``in 2 minutes``, ``in 3 hours``."""
    if seconds > 1.5 * 3600:
        hours = math.ceil(seconds / 3600)
        return ngettext("in %(count)s hour", "in %(count)s hours", hours)
    if seconds > 1.5 * 60:
        minutes = math.ceil(seconds / 60)
        return ngettext("in %(count)s minute", "in %(count)s minutes", minutes)
    return ngettext("in a second", "in %(count)s seconds", seconds)


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of problem, its title a message. ``form_field`` is what it is about, if any."""

    slug: str
    status: int
    title: str
    form_field: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem; ``detail`` is a sentence for whoever asked."""

    problem_type: ProblemType
    detail: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    field_errors: tuple[FieldError, ...] = ()


INTERNAL_ERROR = ProblemType("bug", 500, mark("Something broke on our side"))
SOURCE_TIMEOUT = ProblemType("source-timed-out", 504, mark("The site took too long to answer"))
SOURCE_UNREACHABLE = ProblemType("source-unreachable", 502, mark("The site cannot be reached"))
SOURCE_REFUSED = ProblemType("source-refused", 502, mark("The site turns Hakken away"))
_TROUBLE_TYPES = {
    lists.Trouble.TIMED_OUT: SOURCE_TIMEOUT,
    lists.Trouble.UNREACHABLE: SOURCE_UNREACHABLE,
    lists.Trouble.REFUSED: SOURCE_REFUSED,
}
EXPORT_TOO_LARGE = ProblemType("export-too-large", 413, mark("This file is too large"), "export")

PROBLEM_TYPES: dict[type[Exception], ProblemType] = {
    lists.BadUsername: ProblemType("bad-username", 400, mark("That is not a username"), "username"),
    lists.UnknownUser: ProblemType("unknown-user", 404, mark("No such user"), "username"),
    lists.PrivateList: ProblemType("private-list", 403, mark("This list is private"), "username"),
    lists.NotFoundOrPrivate: ProblemType(
        "not-found-or-private", 404, mark("No list to read"), "username"
    ),
    lists.EmptyList: ProblemType("empty-list", 200, mark("This list is empty")),
    lists.ListTooLong: ProblemType("list-too-long", 413, mark("This list is too long")),
    lists.RateLimited: ProblemType("rate-limited", 503, mark("The site is busy")),
    lists.SourceDown: ProblemType("source-down", 502, mark("The site is not working")),
    lists.SourceNotConfigured: ProblemType(
        "source-not-set-up", 501, mark("Hakken cannot read this site here")
    ),
    lists.SignInFailed: ProblemType("sign-in-failed", 403, mark("You are not signed in")),
    lists.TitleNotThere: ProblemType("title-not-there", 404, mark("The site has no such title")),
    lists.PlanNotSaved: ProblemType("plan-not-saved", 502, mark("The title may not be added")),
    lists.BadListFile: ProblemType(
        "bad-export-file", 400, mark("This file cannot be read"), "export"
    ),
    InvalidQuery: ProblemType("bad-query", 400, mark("The address is not quite right")),
    MalformedJson: ProblemType("bad-json", 400, mark("The body is not JSON")),
    InvalidBody: ProblemType("bad-body", 422, mark("The body has the wrong shape")),
    ClientRateLimited: ProblemType("too-many-requests", 429, mark("A little slower, please")),
    UnknownAnime: ProblemType("unknown-anime", 404, mark("No such anime")),
    TvdbIdsUnknown: ProblemType("no-tvdb-ids", 501, mark("No list for Sonarr here")),
    ModelUnavailable: ProblemType("being-updated", 503, mark("Hakken is being updated")),
}

HTTP_PROBLEM_TYPES: dict[int, ProblemType] = {
    400: ProblemType("bad-request", 400, mark("This request makes no sense here")),
    404: ProblemType("not-found", 404, mark("There is no such page")),
    405: ProblemType("method-not-allowed", 405, mark("This address does not do that")),
    408: ProblemType("request-cut-short", 408, mark("This did not arrive whole")),
    413: ProblemType("too-large", 413, mark("That was too large")),
    415: ProblemType("unsupported-media-type", 415, mark("Send JSON")),
}
_HTTP_DETAILS = {
    404: mark("The address may be misspelt, or the page has moved."),
    405: mark("Another method is expected here; the Allow header names it."),
    408: mark("What was sent broke off, or took too long: send it again."),
    413: mark("What was sent is larger than Hakken accepts."),
    415: mark("The body should be JSON, with the header Content-Type: application/json."),
}


def problem_types_by_slug() -> dict[str, ProblemType]:
    """Every kind by its slug."""
    extra = (INTERNAL_ERROR, *_TROUBLE_TYPES.values(), EXPORT_TOO_LARGE)
    problem_types = (*PROBLEM_TYPES.values(), *HTTP_PROBLEM_TYPES.values(), *extra)
    return {kind.slug: kind for kind in problem_types}


def to_problem(error: Exception, request_id: str) -> Problem:
    """Describe an error; one that nobody foresaw is a bug, and named by ``request_id``."""
    if isinstance(error, HTTPException):
        return _http_problem(error)
    if isinstance(error, PairListError):
        return replace(to_problem(error.first_error, request_id), detail=str(error))
    problem_type = _problem_type_of(error)
    if problem_type is None:
        detail = gettext(
            "It is not your fault. If it happens again, report it with the number %(number)s.",
            number=request_id,
        )
        return Problem(INTERNAL_ERROR, detail, INTERNAL_ERROR.status)
    field_errors: tuple[FieldError, ...] = ()
    if isinstance(error, InvalidBody):
        field_errors = tuple(error.field_errors)
    elif isinstance(error, InvalidQuery):
        field_errors = (FieldError(path=error.field, message=str(error)),)
    return Problem(
        problem_type, str(error), problem_type.status, _retry_headers(error), field_errors
    )


def _problem_type_of(error: Exception) -> ProblemType | None:
    if isinstance(error, lists.SourceDown) and error.trouble in _TROUBLE_TYPES:
        return _TROUBLE_TYPES[error.trouble]
    if isinstance(error, lists.BadListFile) and error.reason is lists.BadFileReason.TOO_LARGE:
        return EXPORT_TOO_LARGE
    return next((PROBLEM_TYPES[cls] for cls in type(error).__mro__ if cls in PROBLEM_TYPES), None)


def _retry_headers(error: Exception) -> dict[str, str]:
    if isinstance(error, lists.RateLimited):
        return {"Retry-After": str(error.retry_after or DEFAULT_RETRY_SECONDS)}
    if isinstance(error, ClientRateLimited):
        return {"Retry-After": str(error.retry_after)}
    if isinstance(error, ModelUnavailable):
        return {"Retry-After": str(DEFAULT_RETRY_SECONDS)}
    return {}


def _http_problem(error: HTTPException) -> Problem:
    status = 408 if isinstance(error, ClientDisconnected) else error.code or 500
    problem_type = HTTP_PROBLEM_TYPES.get(status) or ProblemType("", status, error.name)
    skipped = {"content-type", "content-length"}
    headers = {name: value for name, value in error.get_headers() if name.casefold() not in skipped}
    said = _HTTP_DETAILS.get(status)
    detail = gettext(said) if said else error.description or problem_type.title
    return Problem(problem_type, detail, status, headers)
