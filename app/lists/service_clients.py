"""Clients, circuit breakers, semaphores and rate limits, shared by all who ask a service."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import requests

from app.lists import anilist, kitsu, myanimelist, shikimori
from app.lists.http_client import HttpLimits, SourceClient, create_session
from app.lists.list_cache import CacheTtl
from app.lists.service_guard import ServiceGuard
from app.observability.metrics import CIRCUIT_OPEN_UNTIL
from app.upstream import BucketRateLimiter, RateLimit, ServiceBreaker, SharedStorage, SingleFlight
from app.upstream.shared_storage import hashed_key

RATE_LIMITS: Mapping[str, tuple[RateLimit, ...]] = {
    "mal": (RateLimit(5, 5),),
    "mal-pages": (RateLimit(1, 2),),
    "mal-sign-in": (RateLimit(5, 5),),
    "anilist": (RateLimit(5, 10),),
    "anilist-sign-in": (RateLimit(5, 10),),
    "kitsu": (RateLimit(4, 2),),
    "jikan": (RateLimit(3, 1), RateLimit(60, 60)),
    "shikimori": (RateLimit(4, 1), RateLimit(80, 60)),
}
"""What each service is asked at most. AniList allows 30 a minute; spread over the minute, so that
nobody waits long for a turn."""

ONE_AT_A_TIME = frozenset({"mal-pages"})
"""Services that are asked one request at a time, whoever asks: websites made for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """What the sources need to know of the app. Base addresses are origin and path prefix.

    ``rate_limits`` may be emptied where no service has to be spared. ``max_concurrent_requests`` is
    how many requests of this process may ask one service at the same time, ``max_waiting`` how many
    may wait for lists of all of them, be it for somebody who reads the same one.
    """

    version: str
    shared_storage: SharedStorage
    public_url: str | None = None
    mal_client_id: str | None = None
    mal_client_secret: str | None = None
    mal_web: bool = False
    mal_url: str = myanimelist.BASE_URL
    mal_web_url: str = myanimelist.PAGES_URL
    anilist_client_id: str | None = None
    anilist_client_secret: str | None = None
    anilist_url: str = anilist.BASE_URL
    anilist_web_url: str = anilist.WEB_URL
    kitsu_url: str = kitsu.BASE_URL
    jikan_url: str | None = None
    shikimori_url: str = shikimori.BASE_URL
    max_entries: int = 20_000
    deadline_s: float = 25.0
    max_concurrent_requests: int = 4
    max_waiting: int = 64
    http_limits: HttpLimits = field(default_factory=HttpLimits)
    cache_ttl: CacheTtl = field(default_factory=CacheTtl)
    rate_limits: Mapping[str, tuple[RateLimit, ...]] = field(default_factory=lambda: RATE_LIMITS)


class ServiceClients:
    """Makes the client and the breaker of each service, so that all who ask it share them."""

    def __init__(self, settings: SourceSettings, session: requests.Session | None = None) -> None:
        self.settings = settings
        self.session = session or create_session(settings.version, settings.public_url)
        self._circuit_breakers: dict[str, ServiceBreaker] = {}
        self._semaphores: dict[str, threading.Semaphore] = {}
        self.waiting = threading.Semaphore(settings.max_waiting)

    def client(
        self, source: str, service: str, url: str, limits: HttpLimits | None = None
    ) -> SourceClient:
        """Return a client for ``service`` at ``url``; errors name it ``source``."""
        rate_limits = self.settings.rate_limits.get(service, ())
        name = _service_key(service, url)
        rate_limiter = BucketRateLimiter(self.settings.shared_storage, name, rate_limits)
        limits = limits or self.settings.http_limits
        client = partial(SourceClient, source, self.session, limits, rate_limiter, service)
        if service not in ONE_AT_A_TIME:
            return client()
        locks = SingleFlight(self.settings.shared_storage, "turns")
        return client(partial(locks.lock, hashed_key(name)))

    def circuit_breaker(self, service: str, url: str) -> ServiceBreaker:
        """Return the breaker of ``service`` at ``url``."""
        key = _service_key(service, url)
        if key not in self._circuit_breakers:
            until = CIRCUIT_OPEN_UNTIL.labels(service)
            self._circuit_breakers[key] = ServiceBreaker(
                self.settings.shared_storage, key, on_open=until.set
            )
        return self._circuit_breakers[key]

    def guard(self, source: str, service: str, url: str) -> ServiceGuard:
        """Return what spares ``service`` at ``url``; errors name it ``source``."""
        semaphore = self._semaphores.setdefault(
            _service_key(service, url), threading.Semaphore(self.settings.max_concurrent_requests)
        )
        return ServiceGuard(source, self.circuit_breaker(service, url), semaphore)


def _service_key(service: str, url: str) -> str:
    """Return a name for files and keys: another address is another service."""
    return f"{service}-{hashed_key(url)[:12]}"
