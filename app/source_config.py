"""What the settings say to those who ask the services that lists come from."""

from __future__ import annotations

from dataclasses import fields

from app.lists import RATE_LIMITS, CacheTtl, SourceSettings
from app.settings import AppSettings, load_server_settings
from app.upstream import SharedStorage


def build_source_settings(
    settings: AppSettings, version: str, shared: SharedStorage | None = None
) -> SourceSettings:
    """Build them; ``shared`` stands in place of the folder that the workers share."""
    threads = load_server_settings().threads
    # Client ids and addresses, which both have under the same names: as text.
    alike = {each.name for each in fields(SourceSettings)} & AppSettings.model_fields.keys()
    return SourceSettings(
        **settings.model_dump(include=alike, mode="json"),
        version=version,
        max_entries=settings.max_list_length,
        deadline_s=settings.list_deadline,
        # A site that does not answer keeps half of the threads at most.
        max_concurrent_requests=max(1, threads // 2),
        # All sites together, and those who read a list that somebody else waits for, three in four.
        max_waiting=max(1, threads - max(1, threads // 4)),
        rate_limits=RATE_LIMITS if settings.limits else {},
        cache_ttl=CacheTtl(settings.list_cache, settings.list_stale),
        shared_storage=shared or SharedStorage(settings.cache_dir, settings.cache_url),
    )
