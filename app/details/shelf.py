"""Finds details: first on the shelf that all workers share, then service by service."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from pydantic import BaseModel, TypeAdapter, ValidationError

from app.details import anilist, jikan, mal
from app.lists.entry import Details
from app.lists.errors import ListError, RateLimited, SourceDown
from app.lists.http import Deadline, SourceClient
from app.lists.registry import base_address
from app.lists.services import Services
from app.metrics import note_details
from app.upstream import Breaker, Flights, Resting, Store
from app.upstream.shared import key_of

log = logging.getLogger(__name__)

DAY = 24 * 3600.0
FRESH, KEPT = 3 * DAY, 30 * DAY
"""How long details are current, and how long they may stand in for services that are down."""
DEADLINE = 8.0
"""Seconds for one page's details. Nobody waits for them, but they occupy a thread."""
_TURN = 1.0

Fetch = Callable[[Sequence[int], Deadline], list[Details]]


class _Kept(BaseModel):
    at: float
    details: Details


_KEPT = TypeAdapter(_Kept)


@dataclass(frozen=True, slots=True)
class DetailSource:
    """One service that knows details, ``batch`` anime at a time."""

    name: str
    batch: int
    fetch: Fetch
    breaker: Breaker


@dataclass(frozen=True, slots=True)
class Found:
    """What was found; ``complete`` is False when asking again later may bring more."""

    details: tuple[Details, ...]
    complete: bool


class Shelf:
    """All details that Hakken has come across lately."""

    def __init__(self, store: Store, flights: Flights, sources: Sequence[DetailSource]) -> None:
        self._store = store
        self._flights = flights
        self._sources = sources

    def learn(self, details: Iterable[Details]) -> None:
        """Keep details that came along with something else."""
        now = time.time()
        texts = {
            _key(each.anime_id): _KEPT.dump_json(_Kept(at=now, details=each)).decode()
            for each in details
        }
        self._store.put(texts, KEPT)

    def find(self, anime_ids: Sequence[int]) -> Found:
        """Details of these anime, as far as they can be had in a few seconds."""
        wanted = sorted(set(anime_ids))
        found, missing = self._look(wanted)
        note_details(wanted, found, missing)
        complete = True
        if missing and self._sources:
            try:
                # Ten tabs with the same page are one request here, too.
                with self._flights.only(key_of("details", *map(str, missing)), DEADLINE):
                    found, missing = self._look(wanted)
                    complete = self._ask(missing, found)
            except TimeoutError:
                complete = False
        told = (found[anime_id] for anime_id in anime_ids if anime_id in found)
        return Found(tuple(each for each in told if each.picture or each.synopsis), complete)

    def _look(self, anime_ids: Iterable[int]) -> tuple[dict[int, Details], list[int]]:
        """What is on the shelf, old or not; and the ids of what should be asked for."""
        found: dict[int, Details] = {}
        missing: list[int] = []
        for anime_id in anime_ids:
            kept = self._read(anime_id)
            if kept is not None:
                found[anime_id] = kept.details
            if kept is None or time.time() - kept.at >= FRESH:
                missing.append(anime_id)
        return found, missing

    def _read(self, anime_id: int) -> _Kept | None:
        text = self._store.get(_key(anime_id))
        if text is not None:
            try:
                return _KEPT.validate_json(text)
            except ValidationError:
                self._store.forget([_key(anime_id)])  # written by another version
        return None

    def _ask(self, missing: Sequence[int], found: dict[int, Details]) -> bool:
        """Put what the services know into ``found``; say whether all were asked for all."""
        deadline = Deadline(DEADLINE)
        left = list(missing)
        learnt: dict[int, Details] = {}
        all_asked = True
        for source in self._sources:
            for details in _ask_one(source, left, deadline):
                if details is None:
                    all_asked = False
                else:
                    learnt[details.anime_id] = _joined(learnt.get(details.anime_id), details)
            left = [each for each in left if each not in learnt or not learnt[each].synopsis]
            if not left:
                break
        answered = not left or all_asked
        if answered:
            # That nobody knows anything is worth knowing, too.
            learnt |= {each: Details(each) for each in left if each not in learnt}
        learnt = {each: details for each, details in learnt.items() if each in set(missing)}
        self.learn(learnt.values())
        found |= learnt
        return answered


def build_shelf(services: Services, details_url: str | None) -> Shelf:
    """The shelf over the services that these settings make possible, the best first.

    ``details_url`` is a host that speaks like Jikan 4.
    """
    settings = services.settings
    limits = replace(settings.limits, turn=_TURN, retries=1)

    def client(name: str, service: str, url: str) -> SourceClient:
        return services.client(name, service, url, limits)

    def source(name: str, service: str, url: str, batch: int, fetch: Fetch) -> DetailSource:
        return DetailSource(name, batch, fetch, services.breaker(service, url))

    url = settings.anilist_url
    asking: Fetch = partial(
        anilist.fetch,
        client=client("AniList", "anilist", url),
        base_url=url,
        public_url=settings.public_url,
    )
    sources = [source("AniList", "anilist", url, anilist.BATCH, asking)]
    if settings.mal_client_id:
        url = base_address(settings.mal_url, "/v2")
        asking = partial(
            mal.fetch,
            client=client("MyAnimeList", "mal", url),
            base_url=url,
            client_id=settings.mal_client_id,
        )
        sources.append(source("MyAnimeList", "mal", url, mal.BATCH, asking))
    if given := details_url or settings.jikan_url:
        url = base_address(given, "/v4")
        asking = partial(jikan.fetch, client=client("the details host", "jikan", url), base_url=url)
        sources.append(source("the details host", "jikan", url, jikan.BATCH, asking))
    return Shelf(Store(settings.shared, "details"), Flights(settings.shared), sources)


def _ask_one(
    source: DetailSource, anime_ids: Sequence[int], deadline: Deadline
) -> Iterator[Details | None]:
    """What one service knows of these; a None at the end when it could not be asked for all."""
    for start in range(0, len(anime_ids), source.batch):
        try:
            source.breaker.check()
            yield from source.fetch(anime_ids[start : start + source.batch], deadline)
        except (Resting, ListError) as error:
            _note(source, error)
            yield None
            return
        source.breaker.report(failed=False)


def _note(source: DetailSource, error: Resting | ListError) -> None:
    if isinstance(error, SourceDown):
        source.breaker.report(failed=not error.malformed)
        log.warning("no details from %s: %s", source.name, error.detail)
    elif isinstance(error, RateLimited):
        log.info("no details from %s for a while", source.name)


def _joined(known: Details | None, more: Details) -> Details:
    if known is None:
        return more
    picture = known.picture or more.picture
    return Details(known.anime_id, picture, known.synopsis or more.synopsis)


def _key(anime_id: int) -> str:
    return f"anime-{anime_id}"
