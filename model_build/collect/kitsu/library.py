"""A user's library: pages of 500 entries, read so that nothing is lost when they shift.

Its owner may change a library while it is read. Each page begins with the last entry of the page
before; if it does not, an entry before it was deleted, others moved up into what was read already,
and the library is read once more. What was seen at any time counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from app.lists.kitsu import PAGE_SIZE, STATUS_MAP
from app.lists.kitsu_schema import IncludedResource, index_included, linked_records
from app.recommender.watch_status import WatchStatus
from model_build.collect.client import RequestRejected
from model_build.collect.kitsu.api import KitsuApi, linked_anime_id, parse_id, sparse_fieldsets
from model_build.collect.kitsu.users import parse_count, parse_date

MAX_READINGS = 3
"""Of a library that keeps shifting."""
MAX_PAGES = 200

EntryRow = dict[str, Any]
ENTRY_SCHEMA = {
    "kitsu_anime": pl.Int64,
    "status": pl.Int8,
    "rating": pl.Int8,
    "commented": pl.Boolean,
    "reviewed": pl.Boolean,
    "progress": pl.Int32,
    "repeats": pl.Int32,
    "started": pl.Date,
    "finished": pl.Date,
    "updated": pl.Date,
}
"""The columns of an entry; ``kitsu_anime`` is Kitsu's id of the anime."""


@dataclass(slots=True)
class AnimeMetadata:
    """What pages include about their anime, by Kitsu's id.

    ``mal_id`` is MyAnimeList's id, where Kitsu knows it; ``episodes`` and ``minutes`` (of one) are
    0 where it does not.
    """

    mal_id: dict[int, int] = field(default_factory=dict)
    episodes: dict[int, int] = field(default_factory=dict)
    minutes: dict[int, int] = field(default_factory=dict)


def read_library(
    site: KitsuApi, kitsu_id: int, metadata: AnimeMetadata, tally: Counter[str]
) -> list[EntryRow]:
    """Return the entries of a user as rows of `ENTRY_SCHEMA`; add to ``metadata`` and ``tally``.

    Raises
    ------
    RequestRejected
        It is private (403), the user is gone (404), or Kitsu minds something else.
    RequestFailed, InputError
        See `JsonClient.get_json`; nothing was counted.
    """
    records: dict[str, dict[str, Any]] = {}
    own: Counter[str] = Counter()
    try:
        for reading in range(MAX_READINGS):
            if not _read_pages(site, kitsu_id, reading, records, metadata, own):
                break
            own["libraries that shifted while they were read"] += 1
        else:
            own["libraries that shifted every time"] += 1
    except RequestRejected as error:
        if not records:
            raise
        own[f"libraries refused in the middle (HTTP {error.status})"] += 1
    if not records:
        own["users with an empty library"] += 1
    tally += own
    return [row for record in records.values() if (row := _entry_row(record, tally))]


def page_cache_key(kitsu_id: int, reading: int = 0, offset: int = 0) -> str:
    """Return the name by which a page of a library is stored."""
    return f"library/{kitsu_id}-{reading}-{offset}"


def _read_pages(
    site: KitsuApi,
    kitsu_id: int,
    reading: int,
    records: dict[str, dict[str, Any]],
    metadata: AnimeMetadata,
    tally: Counter[str],
) -> bool:
    """Read all pages into ``records`` by entry; True if some entries may have been skipped."""
    offset, last, shifted = 0, "", False
    seen: set[str] = set()
    for _ in range(MAX_PAGES):
        query = _library_query(kitsu_id, offset)
        page = site.get_page(
            page_cache_key(kitsu_id, reading, offset),
            "library-entries",
            _with_review_flags(query),
            fallback_query=query,
            cache_inaccessible=True,
        )
        _collect_anime_metadata(page, metadata)
        rows = [record for record in page["data"] if record["type"] == "libraryEntries"]
        ids = [record["id"] for record in rows]
        if last and (not ids or ids[0] not in seen):
            shifted = True
        new = set(ids) - seen
        if offset and ids and not new:
            tally["pages that repeat others"] += 1
        seen |= new
        records.update((record["id"], record) for record in rows)
        if not page["more"] or not new:
            break
        last = ids[-1]
        offset += len(ids) - 1 if len(ids) > 1 else 1
    return shifted


def _library_query(kitsu_id: int, offset: int) -> dict[str, str]:
    return {
        "filter[userId]": str(kitsu_id),
        "filter[kind]": "anime",
        "include": "anime,anime.mappings",
        **sparse_fieldsets("libraryEntries", "anime", "mappings"),
        "page[limit]": str(PAGE_SIZE),
        "page[offset]": str(offset),
    }


def _with_review_flags(query: dict[str, str]) -> dict[str, str]:
    """Request as well whether a review or reaction was written, without its text."""
    return query | {
        "include": f"{query['include']},review,mediaReaction",
        "fields[reviews]": "createdAt",
        "fields[mediaReactions]": "createdAt",
    }


def _collect_anime_metadata(page: Mapping[str, Any], metadata: AnimeMetadata) -> None:
    mal_ids: dict[str, int] = {}
    included = [IncludedResource.model_validate(record) for record in page["included"]]
    index_included(included, mal_ids, {})
    for record in page["included"]:
        number = parse_id(record["id"]) if record["type"] == "anime" else None
        if number is not None:
            if record["id"] in mal_ids:
                metadata.mal_id[number] = mal_ids[record["id"]]
            metadata.episodes[number] = parse_count(record["attributes"].get("episodeCount"))
            metadata.minutes[number] = parse_count(record["attributes"].get("episodeLength"))


def _entry_row(record: Mapping[str, Any], tally: Counter[str]) -> EntryRow | None:
    """Return an entry as a row of `ENTRY_SCHEMA`, None if it is not about an anime."""
    attributes, links = record["attributes"], record["relationships"]
    number = linked_anime_id(linked_records(links, "anime"))
    if number is None:
        manga = bool(linked_records(links, "manga"))
        tally["manga entries" if manga else "entries without an anime"] += 1
        return None
    again = attributes.get("reconsuming") is True
    status = (
        WatchStatus.COMPLETED
        if again
        else STATUS_MAP.get(str(attributes.get("status")), WatchStatus.UNKNOWN)
    )
    if status is WatchStatus.UNKNOWN:
        tally["entries with a status that is not known"] += 1
    return {
        "kitsu_anime": number,
        "status": int(status),
        "rating": _convert_rating(attributes.get("ratingTwenty"), tally),
        "commented": bool(linked_records(links, "mediaReaction")),
        "reviewed": bool(linked_records(links, "review")),
        "progress": parse_count(attributes.get("progress")),
        "repeats": parse_count(attributes.get("reconsumeCount")),
        "started": parse_date(attributes.get("startedAt")),
        "finished": parse_date(attributes.get("finishedAt")),
        "updated": parse_date(attributes.get("updatedAt")),
    }


def _convert_rating(value: object, tally: Counter[str]) -> int:
    """Convert a score of 1 to 20 to one of 1 to 10, halves up; 0 for none."""
    if value is None:
        return 0
    try:
        twenty = int(float(str(value)))
    except (ValueError, OverflowError):
        twenty = -1
    if twenty == 0:
        return 0
    if not 2 <= twenty <= 20:
        tally["scores out of range"] += 1
        return 0
    return (twenty + 1) // 2
