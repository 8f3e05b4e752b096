"""What the settings say to those who ask the services that lists come from."""

from __future__ import annotations

from app.lists import PACES, SourceSettings, Spans
from app.settings import Settings, load_server_settings
from app.upstream import Shared


def source_settings(
    settings: Settings, version: str, shared: Shared | None = None
) -> SourceSettings:
    """The settings of the sources; ``shared`` in place of the folder that the workers share."""
    return SourceSettings(
        version=version,
        public_url=str(settings.public_url) if settings.public_url else None,
        mal_client_id=settings.mal_client_id,
        mal_web=settings.mal_web,
        mal_url=str(settings.mal_url),
        mal_web_url=str(settings.mal_web_url),
        anilist_url=str(settings.anilist_url),
        kitsu_url=str(settings.kitsu_url),
        jikan_url=str(settings.jikan_url) if settings.jikan_url else None,
        shikimori_url=str(settings.shikimori_url),
        max_entries=settings.max_list_length,
        deadline_s=settings.list_deadline,
        # A site that does not answer keeps half of the threads at most.
        most_waiting=max(1, load_server_settings().threads // 2),
        paces=PACES if settings.limits else {},
        spans=Spans(settings.list_cache, settings.list_stale),
        shared=shared or Shared(settings.shared_dir, settings.cache_url),
    )
