"""Every way in which a service fails. A fan's name is the switch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from typing import Any

from demo.http_server import FakeResponse, json_response


class Fault(Enum):
    """What goes wrong on every service; the value is the fan who always has this trouble."""

    PRIVATE = "PrivateFan"  # the list is not public
    LIMITED = "LimitedFan"  # 429 with Retry-After: 41
    LIMITED_SILENTLY = "QuietlyLimitedFan"  # 429 that does not say how long
    DOWN = "DownFan"  # 500 every time
    GATEWAY = "GatewayFan"  # 504, as HTML
    CHALLENGE = "ChallengeFan"  # 403 with a web page that wants a browser
    WEB_PAGE = "WebPageFan"  # 200 with a web page
    MISSING_PAGE = "MissingPageFan"  # 404 with a web page: says nothing about the user
    GARBLED = "GarbledFan"  # JSON that breaks off, complete as HTTP goes
    CUT = "CutFan"  # the connection is closed in the middle of the body
    DROPPED = "DroppedFan"  # the connection is closed without an answer
    SLOW = "SlowFan"  # no answer until the server closes
    HANGING = "HangingFan"  # headers and a first piece, then nothing until the server closes
    DRIPPING = "DrippingFan"  # a body that comes byte by byte and never ends
    WRONG_TYPES = "WrongTypesFan"  # scores that are objects
    FIELDLESS = "FieldlessFan"  # scores that are not there
    ODD_ROWS = "OddRowsFan"  # scores of 7 are objects, all others are right
    ENDLESS = "EndlessFan"  # always one more page, with the same rows
    FOREIGN_NEXT = "ForeignFan"  # the next page is on another host
    MOVED = "MovedFan"  # 307 to another host
    LOOPING = "LoopingFan"  # 307 to itself
    FLAKY = "FlakyFan"  # the first connection is dropped
    RECOVERING = "RecoveringFan"  # 503 with Retry-After: 0 once
    # Only AniList: 403 "temporarily disabled"; only MyAnimeList: 403 "DoS".
    REFUSED = "DisabledFan"
    # Only Jikan: a host that serves no lists; only AniList: no lists in the answer.
    NO_LISTS = "NoListsFan"


Refusals = Mapping[Fault, FakeResponse]

_ODD_SCORES = (7, 14, "14")
"""Of 10, and of 20."""
FOREIGN_URL = "http://localhost:9/elsewhere"

_HTML_HEADERS = {"Content-Type": "text/html; charset=utf-8"}
_HTML_BODY = b"<!DOCTYPE html><title>Just a moment...</title>"

COMMON_RESPONSES: Refusals = {
    Fault.GATEWAY: FakeResponse(504, b"<html>504 Gateway Time-out</html>", _HTML_HEADERS),
    Fault.CHALLENGE: FakeResponse(403, _HTML_BODY, _HTML_HEADERS),
    Fault.WEB_PAGE: FakeResponse(200, _HTML_BODY, _HTML_HEADERS),
    Fault.MISSING_PAGE: FakeResponse(404, b"<html>404 Not Found</html>", _HTML_HEADERS),
    Fault.GARBLED: FakeResponse(200, b'{"data": [{"no'),
    Fault.CUT: FakeResponse(200, b'{"data": [', stall="cut"),
    Fault.DROPPED: FakeResponse(200, None),
    Fault.SLOW: FakeResponse(200, b"{}", stall="headers"),
    Fault.HANGING: FakeResponse(200, b"{", stall="body"),
    Fault.DRIPPING: FakeResponse(200, b"{", stall="drip"),
    Fault.MOVED: FakeResponse(307, b"", {"Location": FOREIGN_URL}),
    Fault.LOOPING: FakeResponse(307, b"", {"Location": "/again"}),
}
"""What looks the same on every service."""
TRANSIENT_RESPONSES: Refusals = {
    Fault.FLAKY: FakeResponse(200, None),
    Fault.RECOVERING: json_response(503, {"error": "busy"}, **{"Retry-After": "0"}),
}
"""The first answer to what is over the second time."""


def refusals(private: FakeResponse, limited: FakeResponse, down: FakeResponse) -> Refusals:
    """How a service says what all of them say, each in its own words."""
    return {
        Fault.PRIVATE: private,
        Fault.LIMITED: replace(limited, headers={**limited.headers, "Retry-After": "41"}),
        Fault.LIMITED_SILENTLY: limited,
        Fault.DOWN: down,
    }


def corrupt_fields(fault: Fault | None, body: Any, key: str) -> Any:
    """``body`` with every ``key`` (or some) missing or of the wrong type, if that is the fault."""
    if fault not in (Fault.WRONG_TYPES, Fault.FIELDLESS, Fault.ODD_ROWS):
        return body
    if isinstance(body, list):
        return [corrupt_fields(fault, item, key) for item in body]
    if not isinstance(body, dict):
        return body
    kept = {name: corrupt_fields(fault, value, key) for name, value in body.items() if name != key}
    if fault is Fault.ODD_ROWS and key in body and body[key] not in _ODD_SCORES:
        kept[key] = body[key]
    elif key in body and fault is not Fault.FIELDLESS:
        kept[key] = {"not": "a number"}
    return kept
