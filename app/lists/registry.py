"""Which sources there are, and what each needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from app.lists import anilist, jikan, kitsu, mal_pages, myanimelist, shikimori
from app.lists.entry import Details, FanList
from app.lists.errors import NotSetUp
from app.lists.http import Limits
from app.lists.memory import ListMemory
from app.lists.progress import Report, unreported
from app.lists.services import Services
from app.lists.usernames import NameRule
from app.upstream import Flights, Store

SLUGS = (myanimelist.SLUG, anilist.SLUG, kitsu.SLUG, shikimori.SLUG, jikan.SLUG)
"""Every source that there may be, whether it is set up or not."""

MAL_PAGES_DEADLINE = 60.0
"""Seconds for a list from MyAnimeList's pages, which are asked one every two seconds."""


class Fetch(Protocol):
    """How a list is asked for."""

    def __call__(self, typed: str, report: Report = unreported, /) -> FanList:
        """The list of whom the fan typed."""


@dataclass(frozen=True, slots=True)
class Source:
    """One service that lists can be fetched from.

    ``slug`` names it in addresses, ``name`` to fans. ``fetch`` takes what the fan typed, and
    optionally whom to tell how far it has come, and returns the list or raises a ``ListError``; it
    may be called from many threads. ``profile_pattern`` and ``list_pattern`` are addresses with
    ``{username}`` in them; ``names`` reads names out of such addresses. ``offered`` says whether
    forms should name it.
    """

    slug: str
    name: str
    fetch: Fetch
    profile_pattern: str
    list_pattern: str
    names: NameRule
    offered: bool = True

    def profile_link(self, username: str) -> str:
        """The fan's page on the service."""
        return self.profile_pattern.format(username=quote(username, safe=""))

    def list_link(self, username: str) -> str:
        """The fan's anime list on the service."""
        return self.list_pattern.format(username=quote(username, safe=""))


def build_sources(
    services: Services,
    *,
    anilist_to_mal: Mapping[int, int],
    kitsu_to_mal: Mapping[int, int] | None = None,
    learn: Callable[[Sequence[Details]], None] = lambda _: None,
) -> dict[str, Source]:
    """All sources by slug; those that can be used come first, in the order to offer them.

    ``anilist_to_mal`` and ``kitsu_to_mal`` map those sites' anime ids to MyAnimeList's. ``learn``
    is given the details that come along with lists.
    """
    settings = services.settings
    make = _Maker(services, learn)
    jikan_url = base_address(settings.jikan_url, "/v4") if settings.jikan_url else None
    by_mal_name = make.for_mal_names(jikan_url)
    found = [
        _mal(by_mal_name) if by_mal_name else None,
        Source(
            slug=anilist.SLUG,
            name=anilist.NAME,
            fetch=make.fetcher(
                anilist.fetch,
                anilist.NAMES,
                "anilist",
                settings.anilist_url,
                anilist_to_mal=anilist_to_mal,
                public_url=settings.public_url,
            ),
            profile_pattern="https://anilist.co/user/{username}/",
            list_pattern="https://anilist.co/user/{username}/animelist",
            names=anilist.NAMES,
        ),
        Source(
            slug=kitsu.SLUG,
            name=kitsu.NAME,
            fetch=make.fetcher(
                kitsu.fetch,
                kitsu.NAMES,
                "kitsu",
                base_address(settings.kitsu_url, "/api/edge"),
                kitsu_to_mal={} if kitsu_to_mal is None else kitsu_to_mal,
            ),
            profile_pattern="https://kitsu.app/users/{username}",
            list_pattern="https://kitsu.app/users/{username}/library?media=anime",
            names=kitsu.NAMES,
        ),
        Source(
            slug=shikimori.SLUG,
            name=shikimori.NAME,
            fetch=make.fetcher(
                shikimori.fetch,
                shikimori.NAMES,
                "shikimori",
                base_address(settings.shikimori_url, "/api"),
            ),
            profile_pattern="https://shikimori.io/{username}",
            list_pattern="https://shikimori.io/{username}/list/anime",
            names=shikimori.NAMES,
        ),
        _jikan(make.fetcher(jikan.fetch, jikan.NAMES, "jikan", jikan_url), offered=True)
        if jikan_url
        else None,
        # What cannot be used is still known, so that it can say so.
        None if by_mal_name else _mal(_not_set_up(myanimelist.NAME)),
        None if jikan_url else _jikan(_not_set_up(jikan.NAME), offered=False),
    ]
    return {source.slug: source for source in found if source is not None}


def base_address(url: str, usual_path: str) -> str:
    """A base address without a slash at its end; one that is a bare host gets the usual path."""
    bare = url.rstrip("/")
    return bare if urlsplit(bare).path else bare + usual_path


class _Maker:
    """Ties a module's ``fetch`` to its client, its limits and the memory of lists."""

    def __init__(self, services: Services, learn: Callable[[Sequence[Details]], None]) -> None:
        self._settings = services.settings
        self._services = services
        shared = services.settings.shared
        spans = services.settings.spans
        store, flights = Store(shared, "lists", spans.longest), Flights(shared)
        self._memory = ListMemory(store, flights, spans, learn)

    def for_mal_names(self, jikan_url: str | None) -> Fetch | None:
        """The best way to a list on MyAnimeList that the operator made possible; None for none."""
        settings, names = self._settings, myanimelist.NAMES
        if settings.mal_client_id:
            url = base_address(settings.mal_url, "/v2")
            client_id = settings.mal_client_id
            return self.fetcher(myanimelist.fetch, names, "mal", url, client_id=client_id)
        if settings.mal_web:
            url = settings.mal_web_url.rstrip("/")
            return self.fetcher(
                mal_pages.fetch,
                names,
                "mal-pages",
                url,
                deadline_s=max(settings.deadline_s, MAL_PAGES_DEADLINE),
                limits=replace(settings.limits, turn=MAL_PAGES_DEADLINE),
            )
        if jikan_url:
            return self.fetcher(jikan.fetch, names, "jikan", jikan_url, slug=myanimelist.SLUG)
        return None

    def fetcher(
        self,
        fetch: Callable[..., FanList],
        names: NameRule,
        service: str,
        url: str,
        *,
        deadline_s: float | None = None,
        limits: Limits | None = None,
        **more: Any,
    ) -> Fetch:
        """``fetch`` for whatever a fan types, politely, once for all who ask, and remembered."""
        settings = self._settings
        deadline = deadline_s or settings.deadline_s
        asking = partial(
            fetch,
            client=self._services.client(names.source, service, url, limits),
            base_url=url,
            max_entries=settings.max_entries,
            deadline_s=deadline,
            **more,
        )

        def remembered(typed: str, report: Report = unreported, /) -> FanList:
            return self._memory.fetch(
                partial(asking, report=report),
                names.clean(typed),
                source=names.source,
                place=f"{more.get('slug', '')} {service} {url}",
                breaker=self._services.breaker(service, url),
                room=self._services.room(service, url),
                deadline_s=deadline,
                report=report,
            )

        return remembered


def _not_set_up(name: str) -> Fetch:
    def refuse(_typed: str, _report: Report = unreported, /) -> FanList:
        raise NotSetUp(source=name)

    return refuse


def _mal(fetch: Fetch) -> Source:
    return Source(
        slug=myanimelist.SLUG,
        name=myanimelist.NAME,
        fetch=fetch,
        profile_pattern="https://myanimelist.net/profile/{username}",
        list_pattern="https://myanimelist.net/animelist/{username}",
        names=myanimelist.NAMES,
    )


def _jikan(fetch: Fetch, *, offered: bool) -> Source:
    return replace(
        _mal(fetch), slug=jikan.SLUG, name=jikan.NAME, names=jikan.NAMES, offered=offered
    )
