"""Kitsu's records as JSON:API sends them, and what they say of an anime."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

_MAL = "myanimelist/anime"


class UserFacts(BaseModel):
    """What a user is called."""

    name: str | None = None
    slug: str | None = None


class User(BaseModel):
    """A user."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: str
    attributes: UserFacts = UserFacts()
    relationships: dict[str, Any] = {}


class Reference(BaseModel):
    """The number of another record."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: str


class One(BaseModel):
    """A link to at most one record."""

    data: Reference | None


class Many(BaseModel):
    """A link to any number of records."""

    data: list[Reference] = []


class EntryFacts(BaseModel):
    """What the fan says of an anime."""

    status: str | None
    # Of twenty; null for no score. Some servers write the number as text.
    rating: float | None = Field(alias="ratingTwenty")
    reconsuming: bool | None = None


class EntryLinks(BaseModel):
    """What an entry points to."""

    anime: One


class Entry(BaseModel):
    """One anime in a library."""

    attributes: EntryFacts
    relationships: EntryLinks


class Links(BaseModel):
    """Where a page leads."""

    next: str | None = None


class Included(BaseModel):
    """An anime or a mapping, not yet told apart."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: str
    type: str
    attributes: dict[str, Any] = {}
    relationships: dict[str, Any] = {}


class Users(BaseModel):
    """The answer to who somebody is."""

    data: list[User]
    included: list[Included] = []


class Page(BaseModel):
    """One page of a library."""

    data: list[Entry]
    included: list[Included] = []
    links: Links = Links()


class Fault(BaseModel):
    """One thing that went wrong."""

    title: str | None = None
    detail: str | None = None


class Faults(BaseModel):
    """What Kitsu answers instead of what was asked for."""

    errors: list[Fault]


def learn(
    included: Iterable[Included], mal_ids: dict[str, int], titles: dict[str, str | None]
) -> None:
    """Put what comes along with a page into ``mal_ids`` and ``titles``, by Kitsu's anime id."""
    records = list(included)
    by_mapping = {
        record.id: found
        for record in records
        if record.type == "mappings" and (found := _mal_id(record.attributes))
    }
    for record in records:
        if record.type != "anime":
            continue
        title = record.attributes.get("canonicalTitle")
        titles[record.id] = title if isinstance(title, str) else None
        for mapping in _mappings(record.relationships):
            if mapping in by_mapping:
                mal_ids[record.id] = by_mapping[mapping]


def _mappings(relationships: Mapping[str, Any]) -> Sequence[str]:
    try:
        found = Many.model_validate(relationships.get("mappings", {}))
    except ValueError:
        return ()
    return [reference.id for reference in found.data]


def _mal_id(mapping: Mapping[str, Any]) -> int | None:
    """MyAnimeList's id in a mapping, which may be a number, an address, or junk."""
    if mapping.get("externalSite") != _MAL:
        return None
    digits = re.search(r"[0-9]{1,9}", str(mapping.get("externalId", "")))
    return (int(digits[0]) or None) if digits else None
