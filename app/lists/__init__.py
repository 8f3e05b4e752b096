"""Where a user's list comes from: one module a source, one shape out (`AnimeList`)."""

from __future__ import annotations

from app.lists.http_client import HttpLimits
from app.lists.list_cache import CacheTtl
from app.lists.registry import SOURCE_SLUGS, ListSource, build_list_sources
from app.lists.service_clients import RATE_LIMITS, ServiceClients, SourceSettings

__all__ = [
    "RATE_LIMITS",
    "SOURCE_SLUGS",
    "CacheTtl",
    "HttpLimits",
    "ListSource",
    "ServiceClients",
    "SourceSettings",
    "build_list_sources",
]
