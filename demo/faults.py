"""Every way in which a service fails. A fan's name is the switch: see `NAMES`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from demo.http_server import FakeResponse, json_response


class Fault(Enum):
    """What goes wrong for a fan, on every service."""

    PRIVATE = auto()  # the list is not public
    LIMITED = auto()  # 429 with Retry-After: 41
    LIMITED_SILENTLY = auto()  # 429 that does not say how long
    DOWN = auto()  # 500 every time
    GATEWAY = auto()  # 504, as HTML
    CHALLENGE = auto()  # 403 with a web page that wants a browser
    WEB_PAGE = auto()  # 200 with a web page
    MISSING_PAGE = auto()  # 404 with a web page: says nothing about the user
    GARBLED = auto()  # JSON that breaks off, complete as HTTP goes
    CUT = auto()  # the connection is closed in the middle of the body
    DROPPED = auto()  # the connection is closed without an answer
    SLOW = auto()  # no answer until the server closes
    HANGING = auto()  # headers and a first piece, then nothing until the server closes
    DRIPPING = auto()  # a body that comes byte by byte and never ends
    WRONG_TYPES = auto()  # scores that are objects
    FIELDLESS = auto()  # scores that are not there
    ENDLESS = auto()  # always one more page, with the same rows
    FOREIGN_NEXT = auto()  # the next page is on another host
    MOVED = auto()  # 307 to another host
    LOOPING = auto()  # 307 to itself
    FLAKY = auto()  # the first connection is dropped
    RECOVERING = auto()  # 503 with Retry-After: 0 once
    REFUSED = auto()  # only AniList: 403 "temporarily disabled"; only MyAnimeList: 403 "DoS"
    NO_LISTS = (
        auto()
    )  # only Jikan: a host that serves no lists; only AniList: no lists in the answer


FAULTY_USERNAMES: Mapping[str, Fault] = {
    "PrivateFan": Fault.PRIVATE,
    "LimitedFan": Fault.LIMITED,
    "QuietlyLimitedFan": Fault.LIMITED_SILENTLY,
    "DownFan": Fault.DOWN,
    "GatewayFan": Fault.GATEWAY,
    "ChallengeFan": Fault.CHALLENGE,
    "WebPageFan": Fault.WEB_PAGE,
    "MissingPageFan": Fault.MISSING_PAGE,
    "GarbledFan": Fault.GARBLED,
    "CutFan": Fault.CUT,
    "DroppedFan": Fault.DROPPED,
    "SlowFan": Fault.SLOW,
    "HangingFan": Fault.HANGING,
    "DrippingFan": Fault.DRIPPING,
    "WrongTypesFan": Fault.WRONG_TYPES,
    "FieldlessFan": Fault.FIELDLESS,
    "EndlessFan": Fault.ENDLESS,
    "ForeignFan": Fault.FOREIGN_NEXT,
    "MovedFan": Fault.MOVED,
    "LoopingFan": Fault.LOOPING,
    "FlakyFan": Fault.FLAKY,
    "RecoveringFan": Fault.RECOVERING,
    "DisabledFan": Fault.REFUSED,
    "NoListsFan": Fault.NO_LISTS,
}
"""Fans that always have the same trouble, on every service."""

RETRY_AFTER_HEADER = {"Retry-After": "41"}
FOREIGN_URL = "http://localhost:9/elsewhere"

_HTML_HEADERS = {"Content-Type": "text/html; charset=utf-8"}
_HTML_BODY = b"<!DOCTYPE html><title>Just a moment...</title>"

_RESPONSES: Mapping[Fault, FakeResponse] = {
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


def common_response(fault: Fault | None) -> FakeResponse | None:
    """The answer to a fault that looks the same on every service."""
    return _RESPONSES.get(fault) if fault else None


def transient_response(fault: Fault | None) -> FakeResponse | None:
    """The first answer to a fault that is over the second time."""
    if fault is Fault.FLAKY:
        return FakeResponse(200, None)
    if fault is Fault.RECOVERING:
        return json_response(503, {"error": "busy"}, **{"Retry-After": "0"})
    return None


def corrupt_fields(fault: Fault | None, body: Any, key: str) -> Any:
    """``body`` with every ``key`` missing or of the wrong type, if that is the fault."""
    if fault not in (Fault.WRONG_TYPES, Fault.FIELDLESS):
        return body
    if isinstance(body, list):
        return [corrupt_fields(fault, item, key) for item in body]
    if not isinstance(body, dict):
        return body
    kept = {name: corrupt_fields(fault, value, key) for name, value in body.items() if name != key}
    if key in body and fault is Fault.WRONG_TYPES:
        kept[key] = {"not": "a number"}
    return kept
