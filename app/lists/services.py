"""What the sources share with all who ask the same services: clients, breakers, room, and paces."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

import requests

from app.lists import anilist, kitsu, mal_pages, myanimelist, shikimori
from app.lists.http import Limits, SourceClient, make_session
from app.lists.memory import Spans
from app.metrics import RESTING_UNTIL
from app.upstream import Breaker, Pace, Shared, Throttle
from app.upstream.shared import key_of

PACES: Mapping[str, tuple[Pace, ...]] = {
    "mal": (Pace(5, 5),),
    "mal-pages": (Pace(1, 2),),
    "anilist": (Pace(5, 10),),
    "kitsu": (Pace(4, 2),),
    "jikan": (Pace(3, 1), Pace(60, 60)),
    "shikimori": (Pace(4, 1), Pace(80, 60)),
}
"""What each service is asked at most. AniList allows 30 a minute; spread over the minute, so that
nobody waits long for a turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """What the sources need to know of the app. Base addresses are origin and path prefix.

    ``paces`` may be emptied where nobody has to be spared. ``most_waiting`` is how many requests of
    this process may ask one service at the same time.
    """

    version: str
    shared: Shared
    public_url: str | None = None
    mal_client_id: str | None = None
    mal_web: bool = False
    mal_url: str = myanimelist.BASE_URL
    mal_web_url: str = mal_pages.BASE_URL
    anilist_url: str = anilist.BASE_URL
    kitsu_url: str = kitsu.BASE_URL
    jikan_url: str | None = None
    shikimori_url: str = shikimori.BASE_URL
    max_entries: int = 20_000
    deadline_s: float = 25.0
    most_waiting: int = 4
    limits: Limits = field(default_factory=Limits)
    spans: Spans = field(default_factory=Spans)
    paces: Mapping[str, tuple[Pace, ...]] = field(default_factory=lambda: PACES)


class Services:
    """Makes the client and the breaker of each service, so that all who ask it share them."""

    def __init__(self, settings: SourceSettings, session: requests.Session | None = None) -> None:
        self.settings = settings
        self.session = session or make_session(settings.version, settings.public_url)
        self._breakers: dict[str, Breaker] = {}
        self._rooms: dict[str, threading.Semaphore] = {}

    def client(
        self, source: str, service: str, url: str, limits: Limits | None = None
    ) -> SourceClient:
        """A client for ``service`` at ``url``; errors name it ``source``."""
        paces = self.settings.paces.get(service)
        name = _place(service, url)
        throttle = Throttle(self.settings.shared, name, paces) if paces else None
        limits = limits or self.settings.limits
        return SourceClient(source, self.session, limits, throttle, service)

    def breaker(self, service: str, url: str) -> Breaker:
        """The breaker of ``service`` at ``url``."""
        place = _place(service, url)
        if place not in self._breakers:
            until = RESTING_UNTIL.labels(service)
            self._breakers[place] = Breaker(self.settings.shared, place, on_rest=until.set)
        return self._breakers[place]

    def room(self, service: str, url: str) -> threading.Semaphore:
        """Room for those who ask ``service`` at ``url``."""
        place = _place(service, url)
        return self._rooms.setdefault(place, threading.Semaphore(self.settings.most_waiting))


def _place(service: str, url: str) -> str:
    """A name for files and keys: another address is another service."""
    return f"{service}-{key_of(url)[:12]}"
