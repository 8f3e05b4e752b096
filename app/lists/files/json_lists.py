"""Lists as JSON: AniList's data download, Anime-Planet, Simkl, Shikimori, Kitsu, HiAnime, MALSync.

What is recognised as none of these and is a list of plainly named rows is read as a table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final

from pydantic_core import from_json

from app.lists.errors import BadFileReason, BadListFile, ListTooLong
from app.lists.files.entries import (
    ANILIST,
    ANIME_PLANET,
    HIANIME,
    KITSU,
    MALSYNC,
    MAX_ENTRIES,
    SHIKIMORI,
    SIMKL,
    TABLE,
    FileFormat,
    FileList,
    has_entry_fields,
    plain_name,
    read_entry,
)
from app.lists.kitsu_schema import mal_data_by_kitsu_id
from app.lists.payload import MAX_VALUES

Fields = Mapping[str, Any]
Rows = Iterable[Fields]
_ANILIST_ANIME = 0
_MALSYNC_PREFIX = "local://"
_ANILIST_TOPS: Final = {
    "POINT_100": 100,
    "POINT_10_DECIMAL": 10,
    "POINT_10": 10,
    "POINT_5": 5,
    "POINT_3": 3,
}


def read_json(text: str) -> FileList | None:
    """Return the list in a JSON file; None where it holds something else.

    Raises BadListFile, ListTooLong: it is damaged, or too long.
    """
    if text.count(",") + text.count("{") + text.count("[") > MAX_VALUES:
        raise BadListFile(reason=BadFileReason.TOO_LARGE)
    try:
        data = from_json(text)
    except ValueError:
        raise BadListFile(reason=BadFileReason.BROKEN) from None
    return next(filter(None, (reader(data) for reader in _READERS)), None)


def _read_anilist_download(data: Any) -> FileList | None:
    """AniList's data download: everything that it has about a user."""
    lists = _get(data, "lists")
    if not isinstance(_get(data, "user"), dict) or not isinstance(lists, list):
        return None
    rows = (
        {**row, "anilistid": row.get("series_id")}
        for row in _dicts(lists)
        if row.get("series_type") == _ANILIST_ANIME
    )
    return _build(ANILIST, rows, _get(data, "user", "display_name"))


def _read_anilist_api(data: Any) -> FileList | None:
    """What AniList's API answers, as many tools save it."""
    collection = _get(data, "data", "MediaListCollection") or _get(data, "MediaListCollection")
    groups = _get(collection or data, "lists")
    if not isinstance(groups, list) or not all(
        isinstance(_get(g, "entries"), list) for g in groups
    ):
        return None
    user = _get(collection, "user")
    top = _ANILIST_TOPS.get(str(_get(user, "mediaListOptions", "scoreFormat")))
    layout = ANILIST if top is None else FileFormat(ANILIST.name, ANILIST.source, (top,))
    rows = {}
    for row in chain.from_iterable(_dicts(group["entries"]) for group in groups):
        media = _get(row, "media") or {}
        number = _get(media, "id") or row.get("mediaId")
        titles = _get(media, "title") or {}
        rows[str(number or _get(titles, "romaji"))] = {
            "status": row.get("status"),
            "score": row.get("score"),
            "malid": _get(media, "idMal"),
            "anilistid": number,
            "title": _get(titles, "romaji") or _get(titles, "userPreferred"),
            "english": _get(titles, "english"),
            "year": _get(media, "seasonYear"),
            "type": _get(media, "format") or _get(media, "type"),
        }
    return _build(layout, rows.values(), _get(user, "name"))


def _read_anime_planet(data: Any) -> FileList | None:
    if not isinstance(_get(data, "export"), dict) or not isinstance(_get(data, "entries"), list):
        return None
    if _get(data, "export", "type") == "manga":
        raise BadListFile(reason=BadFileReason.MANGA)
    return _build(ANIME_PLANET, _dicts(data["entries"]), _get(data, "user", "name"))


def _read_simkl(data: Any) -> FileList | None:
    """Simkl's backup; series and films that it counts as no anime are left alone."""
    kinds = ("anime", "shows", "movies")
    if not isinstance(data, dict) or not any(isinstance(data.get(k), list) for k in kinds):
        return None
    rows = (
        {
            **row,
            **{plain_name(site): number for site, number in _items(_get(show, "ids"))},
            "title": _get(show, "title"),
            "year": _get(show, "year"),
            "type": row.get("anime_type"),
        }
        for row in _dicts(data.get("anime") or [])
        if (show := _get(row, "show") or row)
    )
    return _build(SIMKL, rows)


def _read_shikimori(data: Any) -> FileList | None:
    rows = list(_dicts(data)) if isinstance(data, list) else []
    if not any("target_id" in row for row in rows):
        return None
    anime = [row for row in rows if row.get("target_type", "Anime") == "Anime"]
    if not anime:
        raise BadListFile(reason=BadFileReason.MANGA)
    return _build(SHIKIMORI, ({**row, "malid": row.get("target_id")} for row in anime))


def _read_kitsu(data: Any) -> FileList | None:
    """Pages of a library as Kitsu's API answers them."""
    entries = _get(data, "data")
    if not isinstance(entries, list):
        return None
    rows = [row for row in _dicts(entries) if plain_name(str(row.get("type"))) == "libraryentries"]
    if not rows and (entries or "jsonapi" not in data):
        return None
    mal_ids, titles = mal_data_by_kitsu_id(_get(data, "included") or [])
    fields = []
    for row in rows:
        number = str(_get(row, "relationships", "anime", "data", "id") or "")
        if number:
            found = _get(row, "attributes")
            attributes = found if isinstance(found, dict) else {}
            score = attributes.get("ratingTwenty", attributes.get("rating_twenty"))
            ids = {"kitsuid": number, "malid": mal_ids.get(number), "title": titles.get(number)}
            fields.append({**attributes, **ids, "score": score, "rating": None})
    if rows and not fields:
        raise BadListFile(reason=BadFileReason.MANGA)
    return _build(KITSU, fields)


def _read_hianime(data: Any) -> FileList | None:
    """Folders by their name: "On-Hold": [{"name", "mal_id", "link", "watchListType"}]."""
    if not isinstance(data, dict) or not data:
        return None
    folders = [(name, rows) for name, rows in data.items() if isinstance(rows, list)]
    first = next(chain.from_iterable(_dicts(rows) for _, rows in folders), {})
    names = {plain_name(name) for name in first}
    if len(folders) < len(data) or names.isdisjoint({"malid", "link", "name"}):
        return None
    rows = (
        {**row, "status": row.get("watchListType") or folder}
        for folder, found in folders
        for row in _dicts(found)
    )
    return _build(HIANIME, rows)


def _read_malsync(data: Any) -> FileList | None:
    """What MALSync keeps itself: "local://SITE/anime/ID": {"name", "score", "status"}."""
    rows = [(key, row) for key, row in _items(data) if key.startswith(_MALSYNC_PREFIX)]
    if not rows:
        return None
    anime = [row for key, row in rows if key.split("/")[3:4] == ["anime"]]
    if not anime:
        raise BadListFile(reason=BadFileReason.MANGA)
    return _build(MALSYNC, _dicts(anime))


def _read_table(data: Any) -> FileList | None:
    """Rows with plain names, by themselves or under one key."""
    if isinstance(data, dict):
        found = [value for value in data.values() if isinstance(value, list)]
        data = found[0] if len(found) == 1 else None
    rows = list(_dicts(data)) if isinstance(data, list) else []
    if not any(has_entry_fields(map(plain_name, row)) for row in rows[:MAX_ENTRIES]):
        return None
    return _build(TABLE, rows)


_READERS: Final[tuple[Callable[[Any], FileList | None], ...]] = (
    _read_anilist_api,
    _read_anilist_download,
    _read_anime_planet,
    _read_simkl,
    _read_shikimori,
    _read_kitsu,
    _read_hianime,
    _read_malsync,
    _read_table,
)


def _build(layout: FileFormat, rows: Rows, username: Any = None) -> FileList:
    entries = []
    for at, row in enumerate(rows):
        if at == MAX_ENTRIES:
            raise ListTooLong(source="list", limit=MAX_ENTRIES)
        entry = read_entry({plain_name(str(name)): value for name, value in row.items()}, layout)
        if entry:
            entries.append(entry)
    return FileList(layout, tuple(entries), username if isinstance(username, str) else None)


def _get(value: Any, *path: str) -> Any:
    """Return what stands at a path of keys; None where there is nothing."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from value.items()


def _dicts(rows: Any) -> Iterator[dict[str, Any]]:
    """Yield the rows that are objects: an odd one between them is left out."""
    if isinstance(rows, list):
        yield from (row for row in rows if isinstance(row, dict))
