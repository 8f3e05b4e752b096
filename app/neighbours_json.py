"""Fans like a fan, in the shape that pages, the JSON API and ``model_build similar`` share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.catalogue import Catalogue
from app.recommendation_json import anime_to_json
from app.recommender import Model
from app.recommender.array_types import Int64Array
from app.recommender.user_neighbours import Neighbour, UserNeighbours

MAX_NEIGHBOURS = 5
MAX_TITLES = 5
MAX_PREFERENCES = 8
MIN_SHARE_GAIN = 0.01


@dataclass(frozen=True, slots=True)
class NeighbourPreference:
    """A genre, or what anime were made from: how much of what the nearest fans loved is of it, and
    of what the whole crowd loved, of 1."""

    name: str
    neighbour_share: float
    overall_share: float


@dataclass(frozen=True, slots=True)
class NeighbourPreferences:
    """What the nearest fans prefer, most of all before the rest; empty where nothing is known."""

    genres: tuple[NeighbourPreference, ...]
    sources: tuple[NeighbourPreference, ...]


def neighbour_preferences(
    neighbours: UserNeighbours, model: Model, catalogue: Catalogue
) -> NeighbourPreferences:
    """Preferred genres and source media of the nearest fans.

    Genres come by how far they stand out, sources by how much there is of them.
    """
    loved = np.flatnonzero(neighbours.overall_share > 0)
    ids = model.anime_id[loved].tolist()
    genres = [names.split(";") if names else [] for names in catalogue.column_values("genres", ids)]
    sources = [[name] if name else [] for name in catalogue.column_values("source", ids)]
    of_genre, of_source = (
        _category_shares(kinds, neighbours, loved) for kinds in (genres, sources)
    )
    standing_out = sorted(
        of_genre, key=lambda each: (each.overall_share - each.neighbour_share, each.name)
    )
    return NeighbourPreferences(
        tuple(
            each
            for each in standing_out
            if each.neighbour_share - each.overall_share >= MIN_SHARE_GAIN
        )[:MAX_PREFERENCES],
        tuple(
            sorted(of_source, key=lambda each: (-each.neighbour_share, each.name))[:MAX_PREFERENCES]
        ),
    )


def neighbours_to_json(
    neighbours: UserNeighbours,
    model: Model,
    catalogue: Catalogue,
    engine: str,
    *,
    english: bool = False,
) -> dict[str, Any]:
    """The fans, what they prefer, and what they loved that is not on the list."""
    preferences = neighbour_preferences(neighbours, model, catalogue)

    def titles_to_json(positions: Sequence[int]) -> list[dict[str, Any]]:
        ids = model.anime_id[np.array(positions[:MAX_TITLES], np.int64)].tolist()
        return [{"anime_id": n, "title": catalogue.title(n, english=english)} for n in ids]

    def neighbour_to_json(each: Neighbour) -> dict[str, Any]:
        return {
            "likeness": round(each.similarity, 6),
            "shared": titles_to_json(each.common_loved),
            "loved": titles_to_json(each.unseen_loved),
        }

    return {
        "model": model.version,
        "engine": engine,
        "nearest": len(neighbours.neighbours),
        "fans": [neighbour_to_json(each) for each in neighbours.neighbours[:MAX_NEIGHBOURS]],
        "genres": [_preference_to_json(each) for each in preferences.genres],
        "sources": [_preference_to_json(each) for each in preferences.sources],
        "recommendations": [
            {
                "rank": rank,
                **anime_to_json(
                    catalogue.get_anime(int(model.anime_id[each.position])), english=english
                ),
                "lovers": each.supporters,
                "weight": round(each.weight, 6),
            }
            for rank, each in enumerate(neighbours.favourites, 1)
        ],
    }


def _preference_to_json(preference: NeighbourPreference) -> dict[str, Any]:
    return {
        "name": preference.name,
        "share": round(preference.neighbour_share, 6),
        "usual": round(preference.overall_share, 6),
    }


def _category_shares(
    categories: Iterable[Sequence[str]], neighbours: UserNeighbours, loved_positions: Int64Array
) -> list[NeighbourPreference]:
    """Every kind that the anime at ``loved`` are of; ``kinds`` are theirs."""
    near: dict[str, float] = {}
    usual: dict[str, float] = {}
    shares, commons = (
        neighbours.neighbour_share[loved_positions].tolist(),
        neighbours.overall_share[loved_positions].tolist(),
    )
    for names, share, common in zip(categories, shares, commons, strict=True):
        for name in names:
            near[name] = near.get(name, 0.0) + share
            usual[name] = usual.get(name, 0.0) + common
    all_near, all_usual = (
        float(neighbours.neighbour_share.sum()),
        float(neighbours.overall_share.sum()),
    )
    return [
        NeighbourPreference(name, near[name] / (all_near or 1.0), usual[name] / (all_usual or 1.0))
        for name in usual
    ]
