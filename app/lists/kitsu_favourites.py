"""A user's favourites, which come along with who the user is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from app.lists.kitsu_schema import (
    IncludedResource,
    KitsuUserRecord,
    ToManyRelationship,
    ToOneRelationship,
)

FAVOURITES_QUERY: Final[Mapping[str, str]] = {
    "include": "favorites.item",
    "fields[users]": "name,slug,favorites",
    "fields[favorites]": "favRank,item",
    # Of what is a favourite only its number is wanted.
    **{f"fields[{kind}]": "slug" for kind in ("anime", "manga", "characters", "people")},
}
"""What is asked for beside the user."""


def favourite_anime_ids(user: KitsuUserRecord, included: Iterable[IncludedResource]) -> list[str]:
    """Kitsu's ids of the anime among the favourites, as the user ranks them."""
    try:
        own = {
            each.id
            for each in ToManyRelationship.model_validate(user.relationships["favorites"]).data
        }
    except (KeyError, ValueError):
        return []
    ranked = [
        (_favourite_rank(record.attributes), anime)
        for record in included
        if record.type == "favorites"
        and record.id in own
        and (anime := _favourite_anime_id(record.relationships)) is not None
    ]
    return [anime for _, anime in sorted(ranked, key=lambda each: each[0])]


def _favourite_rank(attributes: Mapping[str, Any]) -> float:
    rank = attributes.get("favRank")
    return float(rank) if isinstance(rank, int | float) else float("inf")


def _favourite_anime_id(relationships: Mapping[str, Any]) -> str | None:
    """Return the number of the anime that a favourite is, None if it is something else."""
    try:
        item = relationships["item"]["data"]
        if item["type"] != "anime":
            return None
        found = ToOneRelationship.model_validate({"data": item}).data
    except (KeyError, TypeError, ValueError):
        return None
    return found.id if found else None
