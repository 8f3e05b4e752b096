"""Finds details: first in the store that all workers share, then service by service."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from app.details.clients import (
    AniListDetailsClient,
    DetailsClient,
    JikanDetailsClient,
    MalDetailsClient,
)
from app.lists.deadline import Deadline
from app.lists.entry import AnimeDetails
from app.lists.errors import ListError, RateLimited, SourceDown, Trouble
from app.lists.registry import normalize_base_url
from app.lists.service_clients import ServiceClients
from app.observability.metrics import count_details_lookups
from app.upstream import CircuitOpen, SingleFlight, TtlStore
from app.upstream.shared_storage import hashed_key

log = logging.getLogger(__name__)

DAY_SECONDS = 24 * 3600.0
FRESH_SECONDS, MAX_TTL = 3 * DAY_SECONDS, 30 * DAY_SECONDS
"""How long details are current, and how long they may stand in for services that are down."""
DEADLINE_SECONDS = 8.0
"""Seconds for one page's details. Nobody waits for them, but they occupy a thread."""
_MAX_THROTTLE_WAIT = 1.0


class _CachedDetails(BaseModel):
    at: float
    details: AnimeDetails


@dataclass(frozen=True, slots=True)
class DetailsResult:
    """What was found; ``complete`` is False when asking again later may bring more."""

    details: tuple[AnimeDetails, ...]
    complete: bool


class DetailsCache:
    """All details that Hakken has come across lately."""

    def __init__(
        self, ttl_store: TtlStore, single_flight: SingleFlight, services: Sequence[DetailsClient]
    ) -> None:
        self._ttl_store = ttl_store
        self._single_flight = single_flight
        self._services = services

    def store(self, details: Iterable[AnimeDetails]) -> None:
        """Keep details, with the picture and the links that were kept where they say none."""
        now = time.time()
        texts: dict[str, str] = {}
        for each in details:
            known = self.get_known(each.anime_id) or AnimeDetails(each.anime_id)
            found = replace(_merge_details(each, known), synopsis=each.synopsis)
            texts[_cache_key(each.anime_id)] = _CachedDetails(
                at=now, details=found
            ).model_dump_json()
        self._ttl_store.set_many(texts, MAX_TTL)

    def get_picture(self, anime_id: int) -> str | None:
        """Return the picture that was fetched within `MAX_TTL`; nobody is asked for one."""
        known = self.get_known(anime_id)
        return known.picture if known else None

    def get_known(self, anime_id: int) -> AnimeDetails | None:
        """Return what was fetched within `MAX_TTL`; nobody is asked."""
        cached = self._read_cached(anime_id)
        return cached.details if cached else None

    def get_details(self, anime_ids: Sequence[int]) -> DetailsResult:
        """Details of these anime, as far as they can be had in a few seconds."""
        wanted = sorted(set(anime_ids))
        found, missing = self._split_cached(wanted)
        count_details_lookups(wanted, found, missing)
        complete = True
        if missing and self._services:
            try:
                # Ten tabs with the same page are one request here, too.
                with self._single_flight.lock(
                    hashed_key("details", *map(str, missing)), DEADLINE_SECONDS
                ):
                    found, missing = self._split_cached(wanted)
                    complete = self._fetch_missing(missing, found)
            except TimeoutError:
                complete = False
        ordered = (found[anime_id] for anime_id in anime_ids if anime_id in found)
        return DetailsResult(
            tuple(
                each
                for each in ordered
                if each.picture or each.synopsis or each.trailer or each.streaming
            ),
            complete,
        )

    def _split_cached(self, anime_ids: Iterable[int]) -> tuple[dict[int, AnimeDetails], list[int]]:
        """Return what is in the store, old or not; and the ids of what should be asked for."""
        found: dict[int, AnimeDetails] = {}
        missing: list[int] = []
        for anime_id in anime_ids:
            cached = self._read_cached(anime_id)
            if cached is not None:
                found[anime_id] = cached.details
            if cached is None or time.time() - cached.at >= FRESH_SECONDS:
                missing.append(anime_id)
        return found, missing

    def _read_cached(self, anime_id: int) -> _CachedDetails | None:
        text = self._ttl_store.get(_cache_key(anime_id))
        if text is not None:
            try:
                return _CachedDetails.model_validate_json(text)
            except ValidationError:
                self._ttl_store.delete_many([_cache_key(anime_id)])  # written by another version
        return None

    def _fetch_missing(self, missing: Sequence[int], found: dict[int, AnimeDetails]) -> bool:
        """Put what the services know into ``found``; say whether all were asked for all."""
        deadline = Deadline(DEADLINE_SECONDS)
        remaining = list(missing)
        fetched: dict[int, AnimeDetails] = {}
        all_asked = True
        for service in self._services:
            for details in _read_batches(service, remaining, deadline):
                if details is None:
                    all_asked = False
                else:
                    known = fetched.get(details.anime_id)
                    fetched[details.anime_id] = _merge_details(known, details) if known else details
            remaining = [
                each for each in remaining if each not in fetched or not fetched[each].synopsis
            ]
            if not remaining:
                break
        answered = not remaining or all_asked
        if answered:
            # That nobody knows anything is worth knowing, too.
            fetched |= {each: AnimeDetails(each) for each in remaining if each not in fetched}
        fetched = {each: details for each, details in fetched.items() if each in set(missing)}
        self.store(fetched.values())
        found |= fetched
        return answered


def build_details_cache(service_clients: ServiceClients, details_url: str | None) -> DetailsCache:
    """Build the cache over the services that these settings make possible, the best first.

    ``details_url`` is a host that speaks like Jikan 4.
    """
    settings = service_clients.settings
    options = _connection(service_clients, "AniList", "anilist", settings.anilist_url)
    services: list[DetailsClient] = [
        AniListDetailsClient(public_url=settings.public_url, **options)
    ]
    if settings.mal_client_id:
        url = normalize_base_url(settings.mal_url, "/v2")
        options = _connection(service_clients, "MyAnimeList", "mal", url)
        services.append(MalDetailsClient(client_id=settings.mal_client_id, **options))
    if given := details_url or settings.jikan_url:
        url = normalize_base_url(given, "/v4")
        options = _connection(service_clients, "the details host", "jikan", url)
        services.append(JikanDetailsClient(**options))
    storage = settings.shared_storage
    return DetailsCache(TtlStore(storage, "details"), SingleFlight(storage), services)


def _connection(
    service_clients: ServiceClients, name: str, service: str, url: str
) -> dict[str, Any]:
    """Connect to a service; errors name it ``name``."""
    limits = replace(
        service_clients.settings.http_limits, max_throttle_wait=_MAX_THROTTLE_WAIT, max_retries=1
    )
    return {
        "client": service_clients.client(name, service, url, limits),
        "base_url": url,
        "circuit_breaker": service_clients.circuit_breaker(service, url),
    }


def _read_batches(
    service: DetailsClient, anime_ids: Sequence[int], deadline: Deadline
) -> Iterator[AnimeDetails | None]:
    """Yield what one service knows of these; None at the end if it could not be asked for all."""
    for start in range(0, len(anime_ids), service.batch_size):
        try:
            service.circuit_breaker.raise_if_open()
            yield from service.read(anime_ids[start : start + service.batch_size], deadline)
        except (CircuitOpen, ListError) as error:
            _record_failure(service, error)
            yield None
            return
        service.circuit_breaker.record_outcome(failed=False)


def _record_failure(service: DetailsClient, error: CircuitOpen | ListError) -> None:
    if isinstance(error, SourceDown):
        service.circuit_breaker.record_outcome(failed=error.trouble is not Trouble.MALFORMED)
        log.warning("no details from %s: %s", service.client.source, error.detail)
    elif isinstance(error, RateLimited):
        log.info("no details from %s for a while", service.client.source)


def _merge_details(first: AnimeDetails, second: AnimeDetails) -> AnimeDetails:
    """Complete what the first does not say by the second."""
    links = second if first.streaming is None else first
    return AnimeDetails(
        first.anime_id,
        first.picture or second.picture,
        first.synopsis or second.synopsis,
        links.trailer,
        links.streaming,
    )


def _cache_key(anime_id: int) -> str:
    return f"details-{anime_id}"
