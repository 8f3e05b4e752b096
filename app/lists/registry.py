"""Which sources there are, and what each needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from app.lists import anilist, jikan, kitsu, mal_pages, myanimelist, shikimori
from app.lists.entry import AnimeDetails, AnimeList
from app.lists.errors import SourceNotConfigured
from app.lists.http_client import HttpLimits
from app.lists.list_cache import ListCache
from app.lists.progress import ListProgressCallback, ignore_progress
from app.lists.service_clients import ServiceClients
from app.lists.usernames import UsernameRule
from app.upstream import SingleFlight, TtlStore

SOURCE_SLUGS = (myanimelist.SLUG, anilist.SLUG, kitsu.SLUG, shikimori.SLUG, jikan.SLUG)
"""Every source that there may be, whether it is set up or not."""

MAL_PAGES_DEADLINE = 60.0
"""Seconds for a list from MyAnimeList's pages, which are asked one every two seconds."""


class ListFetcher(Protocol):
    """How a list is asked for."""

    def __call__(
        self, typed: str, on_progress: ListProgressCallback = ignore_progress, /
    ) -> AnimeList:
        """The list of whom the fan typed."""


@dataclass(frozen=True, slots=True)
class ListSource:
    """One service that lists can be fetched from.

    ``slug`` names it in addresses, ``name`` to fans. ``fetch`` takes what the fan typed, and
    optionally whom to tell how far it has come, and returns the list or raises a ``ListError``; it
    may be called from many threads. ``profile_pattern`` and ``list_pattern`` are addresses with
    ``{username}`` in them; ``names`` reads names out of such addresses. ``offered`` says whether
    forms should name it.
    """

    slug: str
    name: str
    fetch: ListFetcher
    profile_url_template: str
    list_url_template: str
    username_rule: UsernameRule
    show_in_forms: bool = True

    def profile_url(self, username: str) -> str:
        """The fan's page on the service."""
        return self.profile_url_template.format(username=quote(username, safe=""))

    def list_url(self, username: str) -> str:
        """The fan's anime list on the service."""
        return self.list_url_template.format(username=quote(username, safe=""))


def build_list_sources(
    service_clients: ServiceClients,
    *,
    anilist_to_mal: Mapping[int, int],
    kitsu_to_mal: Mapping[int, int] | None = None,
    on_details: Callable[[Sequence[AnimeDetails]], None] = lambda _: None,
) -> dict[str, ListSource]:
    """All sources by slug; those that can be used come first, in the order to offer them.

    ``anilist_to_mal`` and ``kitsu_to_mal`` map those sites' anime ids to MyAnimeList's. ``learn``
    is given the details that come along with lists.
    """
    settings = service_clients.settings
    factory = _FetcherFactory(service_clients, on_details)
    jikan_url = normalize_base_url(settings.jikan_url, "/v4") if settings.jikan_url else None
    by_mal_name = factory.mal_fetcher(jikan_url)
    found = [
        _mal_source(by_mal_name) if by_mal_name else None,
        ListSource(
            slug=anilist.SLUG,
            name=anilist.NAME,
            fetch=factory.create_fetcher(
                anilist.fetch_anime_list,
                anilist.USERNAME_RULE,
                "anilist",
                settings.anilist_url,
                anilist_to_mal=anilist_to_mal,
                public_url=settings.public_url,
            ),
            profile_url_template="https://anilist.co/user/{username}/",
            list_url_template="https://anilist.co/user/{username}/animelist",
            username_rule=anilist.USERNAME_RULE,
        ),
        ListSource(
            slug=kitsu.SLUG,
            name=kitsu.NAME,
            fetch=factory.create_fetcher(
                kitsu.fetch_anime_list,
                kitsu.USERNAME_RULE,
                "kitsu",
                normalize_base_url(settings.kitsu_url, "/api/edge"),
                kitsu_to_mal={} if kitsu_to_mal is None else kitsu_to_mal,
            ),
            profile_url_template="https://kitsu.app/users/{username}",
            list_url_template="https://kitsu.app/users/{username}/library?media=anime",
            username_rule=kitsu.USERNAME_RULE,
        ),
        ListSource(
            slug=shikimori.SLUG,
            name=shikimori.NAME,
            fetch=factory.create_fetcher(
                shikimori.fetch_anime_list,
                shikimori.USERNAME_RULE,
                "shikimori",
                normalize_base_url(settings.shikimori_url, "/api"),
            ),
            profile_url_template="https://shikimori.io/{username}",
            list_url_template="https://shikimori.io/{username}/list/anime",
            username_rule=shikimori.USERNAME_RULE,
        ),
        _jikan_source(
            factory.create_fetcher(jikan.fetch_anime_list, jikan.USERNAME_RULE, "jikan", jikan_url),
            show_in_forms=True,
        )
        if jikan_url
        else None,
        # What cannot be used is still known, so that it can say so.
        None if by_mal_name else _mal_source(_unconfigured_fetcher(myanimelist.NAME)),
        None
        if jikan_url
        else _jikan_source(_unconfigured_fetcher(jikan.NAME), show_in_forms=False),
    ]
    return {source.slug: source for source in found if source is not None}


def normalize_base_url(url: str, default_path: str) -> str:
    """A base address without a slash at its end; one that is a bare host gets the usual path."""
    bare = url.rstrip("/")
    return bare if urlsplit(bare).path else bare + default_path


class _FetcherFactory:
    """Ties a module's ``fetch`` to its client, its limits and the memory of lists."""

    def __init__(
        self, service_clients: ServiceClients, on_details: Callable[[Sequence[AnimeDetails]], None]
    ) -> None:
        self._settings = service_clients.settings
        self._clients = service_clients
        shared = service_clients.settings.shared_storage
        spans = service_clients.settings.cache_ttl
        store, flights = TtlStore(shared, "lists", spans.max_ttl), SingleFlight(shared)
        self._list_cache = ListCache(store, flights, spans, on_details)

    def mal_fetcher(self, jikan_url: str | None) -> ListFetcher | None:
        """The best way to a list on MyAnimeList that the operator made possible; None for none."""
        settings, names = self._settings, myanimelist.USERNAME_RULE
        if settings.mal_client_id:
            url = normalize_base_url(settings.mal_url, "/v2")
            client_id = settings.mal_client_id
            return self.create_fetcher(
                myanimelist.fetch_anime_list, names, "mal", url, client_id=client_id
            )
        if settings.mal_web:
            url = settings.mal_web_url.rstrip("/")
            return self.create_fetcher(
                mal_pages.fetch_anime_list,
                names,
                "mal-pages",
                url,
                deadline_s=max(settings.deadline_s, MAL_PAGES_DEADLINE),
                limits=replace(settings.http_limits, max_throttle_wait=MAL_PAGES_DEADLINE),
            )
        if jikan_url:
            return self.create_fetcher(
                jikan.fetch_anime_list, names, "jikan", jikan_url, slug=myanimelist.SLUG
            )
        return None

    def create_fetcher(
        self,
        fetch: Callable[..., AnimeList],
        username_rule: UsernameRule,
        service: str,
        url: str,
        *,
        deadline_s: float | None = None,
        limits: HttpLimits | None = None,
        **options: Any,
    ) -> ListFetcher:
        """``fetch`` for whatever a fan types, politely, once for all who ask, and remembered."""
        settings = self._settings
        deadline = deadline_s or settings.deadline_s
        fetch_list = partial(
            fetch,
            client=self._clients.client(username_rule.source, service, url, limits),
            base_url=url,
            max_entries=settings.max_entries,
            deadline_s=deadline,
            **options,
        )

        def fetch_cached(
            typed: str, on_progress: ListProgressCallback = ignore_progress, /
        ) -> AnimeList:
            return self._list_cache.get_or_fetch(
                partial(fetch_list, on_progress=on_progress),
                username_rule.clean_username(typed),
                source=username_rule.source,
                service_key=f"{options.get('slug', '')} {service} {url}",
                circuit_breaker=self._clients.circuit_breaker(service, url),
                semaphore=self._clients.semaphore(service, url),
                deadline_s=deadline,
                on_progress=on_progress,
            )

        return fetch_cached


def _unconfigured_fetcher(name: str) -> ListFetcher:
    def raise_not_configured(
        _typed: str, _on_progress: ListProgressCallback = ignore_progress, /
    ) -> AnimeList:
        raise SourceNotConfigured(source=name)

    return raise_not_configured


def _mal_source(fetch: ListFetcher) -> ListSource:
    return ListSource(
        slug=myanimelist.SLUG,
        name=myanimelist.NAME,
        fetch=fetch,
        profile_url_template="https://myanimelist.net/profile/{username}",
        list_url_template="https://myanimelist.net/animelist/{username}",
        username_rule=myanimelist.USERNAME_RULE,
    )


def _jikan_source(fetch: ListFetcher, *, show_in_forms: bool) -> ListSource:
    return replace(
        _mal_source(fetch),
        slug=jikan.SLUG,
        name=jikan.NAME,
        username_rule=jikan.USERNAME_RULE,
        show_in_forms=show_in_forms,
    )
