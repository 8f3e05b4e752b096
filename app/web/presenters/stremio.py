"""Picks as Stremio and its likes read them: a manifest, and catalogues of what it lists.

Anime are named by their numbers on Kitsu, which other add-ons know descriptions and videos of.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from app.recommender import SortOrder
from app.schemas.recommendations import RecommendationSchema
from app.web.requests.query import MAX_TOP, MediaType, QueryOptions

PAGE_SIZE: Final = MAX_TOP
"""How many a page has; players ask on behind so many, and take a shorter page for the last."""
KINDS: Final = {
    "series": (MediaType.TV, MediaType.OVA, MediaType.ONA, MediaType.SPECIAL),
    "movie": (MediaType.MOVIE,),
}
"""What a player tells apart, and which of ours it is."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """A catalogue: what it is called, and in which order."""

    name: str
    order: SortOrder


SHELVES: Final = {
    "hakken-match": Shelf("Best matches", SortOrder.MATCH),
    "hakken-gems": Shelf("Hidden gems", SortOrder.DISCOVER),
}


def shelf_options(kind: str, shelf: str, skip: int) -> QueryOptions:
    """Return the options of a page. Raises KeyError: there is no such catalogue."""
    return QueryOptions(top=PAGE_SIZE, type=KINDS[kind], order=SHELVES[shelf].order).with_changes(
        offset=skip
    )


def build_manifest(source: str, site: str, username: str, version: str) -> dict[str, Any]:
    """Describe the add-on of one fan; each has an id of its own, so that several fit beside."""
    number = uuid5(NAMESPACE_URL, f"hakken:{source}/{username.casefold()}").hex[:12]
    return {
        "id": f"hakken.{source}.{number}",
        "version": version,
        "name": f"Hakken for {username}",
        "description": f"What to watch next, from the list of {username} on {site}.",
        "resources": ["catalog"],
        "types": list(KINDS),
        "idPrefixes": ["kitsu:"],
        "catalogs": [
            {"type": kind, "id": name, "name": shelf.name, "extra": [{"name": "skip"}]}
            for name, shelf in SHELVES.items()
            for kind in KINDS
        ],
        "behaviorHints": {"configurable": False},
    }


def build_meta(kind: str, pick: RecommendationSchema, poster: str | None) -> dict[str, Any]:
    """Describe a pick that is on Kitsu."""
    told = [f"Match {pick.match_percentile:.0f} %."] if pick.match_percentile is not None else []
    if pick.because:
        told.append(f"Because of {', '.join(each.title for each in pick.because)}.")
    meta = {
        "id": f"kitsu:{pick.kitsu_id}",
        "type": kind,
        "name": pick.title,
        "poster": poster,
        "posterShape": "poster" if poster else None,
        "releaseInfo": str(pick.year) if pick.year else None,
        "genres": pick.genres,
        "description": " ".join(told),
    }
    return {name: value for name, value in meta.items() if value}


def build_catalogue(metas: Iterable[dict[str, Any]], seconds: float) -> dict[str, Any]:
    """Build a page, which may be kept for some seconds."""
    return {"metas": list(metas), "cacheMaxAge": int(seconds)}
