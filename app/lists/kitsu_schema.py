"""Kitsu's records as JSON:API sends them, and what they say of an anime."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from pydantic import (
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    OnErrorOmit,
    TypeAdapter,
    ValidationError,
)

from app.lists.payload import Rows, TolerantRows

_MAL_SITE = "myanimelist/anime"


class ResourceIdentifier(BaseModel):
    """The number of a record."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: str


class KitsuUserRecord(ResourceIdentifier):
    """A user."""

    name: str | None = Field(None, validation_alias=AliasPath("attributes", "name"))
    relationships: dict[str, Any] = {}


class LibraryEntry(BaseModel):
    """What the user says of an anime."""

    anime: ResourceIdentifier | None = Field(
        validation_alias=AliasPath("relationships", "anime", "data")
    )
    status: str | None = Field(validation_alias=AliasPath("attributes", "status"))
    # Of twenty; null for no score. Some servers write the number as text.
    rating: float | None = Field(validation_alias=AliasPath("attributes", "ratingTwenty"))
    reconsuming: bool | None = Field(None, validation_alias=AliasPath("attributes", "reconsuming"))


class IncludedResource(ResourceIdentifier):
    """An anime, a mapping or a favourite, not yet told apart."""

    type: str
    attributes: dict[str, Any] = {}
    relationships: dict[str, Any] = {}


class UsersResponse(BaseModel):
    """The answer to who somebody is."""

    data: Rows[KitsuUserRecord]
    included: list[OnErrorOmit[IncludedResource]] = []


class LibraryPage(BaseModel):
    """One page of a library."""

    data: TolerantRows[LibraryEntry]
    included: list[OnErrorOmit[IncludedResource]] = []
    next_url: str | None = Field(None, validation_alias=AliasPath("links", "next"))


class JsonApiError(BaseModel):
    """One thing that went wrong."""

    title: str | None = None
    detail: str | None = None


class JsonApiErrors(BaseModel):
    """What Kitsu answers instead of what was asked for."""

    errors: Rows[JsonApiError]


_INCLUDED: TypeAdapter[list[IncludedResource]] = TypeAdapter(list[OnErrorOmit[IncludedResource]])


def index_included(
    included: Iterable[IncludedResource], mal_ids: dict[str, int], titles: dict[str, str | None]
) -> None:
    """Put what comes along with a page into ``mal_ids`` and ``titles``, by Kitsu's anime id."""
    records = list(included)
    by_mapping = {
        record.id: found
        for record in records
        if record.type == "mappings" and (found := _parse_mal_id(record.attributes))
    }
    for record in records:
        if record.type != "anime":
            continue
        title = record.attributes.get("canonicalTitle")
        titles[record.id] = title if isinstance(title, str) else None
        for _, mapping in linked_records(record.relationships, "mappings") or ():
            if mapping in by_mapping:
                mal_ids[record.id] = by_mapping[mapping]


def mal_data_by_kitsu_id(included: object) -> tuple[dict[str, int], dict[str, str | None]]:
    """Return MyAnimeList's ids and titles by Kitsu's anime id, of what a file has beside a list."""
    mal_ids: dict[str, int] = {}
    titles: dict[str, str | None] = {}
    with suppress(ValidationError):
        index_included(_INCLUDED.validate_python(included), mal_ids, titles)
    return mal_ids, titles


def favourite_anime_ids(user: KitsuUserRecord, included: Iterable[IncludedResource]) -> list[str]:
    """Kitsu's ids of the anime among the favourites, as the user ranks them."""
    own = linked_records(user.relationships, "favorites") or ()
    ranked = [
        (_favourite_rank(record.attributes), number)
        for record in included
        if (record.type, record.id) in own
        for kind, number in linked_records(record.relationships, "item") or ()
        if kind == "anime"
    ]
    return [number for _, number in sorted(ranked, key=lambda each: each[0])]


def linked_records(relationships: Mapping[str, Any], name: str) -> list[tuple[str, str]] | None:
    """Return the (type, id) pairs that a link of a record leads to; None if there is no link."""
    link = relationships.get(name)
    found = link.get("data") if isinstance(link, dict) else None
    many = found if isinstance(found, list) else [found]
    return (
        None
        if link is None
        else [
            (str(one["type"]), str(one["id"]))
            for one in many
            if isinstance(one, dict) and "type" in one and "id" in one
        ]
    )


def _favourite_rank(attributes: Mapping[str, Any]) -> float:
    rank = attributes.get("favRank")
    return rank if isinstance(rank, int | float) else float("inf")


def _parse_mal_id(mapping: Mapping[str, Any]) -> int | None:
    """MyAnimeList's id in a mapping, which may be a number, an address, or junk."""
    if mapping.get("externalSite") != _MAL_SITE:
        return None
    digits = re.search(r"(?<![0-9])[0-9]{1,9}(?![0-9])", str(mapping.get("externalId", "")))
    return (int(digits[0]) or None) if digits else None
