"""Finds details: first on the shelf that all workers share, then service by service."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from pydantic import BaseModel, TypeAdapter, ValidationError

from app.details import anilist, jikan, mal
from app.lists.entry import AnimeDetails
from app.lists.errors import ListError, RateLimited, SourceDown
from app.lists.http_client import Deadline, SourceClient
from app.lists.registry import normalize_base_url
from app.lists.service_clients import ServiceClients
from app.observability.metrics import count_details_lookups
from app.upstream import CircuitOpen, ServiceBreaker, SingleFlight, TtlStore
from app.upstream.shared_storage import hashed_key

log = logging.getLogger(__name__)

DAY_SECONDS = 24 * 3600.0
FRESH_SECONDS, MAX_TTL = 3 * DAY_SECONDS, 30 * DAY_SECONDS
"""How long details are current, and how long they may stand in for services that are down."""
DEADLINE_SECONDS = 8.0
"""Seconds for one page's details. Nobody waits for them, but they occupy a thread."""
_MAX_THROTTLE_WAIT = 1.0

DetailsFetcher = Callable[[Sequence[int], Deadline], list[AnimeDetails]]


class _CachedDetails(BaseModel):
    at: float
    details: AnimeDetails


_CACHED_DETAILS_ADAPTER = TypeAdapter(_CachedDetails)


@dataclass(frozen=True, slots=True)
class DetailsSource:
    """One service that knows details, ``batch`` anime at a time."""

    name: str
    batch_size: int
    fetch: DetailsFetcher
    circuit_breaker: ServiceBreaker


@dataclass(frozen=True, slots=True)
class DetailsResult:
    """What was found; ``complete`` is False when asking again later may bring more."""

    details: tuple[AnimeDetails, ...]
    complete: bool


class DetailsCache:
    """All details that Hakken has come across lately."""

    def __init__(
        self, ttl_store: TtlStore, single_flight: SingleFlight, sources: Sequence[DetailsSource]
    ) -> None:
        self._ttl_store = ttl_store
        self._single_flight = single_flight
        self._sources = sources

    def store(self, details: Iterable[AnimeDetails]) -> None:
        """Keep details that came along with something else."""
        now = time.time()
        texts = {
            _cache_key(each.anime_id): _CACHED_DETAILS_ADAPTER.dump_json(
                _CachedDetails(at=now, details=each)
            ).decode()
            for each in details
        }
        self._ttl_store.set_many(texts, MAX_TTL)

    def get_details(self, anime_ids: Sequence[int]) -> DetailsResult:
        """Details of these anime, as far as they can be had in a few seconds."""
        wanted = sorted(set(anime_ids))
        found, missing = self._split_cached(wanted)
        count_details_lookups(wanted, found, missing)
        complete = True
        if missing and self._sources:
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
            tuple(each for each in ordered if each.picture or each.synopsis), complete
        )

    def _split_cached(self, anime_ids: Iterable[int]) -> tuple[dict[int, AnimeDetails], list[int]]:
        """What is on the shelf, old or not; and the ids of what should be asked for."""
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
                return _CACHED_DETAILS_ADAPTER.validate_json(text)
            except ValidationError:
                self._ttl_store.delete_many([_cache_key(anime_id)])  # written by another version
        return None

    def _fetch_missing(self, missing: Sequence[int], found: dict[int, AnimeDetails]) -> bool:
        """Put what the services know into ``found``; say whether all were asked for all."""
        deadline = Deadline(DEADLINE_SECONDS)
        remaining = list(missing)
        fetched: dict[int, AnimeDetails] = {}
        all_asked = True
        for source in self._sources:
            for details in _fetch_from_source(source, remaining, deadline):
                if details is None:
                    all_asked = False
                else:
                    fetched[details.anime_id] = _merge_details(
                        fetched.get(details.anime_id), details
                    )
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
    """The shelf over the services that these settings make possible, the best first.

    ``details_url`` is a host that speaks like Jikan 4.
    """
    settings = service_clients.settings
    limits = replace(settings.http_limits, max_throttle_wait=_MAX_THROTTLE_WAIT, max_retries=1)

    def client(name: str, service: str, url: str) -> SourceClient:
        return service_clients.client(name, service, url, limits)

    def source(
        name: str, service: str, url: str, batch: int, fetch: DetailsFetcher
    ) -> DetailsSource:
        return DetailsSource(name, batch, fetch, service_clients.circuit_breaker(service, url))

    url = settings.anilist_url
    asking: DetailsFetcher = partial(
        anilist.fetch_details,
        client=client("AniList", "anilist", url),
        base_url=url,
        public_url=settings.public_url,
    )
    sources = [source("AniList", "anilist", url, anilist.BATCH_SIZE, asking)]
    if settings.mal_client_id:
        url = normalize_base_url(settings.mal_url, "/v2")
        asking = partial(
            mal.fetch_details,
            client=client("MyAnimeList", "mal", url),
            base_url=url,
            client_id=settings.mal_client_id,
        )
        sources.append(source("MyAnimeList", "mal", url, mal.BATCH_SIZE, asking))
    if given := details_url or settings.jikan_url:
        url = normalize_base_url(given, "/v4")
        asking = partial(
            jikan.fetch_details, client=client("the details host", "jikan", url), base_url=url
        )
        sources.append(source("the details host", "jikan", url, jikan.BATCH_SIZE, asking))
    return DetailsCache(
        TtlStore(settings.shared_storage, "details"), SingleFlight(settings.shared_storage), sources
    )


def _fetch_from_source(
    source: DetailsSource, anime_ids: Sequence[int], deadline: Deadline
) -> Iterator[AnimeDetails | None]:
    """What one service knows of these; a None at the end when it could not be asked for all."""
    for start in range(0, len(anime_ids), source.batch_size):
        try:
            source.circuit_breaker.raise_if_open()
            yield from source.fetch(anime_ids[start : start + source.batch_size], deadline)
        except (CircuitOpen, ListError) as error:
            _record_failure(source, error)
            yield None
            return
        source.circuit_breaker.record_outcome(failed=False)


def _record_failure(source: DetailsSource, error: CircuitOpen | ListError) -> None:
    if isinstance(error, SourceDown):
        source.circuit_breaker.record_outcome(failed=not error.malformed)
        log.warning("no details from %s: %s", source.name, error.detail)
    elif isinstance(error, RateLimited):
        log.info("no details from %s for a while", source.name)


def _merge_details(first: AnimeDetails | None, second: AnimeDetails) -> AnimeDetails:
    if first is None:
        return second
    picture = first.picture or second.picture
    return AnimeDetails(first.anime_id, picture, first.synopsis or second.synopsis)


def _cache_key(anime_id: int) -> str:
    return f"anime-{anime_id}"
