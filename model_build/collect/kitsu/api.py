"""Kitsu's API as far as it is collected from: requests, and what of the responses is stored."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from model_build.collect.client import JsonClient, RequestRejected
from model_build.collect.response_cache import ResponseCache

PAGE_SIZE = 20
"""The largest page of anything but a library."""
BAD_REQUEST = 400
INACCESSIBLE_STATUSES = (403, 404)
"""Private or gone; other refusals may be our mistake."""
MAX_ID_DIGITS = 9
HEADERS = {"Accept": "application/vnd.api+json"}

FieldNames = Mapping[str, Collection[str]]

KEPT_FIELDS: FieldNames = {
    "users": (
        *("commentsCount", "favoritesCount", "likesReceivedCount", "likesGivenCount"),
        *("reviewsCount", "postsCount", "ratingsCount", "followersCount"),
        *("followingCount", "mediaReactionsCount"),
        *("lifeSpentOnAnime", "createdAt", "favorites"),
    ),
    "favorites": ("item", "user"),
    "libraryEntries": (
        *("status", "progress", "ratingTwenty", "reconsuming", "reconsumeCount"),
        *("startedAt", "finishedAt", "updatedAt"),
        *("anime", "manga", "review", "mediaReaction"),
    ),
    "anime": ("episodeCount", "episodeLength", "mappings"),
    "mappings": ("externalSite", "externalId"),
}
"""Attributes and links that are stored, by type of record: no name, nothing that anybody wrote."""


class KitsuApi:
    """Pages of Kitsu, each requested once and stored as `KEPT_FIELDS` says."""

    def __init__(self, client: JsonClient, base_url: str, cache: ResponseCache) -> None:
        self._client = client
        self._base_url = base_url
        self.cache = cache
        self.fallback_paths: set[str] = set()
        """Paths of which Kitsu refused the first query."""

    def get_page(
        self,
        name: str,
        path: str,
        query: Mapping[str, str],
        *,
        fallback_query: Mapping[str, str] | None = None,
        cache_inaccessible: bool = False,
    ) -> dict[str, Any]:
        """Return the page stored by this name, or else the response to the query.

        ``fallback_query`` is for a Kitsu that does not accept the query (400). With
        ``cache_inaccessible``, that the page is private or gone is stored, too.

        Raises
        ------
        RequestRejected, RequestFailed, InputError
            See `JsonClient.get_json`.
        """
        page = self.cache.get(name)
        if page is None:
            try:
                page = filter_page(self._request(path, query, fallback_query))
            except RequestRejected as error:
                if not cache_inaccessible or error.status not in INACCESSIBLE_STATUSES:
                    raise
                page = {"refused": error.status}
            self.cache.put(name, page)
        if "refused" in page:
            raise RequestRejected(page["refused"])
        return dict(page)

    def _request(
        self, path: str, query: Mapping[str, str], fallback_query: Mapping[str, str] | None
    ) -> dict[str, Any]:
        url = f"{self._base_url}/{path}"
        if fallback_query is not None and path in self.fallback_paths:
            return self._client.get_json(url, fallback_query, HEADERS)
        try:
            return self._client.get_json(url, query, HEADERS)
        except RequestRejected as error:
            if fallback_query is None or error.status != BAD_REQUEST:
                raise
        page = self._client.get_json(url, fallback_query, HEADERS)
        self.fallback_paths.add(path)
        return page


def sparse_fieldsets(*types: str) -> dict[str, str]:
    """Return the part of a query that requests only `KEPT_FIELDS` of some types."""
    return {f"fields[{kind}]": ",".join(KEPT_FIELDS[kind]) for kind in types}


def filter_page(page: Mapping[str, Any]) -> dict[str, Any]:
    """Drop what was not requested; some servers send everything, names included."""
    links, meta = _as_mapping(page.get("links")), _as_mapping(page.get("meta"))
    return {
        "data": _filter_records(page.get("data")),
        "included": _filter_records(page.get("included")),
        "count": meta.get("count") or _total_from_last_link(links.get("last")),
        "more": links.get("next") is not None,
    }


def _total_from_last_link(address: object) -> int | None:
    """Return the number of records, from the link to the last page: some servers have no other."""
    query = dict(parse_qsl(urlsplit(str(address or "")).query))
    offset, limit = parse_id(query.get("page[offset]", "")), parse_id(query.get("page[limit]", ""))
    return None if offset is None or limit is None else offset + limit


def _filter_records(found: object) -> list[dict[str, Any]]:
    records = found if isinstance(found, list) else []
    return [
        _filter_record(each)
        for each in records
        if isinstance(each, dict) and each.get("type") in KEPT_FIELDS
    ]


def _filter_record(record: Mapping[str, Any]) -> dict[str, Any]:
    wanted = KEPT_FIELDS[record["type"]]
    attributes, links = (
        _as_mapping(record.get("attributes")),
        _as_mapping(record.get("relationships")),
    )
    return {
        "type": record["type"],
        "id": str(record.get("id")),
        "attributes": {name: value for name, value in attributes.items() if name in wanted},
        "relationships": {
            name: {"data": link["data"]}
            for name, link in links.items()
            if name in wanted and isinstance(link, dict) and "data" in link
        },
    }


def parse_id(text: str) -> int | None:
    """Return a record's id as a number, None if it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_ID_DIGITS else None


def linked_anime_id(links: Sequence[tuple[str, str]] | None) -> int | None:
    """Kitsu's id of the anime that a link leads to, None if it leads elsewhere or nowhere."""
    return parse_id(links[0][1]) if links and links[0][0] == "anime" else None


def _as_mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
