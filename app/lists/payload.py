"""Reads a service's answer at the border, the same way for every source.

What is not asked for is ignored; what is missing or of another type is a `SourceDown` whose detail
names the place, never the value, which is a user's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast, get_origin

from pydantic import (
    FailFast,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from app.lists.errors import ListError, RateLimited, SourceDown, Trouble

if TYPE_CHECKING:
    from app.lists.http_client import HttpResponse

T = TypeVar("T")

Rows = Annotated[list[T], FailFast()]
"""A list that is left at its first wrong row: a service may send a million of them."""
MAX_ODD_ROWS = 1_000
"""Of a page; with more of them its shape has changed."""


@dataclass(slots=True)
class OddRows:
    """Counts the rows of an answer that are not what rows should be.

    An answer of nothing else is not understood, unless ``others`` came before it.
    """

    others: bool = False
    count: int = 0


def _skip_odd_rows(value: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    odd = info.context if isinstance(info.context, OddRows) else OddRows()
    before = odd.count
    try:
        return read(value)
    except ValidationError as error:
        first = error
    if not isinstance(value, list):
        raise first
    odd.count = before
    rows: list[Any] = []
    for each in value:
        try:
            rows += read([each])
        except ValidationError:
            odd.count += 1
            if odd.count - before > MAX_ODD_ROWS:
                raise first from None
    if not rows and not odd.others:
        raise first
    return rows


_SKIPPING_ODD_ROWS = WrapValidator(_skip_odd_rows)
TolerantRows = Annotated[list[T], FailFast(), _SKIPPING_ODD_ROWS]
"""Rows of a list, of which an odd one is left out and counted."""

MAX_VALUES = 1_000_000
"""Values in one answer; that of the longest list that is read has about a quarter."""
_MAX_REPORTED_ERRORS = 3
_GUARD_HEADERS = ("cf-mitigated", "x-amzn-waf-action")
_TURNED_AWAY = frozenset({401, 403, 405})


def parse_payload(kind: type[T], reply: HttpResponse, odd_rows: OddRows | None = None) -> T:
    """Return the answer as what it should be; ``odd_rows`` counts the rows that were left out.

    Raises SourceDown: it is something else.
    """
    body = reply.body
    if body.count(b",") + body.count(b"{") + body.count(b"[") > MAX_VALUES:
        raise _source_down(reply, f", more than {MAX_VALUES:,} values", Trouble.MALFORMED)
    try:
        parsed: T = _adapter(cast("Any", kind)).validate_json(body, context=odd_rows)
    except ValidationError as error:
        is_json = error.errors(include_url=False, include_input=False)[0]["type"] != "json_invalid"
        trouble = Trouble.MALFORMED if is_json else _refused_or_broken(reply)
        raise _source_down(reply, f", {summarize_validation_errors(error)}", trouble) from None
    return parsed


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    rows = Annotated[kind, FailFast(), _SKIPPING_ODD_ROWS]
    return TypeAdapter(rows if get_origin(kind) is list else kind)


def try_parse_payload(kind: type[T], reply: HttpResponse) -> T | None:
    """Return the same, None when the answer is something else."""
    try:
        return parse_payload(kind, reply)
    except SourceDown:
        return None


def summarize_validation_errors(error: ValidationError) -> str:
    """Where the answer differs from what was asked for; never what it says."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        ".".join(map(str, fault["loc"])) + f": {fault['msg']}"
        for fault in faults[:_MAX_REPORTED_ERRORS]
    )


def error_for_status(reply: HttpResponse, reason: str = "") -> ListError:
    """Return what a refusal means when nothing particular to the service explains it.

    ``reason`` is what the service gives, for the log.
    """
    if reply.status == 429:
        return RateLimited(
            source=reply.source, username=reply.username, retry_after=reply.retry_after()
        )
    return _source_down(reply, f": {reason[:300]}" if reason else "", _refused_or_broken(reply))


def _refused_or_broken(reply: HttpResponse) -> Trouble:
    return Trouble.REFUSED if is_browser_check(reply) else Trouble.BROKEN


def _source_down(reply: HttpResponse, detail: str, trouble: Trouble) -> SourceDown:
    return SourceDown(
        source=reply.source,
        username=reply.username,
        detail=f"HTTP {reply.status}{detail}",
        trouble=trouble,
    )


def drop_nulls(value: object) -> object:
    """GraphQL lists may be null, or hold nulls; both mean nothing there."""
    if value is None:
        return []
    return [item for item in value if item is not None] if isinstance(value, list) else value


def is_html(reply: HttpResponse) -> bool:
    """Whether this is a page for people (an error page, a challenge): no word of the API itself."""
    return reply.body[:256].lstrip().startswith(b"<")


def is_browser_check(reply: HttpResponse) -> bool:
    """Whether a site, or the guard before it, wants to see a browser.

    Cloudflare and Amazon's firewall say so in a header, whatever the status; others show a page.
    """
    if any(name in reply.headers for name in _GUARD_HEADERS):
        return True
    return reply.status in _TURNED_AWAY and is_html(reply)
