"""All services behind one address.

with Upstream() as upstream:
    upstream.add("Someone", [Listed(52991, score=9)])
    ...  # point HAKKEN_ANILIST_URL at upstream.at("anilist"), and so on
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from urllib.parse import unquote

from demo.faults import passing, same_everywhere
from demo.services import ALL
from demo.services.anilist import CHUNKED, CUSTOM, ERROR_200
from demo.wire import Answer, Asked, Server, as_json
from demo.world import Fan, Listed, World


class Gate:
    """Holds answers back until it is opened."""

    def __init__(self, after: int) -> None:
        self._free = after
        self._reached = threading.Event()
        self._opened = threading.Event()

    def reached(self, seconds: float = 30.0) -> bool:
        """Wait until a request stands at the gate."""
        return self._reached.wait(seconds)

    def open(self) -> None:
        """Answer, from now on."""
        self._opened.set()

    def enter(self) -> None:
        """Pass, or wait for the gate to open."""
        self._free -= 1
        if self._free < 0:
            self._reached.set()
            self._opened.wait()


class Upstream:
    """Start with ``with``; ``requests`` holds everything that was asked.

    ``replies`` by service are given first, each once, whatever is asked.
    """

    def __init__(self, world: World | None = None, port: int = 0) -> None:
        self.world = world or World()
        self.world.add(CHUNKED, (Listed(n, score=5) for n in range(1, 1_201)))
        self.world.add(CUSTOM, ())
        self.world.add(ERROR_200, ())
        self._server = Server(self._answer, port)
        self._seen: set[tuple[str, str]] = set()
        self.replies: dict[str, list[Answer]] = {}
        self._gates: dict[str, Gate] = {}

    @property
    def requests(self) -> list[Asked]:
        return self._server.requests

    @property
    def port(self) -> int:
        return self._server.port

    def at(self, service: str) -> str:
        """The base address of a service (`demo.services.ALL`)."""
        return self._server.url + ALL[service][0]

    def add(self, name: str, entries: Iterable[Listed]) -> Fan:
        """Give ``name`` a list."""
        return self.world.add(name, entries)

    def hold(self, name: str, after: int = 0) -> Gate:
        """Let ``after`` requests for a fan's list through; answer the others when told to."""
        gate = self._gates[name.casefold()] = Gate(after)
        return gate

    def environment(self) -> dict[str, str]:
        """What makes Hakken ask here."""
        return {
            "MAL_CLIENT_ID": "demo",
            "HAKKEN_MAL_URL": self.at("mal"),
            "HAKKEN_MAL_WEB_URL": self.at("mal-web"),
            "HAKKEN_ANILIST_URL": self.at("anilist"),
            "HAKKEN_KITSU_URL": self.at("kitsu"),
            "HAKKEN_JIKAN_URL": self.at("jikan"),
            "HAKKEN_SHIKIMORI_URL": self.at("shikimori"),
            "HAKKEN_LIMITS": "0",
            "HAKKEN_RATE_LISTS": "off",
            "HAKKEN_RATE_PAGES": "off",
        }

    def __enter__(self) -> Upstream:
        self._server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        for gate in self._gates.values():
            gate.open()
        self._server.__exit__()

    def _answer(self, asked: Asked) -> Answer:
        for service, (prefix, answer) in ALL.items():
            if asked.path == prefix or asked.path.startswith(f"{prefix}/"):
                if queued := self.replies.get(service):
                    return queued.pop(0)
                path = asked.path.removeprefix(prefix)
                return self._trouble(service, asked) or answer(path, asked, self.world)
        if asked.path == "/again":
            return Answer(307, b"", {"Location": "/again"})
        return as_json(404, {"error": "not_found"})

    def _trouble(self, service: str, asked: Asked) -> Answer | None:
        """What goes wrong in the same way on every service."""
        fan = self._about(service, asked)
        if fan is None:
            return None
        if gate := self._gates.get(fan.name.casefold()):
            gate.enter()
        if (service, fan.name) not in self._seen:
            self._seen.add((service, fan.name))
            if first := passing(fan.fault):
                return first
        return same_everywhere(fan.fault)

    def _about(self, service: str, asked: Asked) -> Fan | None:
        """Whose list a request is for."""
        if service == "anilist":
            variables = (asked.body or {}).get("variables", {})
            return self.world.named(str(variables.get("name", "")))
        if service == "kitsu":
            return self.world.numbered(asked.query.get("filter[userId]", ""))
        parts = asked.path.split("/")
        return next((fan for part in parts if (fan := self.world.named(unquote(part)))), None)
