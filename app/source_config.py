"""What the settings say to those who ask the services that lists come from."""

from __future__ import annotations

from app.lists import RATE_LIMITS, CacheTtl, HttpLimits, SourceSettings
from app.settings import AppSettings, load_server_settings
from app.upstream import SharedStorage


def build_source_settings(
    settings: AppSettings, version: str, shared: SharedStorage | None = None
) -> SourceSettings:
    """Build them; ``shared`` stands in place of the folder that the workers share."""
    threads = load_server_settings().threads
    return SourceSettings(
        version=version,
        public_url=str(settings.public_url) if settings.public_url else None,
        mal_client_id=settings.mal_client_id,
        mal_client_secret=settings.mal_client_secret,
        mal_web=settings.mal_web,
        mal_url=str(settings.mal_url),
        mal_web_url=str(settings.mal_web_url),
        anilist_client_id=settings.anilist_client_id,
        anilist_client_secret=settings.anilist_client_secret,
        anilist_url=str(settings.anilist_url),
        anilist_web_url=str(settings.anilist_web_url),
        kitsu_url=str(settings.kitsu_url),
        jikan_url=str(settings.jikan_url) if settings.jikan_url else None,
        shikimori_url=str(settings.shikimori_url),
        max_entries=settings.max_list_length,
        deadline_s=settings.list_deadline,
        # Who gives a site longer gives its first byte longer, too.
        http_limits=HttpLimits(
            read_timeout=max(HttpLimits().read_timeout, settings.list_deadline / 2)
        ),
        # A site that does not answer keeps half of the threads at most.
        max_concurrent_requests=max(1, threads // 2),
        # All sites together, and those who read a list that somebody else waits for, three in four.
        max_waiting=max(1, threads - max(1, threads // 4)),
        rate_limits=RATE_LIMITS if settings.limits else {},
        # What is not remembered cannot stand in for anything.
        cache_ttl=CacheTtl(settings.list_cache, settings.list_stale if settings.list_cache else 0),
        shared_storage=shared or SharedStorage(settings.cache_dir, settings.cache_url),
    )
