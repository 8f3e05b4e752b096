"""Picks as Sonarr reads what it calls a custom list: series by TVDB's numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from app.schemas.recommendations import RecommendationSchema
from app.web.requests.query import MediaType, QueryOptions

SERIES_TYPES: Final = (MediaType.TV, MediaType.OVA, MediaType.ONA)
"""What is listed unless somebody asks otherwise: a film or a special is no reason for a series."""


def series_options(asked: QueryOptions) -> QueryOptions:
    """Return the options, with the types that are series where none are asked for."""
    return asked if asked.type else asked.with_changes(type=SERIES_TYPES)


def build_series(picks: Iterable[RecommendationSchema]) -> list[dict[str, Any]]:
    """List each series once, in the place of its best season; TVDB has one number for all."""
    best: dict[int, str] = {}
    for pick in picks:
        if pick.tvdb_id is not None:
            best.setdefault(pick.tvdb_id, pick.title)
    return [{"title": title, "tvdbId": number} for number, title in best.items()]
