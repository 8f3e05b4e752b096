"""Which sources there are, and what each needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from app.lists.guarded_reader import GuardedReader, ServiceGuard
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
        return [each.reader.channel for each in self.lists.readers] if self.lists else []

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
    builder = _ListCacheBuilder(service_clients, on_details)
    mal = ListSource(
        slug=myanimelist.SLUG,
        name=myanimelist.NAME,
        lists=builder.build_mal(),
        list_url_template="https://myanimelist.net/animelist/{username}",
        username_rule=myanimelist.USERNAME_RULE,
        sign_in=builder.build_mal_sign_in(),
        channel_names=_MAL_CHANNEL_NAMES,
    )
    by_jikan = replace(
        mal,
        slug=jikan.SLUG,
        name=jikan.NAME,
        lists=builder.build_jikan(),
        username_rule=jikan.USERNAME_RULE,
        show_in_forms=service_clients.settings.jikan_url is not None,
        sign_in=None,
        channel_names={},
    )
    sources = [
        mal,
        ListSource(
            slug=anilist.SLUG,
            name=anilist.NAME,
            lists=builder.build_anilist(anilist_to_mal),
            list_url_template="https://anilist.co/user/{username}/animelist",
            username_rule=anilist.USERNAME_RULE,
            sign_in=builder.build_anilist_sign_in(),
        ),
        ListSource(
            slug=kitsu.SLUG,
            name=kitsu.NAME,
            # Empty until there is a model, and then not.
            lists=builder.build_kitsu({} if kitsu_to_mal is None else kitsu_to_mal),
            list_url_template="https://kitsu.app/users/{username}/library?media=anime",
            username_rule=kitsu.USERNAME_RULE,
        ),
        ListSource(
            slug=shikimori.SLUG,
            name=shikimori.NAME,
            lists=builder.build_shikimori(),
            list_url_template="https://shikimori.io/{username}/list/anime",
            username_rule=shikimori.USERNAME_RULE,
        ),
        by_jikan,
    ]
    # What cannot be used is still known, so that it can say so.
    sources.sort(key=lambda source: source.lists is None)
    return {source.slug: source for source in sources}


def normalize_base_url(url: str, default_path: str) -> str:
    """Strip the slash from a base address, and give a bare host the usual path."""
    bare = url.rstrip("/")
    return bare if urlsplit(bare).path else bare + default_path


class _ListCacheBuilder:
    """Makes the readers that the settings allow, and a cache over each."""

    def __init__(
        self, service_clients: ServiceClients, on_details: Callable[[Sequence[AnimeDetails]], None]
    ) -> None:
        self._settings = service_clients.settings
        self._clients = service_clients
        self._on_details = on_details
        storage, ttl = self._settings.shared_storage, self._settings.cache_ttl
        self._store = TtlStore(storage, LIST_STORE, ttl.max_ttl)
        self._single_flight = SingleFlight(storage)

    def build_mal(self) -> ListCache | None:
        """Return all ways to MyAnimeList that are open, the operator's own first; None for none."""
        settings, readers = self._settings, []
        if settings.mal_client_id:
            url = normalize_base_url(settings.mal_url, "/v2")
            options = self._options(myanimelist.NAME, "mal", url)
            reader = myanimelist.MalReader(client_id=settings.mal_client_id, **options)
            readers.append(self._guarded(reader, "mal"))
        if by_jikan := self._jikan_reader(myanimelist.NAME, myanimelist.SLUG):
            readers.append(by_jikan)
        if settings.mal_web:
            patience = myanimelist.PAGES_SECONDS
            limits = replace(settings.http_limits, max_throttle_wait=patience)
            url = settings.mal_web_url.rstrip("/")
            options = self._options(myanimelist.NAME, "mal-pages", url, limits)
            options["deadline_s"] = max(settings.deadline_s, patience)
            readers.append(self._guarded(myanimelist.MalPagesReader(**options), "mal-pages"))
        return self._cache(myanimelist.SLUG, *readers) if readers else None

    def build_anilist(self, anilist_to_mal: Mapping[int, int]) -> ListCache:
        """AniList's, with the ids that it does not know itself."""
        options = self._options(anilist.NAME, "anilist", self._settings.anilist_url)
        reader = anilist.AniListReader(
            anilist_to_mal=anilist_to_mal, public_url=self._settings.public_url, **options
        )
        return self._cache(anilist.SLUG, self._guarded(reader, "anilist"))

    def build_kitsu(self, kitsu_to_mal: Mapping[int, int]) -> ListCache:
        """Kitsu's, with the ids that it does not know itself."""
        url = normalize_base_url(self._settings.kitsu_url, "/api/edge")
        options = self._options(kitsu.NAME, "kitsu", url)
        reader = kitsu.KitsuReader(kitsu_to_mal=kitsu_to_mal, **options)
        return self._cache(kitsu.SLUG, self._guarded(reader, "kitsu"))

    def build_shikimori(self) -> ListCache:
        """Shikimori's."""
        url = normalize_base_url(self._settings.shikimori_url, "/api")
        options = self._options(shikimori.NAME, "shikimori", url)
        reader = shikimori.ShikimoriReader(**options)
        return self._cache(shikimori.SLUG, self._guarded(reader, "shikimori"))

    def build_jikan(self) -> ListCache | None:
        """Those of the operator's Jikan; None where there is none."""
        reader = self._jikan_reader(jikan.NAME, jikan.SLUG)
        return self._cache(jikan.SLUG, reader) if reader else None

    def build_mal_sign_in(self) -> SignIn | None:
        """MyAnimeList's; None where the operator has not registered there."""
        settings = self._settings
        if not settings.mal_client_id or not settings.mal_client_secret:
            return None
        api_url = normalize_base_url(settings.mal_url, "/v2")
        web_url = settings.mal_web_url.rstrip("/")
        return MalSignIn(
            website=self._guarded_client(myanimelist.NAME, "mal-sign-in", web_url),
            web_url=web_url,
            api=self._guarded_client(myanimelist.NAME, "mal", api_url),
            api_url=api_url,
            client_id=settings.mal_client_id,
            client_secret=settings.mal_client_secret,
        )

    def build_anilist_sign_in(self) -> SignIn | None:
        """AniList's; None where the operator has not registered there."""
        settings = self._settings
        if not settings.anilist_client_id or not settings.anilist_client_secret:
            return None
        web_url = settings.anilist_web_url.rstrip("/")
        return AniListSignIn(
            website=self._guarded_client(anilist.NAME, "anilist-sign-in", web_url),
            web_url=web_url,
            api=self._guarded_client(anilist.NAME, "anilist", settings.anilist_url),
            api_url=settings.anilist_url,
            client_id=settings.anilist_client_id,
            client_secret=settings.anilist_client_secret,
            public_url=settings.public_url,
        )

    def _guarded_client(self, name: str, service: str, url: str) -> GuardedClient:
        """Ask for what must not be asked twice."""
        limits = replace(self._settings.http_limits, max_retries=0)
        client = self._clients.client(name, service, url, limits)
        return GuardedClient(client, self._guard(name, service, url), self._settings.deadline_s)

    def _jikan_reader(self, name: str, slug: str) -> GuardedReader | None:
        """Read from the operator's Jikan, for itself or in another source's place."""
        if not self._settings.jikan_url:
            return None
        url = normalize_base_url(self._settings.jikan_url, "/v4")
        reader = jikan.JikanReader(slug=slug, **self._options(name, "jikan", url))
        return self._guarded(reader, "jikan")

    def _options(
        self, name: str, service: str, url: str, limits: HttpLimits | None = None
    ) -> dict[str, Any]:
        """Return what every reader needs; errors name the source ``name``."""
        return {
            "client": self._clients.client(name, service, url, limits),
            "base_url": url,
            "max_entries": self._settings.max_entries,
            "deadline_s": self._settings.deadline_s,
        }

    def _guarded(self, reader: ListReader, service: str) -> GuardedReader:
        guard = self._guard(reader.client.source, service, reader.base_url)
        return GuardedReader(reader, guard)

    def _guard(self, name: str, service: str, url: str) -> ServiceGuard:
        breaker = self._clients.circuit_breaker(service, url)
        return ServiceGuard(name, breaker, self._clients.semaphore(service, url))

    def _cache(self, slug: str, *readers: GuardedReader) -> ListCache:
        addresses = (each.reader.base_url for each in readers)
        return ListCache(
            readers,
            " ".join((slug, *addresses)),
            self._store,
            self._single_flight,
            self._settings.cache_ttl,
            self._on_details,
            self._clients.waiting,
        )
