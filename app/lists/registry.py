"""Which sources there are, and what each needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any, Final
from urllib.parse import quote, urlsplit

from app.lists import anilist, jikan, kitsu, myanimelist, shikimori
from app.lists.entry import (
    AnimeDetails,
    AnimeList,
    ListChannel,
    ListProgressCallback,
    ignore_progress,
)
from app.lists.errors import SourceNotConfigured
from app.lists.http_client import HttpLimits
from app.lists.list_cache import ListCache
from app.lists.reader import ListReader
from app.lists.service_clients import ServiceClients
from app.lists.sign_in import AniListSignIn, GuardedClient, MalSignIn, SignIn
from app.lists.usernames import UsernameRule
from app.translation import gettext, mark
from app.upstream import SingleFlight, TtlStore
from app.upstream.ttl_store import LIST_STORE

SOURCE_SLUGS: Final = (myanimelist.SLUG, anilist.SLUG, kitsu.SLUG, shikimori.SLUG, jikan.SLUG)
"""Every source that there may be, whether it is set up or not."""

MAL_LIST_URL: Final = "https://myanimelist.net/animelist/{username}"
_MAL_CHANNEL_NAMES: Final = {
    ListChannel.API: mark("MyAnimeList’s API"),
    ListChannel.LIST_PAGES: mark("MyAnimeList’s list pages"),
    ListChannel.JIKAN: mark("MyAnimeList by way of Jikan"),
}


@dataclass(frozen=True, slots=True)
class ListSource:
    """One service that lists can be fetched from.

    ``slug`` names it in addresses, ``name`` to users. ``list_url_template`` has ``{username}`` in
    it; ``username_rule`` reads names out of such addresses. ``lists`` is None where the operator
    has not given what the source needs, ``sign_in`` where fans cannot sign in. ``show_in_forms``
    says whether forms should name it. ``channel_names`` are for sources that have several ways.
    """

    slug: str
    name: str
    lists: ListCache | None
    list_url_template: str
    username_rule: UsernameRule
    show_in_forms: bool = True
    sign_in: SignIn | None = None
    channel_names: Mapping[ListChannel, str] = field(default_factory=dict)

    @property
    def channels(self) -> list[ListChannel]:
        """What lists are read from here, the preferred first; empty where there is no way."""
        return [each.channel for each in self.lists.readers] if self.lists else []

    def describe_channel(self, channel: ListChannel | None) -> str:
        """Say what a list was read from."""
        return self.name if channel is None else gettext(self.channel_names.get(channel, self.name))

    def fetch(
        self,
        typed: str,
        on_progress: ListProgressCallback = ignore_progress,
        token: str | None = None,
    ) -> AnimeList:
        """Return the list of the user who was typed or pasted; may be called from many threads.

        With the user's own ``token`` it may be private, and is not remembered. Raises ListError:
        whatever can go wrong with a list (`app.lists.errors`).
        """
        if self.lists is None:
            raise SourceNotConfigured(source=self.name)
        if token is not None:
            return self.lists.read_private(typed, token, on_progress)
        return self.lists.get_or_read(typed, on_progress)

    def list_url(self, username: str) -> str:
        """Return the user's anime list on the service."""
        return self.list_url_template.format(username=quote(username, safe=""))


def build_list_sources(
    service_clients: ServiceClients,
    *,
    anilist_to_mal: Mapping[int, int],
    kitsu_to_mal: Mapping[int, int] | None = None,
    on_details: Callable[[Sequence[AnimeDetails]], None] = lambda _: None,
) -> dict[str, ListSource]:
    """All sources by slug; those that can be used come first, in the order to offer them.

    ``anilist_to_mal`` and ``kitsu_to_mal`` map those sites' anime ids to MyAnimeList's.
    ``on_details`` is given the details that come along with lists.
    """
    settings = service_clients.settings
    builder = _SourceBuilder(service_clients, on_details)
    anilist_reader = builder.reader(
        anilist.AniListReader,
        anilist.NAME,
        "anilist",
        settings.anilist_url,
        anilist_to_mal=anilist_to_mal,
        public_url=settings.public_url,
    )
    kitsu_reader = builder.reader(
        kitsu.KitsuReader,
        kitsu.NAME,
        "kitsu",
        normalize_base_url(settings.kitsu_url, "/api/edge"),
        # Empty until there is a model, and then not.
        kitsu_to_mal={} if kitsu_to_mal is None else kitsu_to_mal,
    )
    shikimori_reader = builder.reader(
        shikimori.ShikimoriReader,
        shikimori.NAME,
        "shikimori",
        normalize_base_url(settings.shikimori_url, "/api"),
    )
    sources = [
        builder.source(
            myanimelist,
            builder.mal_readers(),
            MAL_LIST_URL,
            sign_in=builder.mal_sign_in(),
            channel_names=_MAL_CHANNEL_NAMES,
        ),
        builder.source(
            anilist,
            [anilist_reader],
            "https://anilist.co/user/{username}/animelist",
            sign_in=builder.anilist_sign_in(),
        ),
        builder.source(
            kitsu, [kitsu_reader], "https://kitsu.app/users/{username}/library?media=anime"
        ),
        builder.source(shikimori, [shikimori_reader], "https://shikimori.io/{username}/list/anime"),
        builder.source(
            jikan,
            builder.jikan_readers(jikan),
            MAL_LIST_URL,
            show_in_forms=settings.jikan_url is not None,
        ),
    ]
    # What cannot be used is still known, so that it can say so.
    sources.sort(key=lambda source: source.lists is None)
    return {source.slug: source for source in sources}


def normalize_base_url(url: str, default_path: str) -> str:
    """Strip the slash from a base address, and give a bare host the usual path."""
    bare = url.rstrip("/")
    return bare if urlsplit(bare).path else bare + default_path


class _SourceBuilder:
    """Makes sources and their readers, which share what they ask services with."""

    def __init__(
        self, service_clients: ServiceClients, on_details: Callable[[Sequence[AnimeDetails]], None]
    ) -> None:
        self._settings = service_clients.settings
        self._clients = service_clients
        self._on_details = on_details
        storage, ttl = self._settings.shared_storage, self._settings.cache_ttl
        self._store = TtlStore(storage, LIST_STORE, ttl.max_ttl)
        self._single_flight = SingleFlight(storage)

    def source(
        self, site: ModuleType, readers: Iterable[ListReader], list_url_template: str, **own: Any
    ) -> ListSource:
        """Return the source of a site, which its module names; there may be no ``readers``."""
        cache = ListCache(
            readers := tuple(readers),
            " ".join((site.SLUG, *(reader.base_url for reader in readers))),
            self._store,
            self._single_flight,
            self._settings.cache_ttl,
            self._on_details,
            self._clients.waiting,
        )
        return ListSource(
            slug=site.SLUG,
            name=site.NAME,
            lists=cache if readers else None,
            list_url_template=list_url_template,
            username_rule=site.USERNAME_RULE,
            **own,
        )

    def reader(
        self,
        kind: type[ListReader],
        name: str,
        service: str,
        url: str,
        limits: HttpLimits | None = None,
        **own: Any,
    ) -> ListReader:
        """Return a reader of ``service`` at ``url``; errors name the source ``name``."""
        own.setdefault("deadline_s", self._settings.deadline_s)
        return kind(
            client=self._clients.client(name, service, url, limits),
            guard=self._clients.guard(name, service, url),
            base_url=url,
            max_entries=self._settings.max_entries,
            **own,
        )

    def mal_readers(self) -> Iterator[ListReader]:
        """Yield all ways to MyAnimeList that are open, the operator's own first."""
        settings, name = self._settings, myanimelist.NAME
        if key := settings.mal_client_id:
            url = normalize_base_url(settings.mal_url, "/v2")
            yield self.reader(myanimelist.MalReader, name, "mal", url, client_id=key)
        yield from self.jikan_readers(myanimelist)
        if settings.mal_web:
            patience = myanimelist.PAGES_SECONDS
            yield self.reader(
                myanimelist.MalPagesReader,
                name,
                "mal-pages",
                settings.mal_web_url.rstrip("/"),
                replace(settings.http_limits, max_throttle_wait=patience),
                deadline_s=max(settings.deadline_s, patience),
            )

    def jikan_readers(self, site: ModuleType) -> Iterator[ListReader]:
        """Yield that of the operator's Jikan, if there is one, in the place of ``site``."""
        if self._settings.jikan_url:
            url = normalize_base_url(self._settings.jikan_url, "/v4")
            yield self.reader(jikan.JikanReader, site.NAME, "jikan", url, slug=site.SLUG)

    def mal_sign_in(self) -> SignIn | None:
        """MyAnimeList's; None where the operator has not registered there."""
        settings = self._settings
        return self._sign_in(
            MalSignIn,
            myanimelist.NAME,
            "mal",
            normalize_base_url(settings.mal_url, "/v2"),
            settings.mal_web_url.rstrip("/"),
            client_id=settings.mal_client_id,
            client_secret=settings.mal_client_secret,
        )

    def anilist_sign_in(self) -> SignIn | None:
        """AniList's; None where the operator has not registered there."""
        settings = self._settings
        return self._sign_in(
            AniListSignIn,
            anilist.NAME,
            "anilist",
            settings.anilist_url,
            settings.anilist_web_url.rstrip("/"),
            client_id=settings.anilist_client_id,
            client_secret=settings.anilist_client_secret,
            public_url=settings.public_url,
        )

    def _sign_in(
        self, kind: type[SignIn], name: str, service: str, api_url: str, web_url: str, **own: Any
    ) -> SignIn | None:
        if not own["client_id"] or not own["client_secret"]:
            return None
        return kind(
            website=self._guarded_client(name, f"{service}-sign-in", web_url),
            web_url=web_url,
            api=self._guarded_client(name, service, api_url),
            api_url=api_url,
            **own,
        )

    def _guarded_client(self, name: str, service: str, url: str) -> GuardedClient:
        """Ask for what must not be asked twice."""
        limits = replace(self._settings.http_limits, max_retries=0)
        client = self._clients.client(name, service, url, limits)
        guard = self._clients.guard(name, service, url)
        return GuardedClient(client, guard, self._settings.deadline_s)
