"""Fans like a fan, in the shape that pages, the JSON API and ``model_build similar`` share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.answer import facts_as_json
from app.catalogue import Catalogue
from app.recommender import Model
from app.recommender.like_minded import LikeMinded, Near

FANS_TOLD = 5
TITLES_TOLD = 5
LEANINGS_TOLD = 8
LEAST_LEANING = 0.01


@dataclass(frozen=True, slots=True)
class Leaning:
    """A genre, or what anime were made from: how much of what the nearest fans loved is of it, and
    of what the whole crowd loved, of 1."""

    name: str
    share: float
    usual: float


@dataclass(frozen=True, slots=True)
class Leanings:
    """What the nearest fans prefer, most of all before the rest; empty where nothing is known."""

    genres: tuple[Leaning, ...]
    sources: tuple[Leaning, ...]


def leanings(found: LikeMinded, model: Model, catalogue: Catalogue) -> Leanings:
    """Preferred genres and source media of the nearest fans.

    Genres come by how far they stand out, sources by how much there is of them.
    """
    loved = np.flatnonzero(found.usual > 0)
    ids = model.anime_id[loved].tolist()
    genres = [names.split(";") if names else [] for names in catalogue.column("genres", ids)]
    sources = [[name] if name else [] for name in catalogue.column("source", ids)]
    of_genre, of_source = (_shares(kinds, found, loved) for kinds in (genres, sources))
    standing_out = sorted(of_genre, key=lambda each: (each.usual - each.share, each.name))
    return Leanings(
        tuple(each for each in standing_out if each.share - each.usual >= LEAST_LEANING)[
            :LEANINGS_TOLD
        ],
        tuple(sorted(of_source, key=lambda each: (-each.share, each.name))[:LEANINGS_TOLD]),
    )


def like_minded_as_json(
    found: LikeMinded,
    model: Model,
    catalogue: Catalogue,
    engine: str,
    *,
    english: bool = False,
) -> dict[str, Any]:
    """The fans, what they prefer, and what they loved that is not on the list."""
    told = leanings(found, model, catalogue)

    def titles(positions: Sequence[int]) -> list[dict[str, Any]]:
        ids = model.anime_id[np.array(positions[:TITLES_TOLD], np.int64)].tolist()
        return [{"anime_id": n, "title": catalogue.title(n, english=english)} for n in ids]

    def fan(each: Near) -> dict[str, Any]:
        return {
            "likeness": round(each.likeness, 6),
            "shared": titles(each.shared),
            "loved": titles(each.fresh),
        }

    return {
        "model": model.version,
        "engine": engine,
        "nearest": len(found.fans),
        "fans": [fan(each) for each in found.fans[:FANS_TOLD]],
        "genres": [_as_json(each) for each in told.genres],
        "sources": [_as_json(each) for each in told.sources],
        "recommendations": [
            {
                "rank": rank,
                **facts_as_json(catalogue.get(int(model.anime_id[each.position])), english=english),
                "lovers": each.lovers,
                "weight": round(each.weight, 6),
            }
            for rank, each in enumerate(found.favourites, 1)
        ],
    }


def _as_json(leaning: Leaning) -> dict[str, Any]:
    return {
        "name": leaning.name,
        "share": round(leaning.share, 6),
        "usual": round(leaning.usual, 6),
    }


def _shares(
    kinds: Iterable[Sequence[str]], found: LikeMinded, loved: npt.NDArray[np.int64]
) -> list[Leaning]:
    """Every kind that the anime at ``loved`` are of; ``kinds`` are theirs."""
    near: dict[str, float] = {}
    usual: dict[str, float] = {}
    shares, commons = found.share[loved].tolist(), found.usual[loved].tolist()
    for names, share, common in zip(kinds, shares, commons, strict=True):
        for name in names:
            near[name] = near.get(name, 0.0) + share
            usual[name] = usual.get(name, 0.0) + common
    all_near, all_usual = float(found.share.sum()), float(found.usual.sum())
    return [
        Leaning(name, near[name] / (all_near or 1.0), usual[name] / (all_usual or 1.0))
        for name in usual
    ]
