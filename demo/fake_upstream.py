"""All services behind one address.

with FakeUpstream() as upstream:
    upstream.add_user("Someone", [DemoEntry(52991, score=9)])
    ...  # point HAKKEN_ANILIST_URL at upstream.base_url("anilist"), and so on
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from urllib.parse import unquote

from demo.data import DemoData, DemoEntry, DemoUser
from demo.faults import COMMON_RESPONSES, TRANSIENT_RESPONSES, Fault
from demo.http_server import FakeResponse, FakeServer, RecordedRequest, json_response
from demo.services import SERVICES
from demo.services.anilist import CHUNKED_USER, CUSTOM_LISTS_USER, ERROR_200_USER
from demo.services.sign_in import CLIENT_ID, CLIENT_SECRET


class ResponseGate:
    """Holds answers back until it is opened."""

    def __init__(self, after: int) -> None:
        self._free_requests = after
        self._reached = threading.Event()
        self._opened = threading.Event()

    def wait_reached(self, seconds: float = 120.0) -> bool:
        """Wait until a request stands at the gate."""
        return self._reached.wait(seconds)

    def open(self) -> None:
        """Answer, from now on."""
        self._opened.set()

    def pass_through(self) -> None:
        """Pass, or wait for the gate to open."""
        self._free_requests -= 1
        if self._free_requests < 0:
            self._reached.set()
            self._opened.wait()


class FakeUpstream(FakeServer):
    """Start with ``with``; ``requests`` holds everything that was asked.

    ``queued_responses`` by service are given first, each once, whatever is asked.
    """

    def __init__(self, data: DemoData | None = None, port: int = 0) -> None:
        super().__init__(self._respond, port)
        self.data = data or DemoData()
        self.data.add_user(CHUNKED_USER, (DemoEntry(n, score=5) for n in range(1, 1_201)))
        self.data.add_user(CUSTOM_LISTS_USER, ())
        self.data.add_user(ERROR_200_USER, ())
        self._answered_users: set[tuple[str, str]] = set()
        self.queued_responses: dict[str, list[FakeResponse]] = {}
        self._gates: dict[str, ResponseGate] = {}

    def base_url(self, service: str) -> str:
        """The base address of a service (`demo.services.SERVICES`)."""
        return self.url + SERVICES[service].prefix

    def add_user(self, name: str, entries: Iterable[DemoEntry]) -> DemoUser:
        """Give ``name`` a list."""
        return self.data.add_user(name, entries)

    def hold_responses(self, name: str, after: int = 0) -> ResponseGate:
        """Let ``after`` requests for a fan's list through; answer the others when told to."""
        gate = self._gates[name.casefold()] = ResponseGate(after)
        return gate

    def environment(self) -> dict[str, str]:
        """What makes Hakken ask here."""
        return {
            "MAL_CLIENT_ID": CLIENT_ID,
            "HAKKEN_MAL_URL": self.base_url("mal"),
            "HAKKEN_MAL_WEB_URL": self.base_url("mal-web"),
            "HAKKEN_ANILIST_URL": self.base_url("anilist"),
            "HAKKEN_ANILIST_WEB_URL": self.base_url("anilist-web"),
            "HAKKEN_KITSU_URL": self.base_url("kitsu"),
            "HAKKEN_JIKAN_URL": self.base_url("jikan"),
            "HAKKEN_SHIKIMORI_URL": self.base_url("shikimori"),
            "HAKKEN_LIMITS": "0",
            "HAKKEN_RATE_LISTS": "off",
            "HAKKEN_RATE_PAGES": "off",
        }

    @staticmethod
    def sign_in_environment(public_url: str) -> dict[str, str]:
        """What lets fans sign in here, and come back to Hakken at ``public_url``."""
        return {
            "HAKKEN_PUBLIC_URL": public_url,
            "HAKKEN_HOSTS": "*",
            "HAKKEN_COOKIE_SECRET": "a secret of the demo, known to all",
            "MAL_CLIENT_SECRET": CLIENT_SECRET,
            "ANILIST_CLIENT_ID": CLIENT_ID,
            "ANILIST_CLIENT_SECRET": CLIENT_SECRET,
        }

    def __exit__(self, *_: object) -> None:
        for gate in self._gates.values():
            gate.open()
        super().__exit__()

    def _respond(self, request: RecordedRequest) -> FakeResponse:
        for name, service in SERVICES.items():
            if request.path == service.prefix or request.path.startswith(f"{service.prefix}/"):
                if queued := self.queued_responses.get(name):
                    return queued.pop(0)
                path = request.path.removeprefix(service.prefix)
                refused = self._fault_response(name, request)
                return refused or service.respond(path, request, self.data)
        if request.path == "/again":
            return FakeResponse(307, b"", {"Location": "/again"})
        return json_response(404, {"error": "not_found"})

    def _fault_response(self, service: str, request: RecordedRequest) -> FakeResponse | None:
        """What is said instead of a fan's list."""
        fan = self._requested_user(service, request)
        if fan is None:
            return None
        if gate := self._gates.get(fan.name.casefold()):
            gate.pass_through()
        token = request.headers.get("authorization")
        # Whether it is a token at all is for the service to say.
        is_own = token is not None and self.data.owner_of(token) in (fan, None)
        if fan.fault is None or (fan.fault is Fault.PRIVATE and is_own):
            return None
        if (service, fan.name) not in self._answered_users:
            self._answered_users.add((service, fan.name))
            if first := TRANSIENT_RESPONSES.get(fan.fault):
                return first
        return COMMON_RESPONSES.get(fan.fault) or SERVICES[service].refusals.get(fan.fault)

    def _requested_user(self, service: str, request: RecordedRequest) -> DemoUser | None:
        """Whose list a request is for."""
        if service == "anilist":
            variables = (request.body or {}).get("variables", {})
            return self.data.find_by_name(str(variables.get("name", "")))
        if service == "kitsu":
            return self.data.find_by_id(request.query.get("filter[userId]", ""))
        parts = request.path.split("/")
        return next((fan for part in parts if (fan := self.data.find_by_name(unquote(part)))), None)
