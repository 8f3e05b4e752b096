"""Fans like a fan, what they prefer, and what they loved that is not on the list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field

from app.catalogue import Catalogue
from app.recommender import EngineName, Model
from app.recommender.user_neighbours import UserNeighbours
from app.schemas.anime import AnimeTitle, RankedAnime, ranked_fields
from app.schemas.base import SIX_DIGITS, Count, Schema
from app.schemas.recommendations import ListOwner

MAX_NEIGHBOURS = 5
MAX_TITLES = 5
MAX_PREFERENCES = 8
MIN_SHARE_GAIN = 0.01

Share = Annotated[float, Field(ge=0, le=1), SIX_DIGITS]


class NeighbourSchema(Schema):
    """A fan of those trained on, without a name: what both loved, and what else the fan loved.

    Or `users` fans who are much alike, and what many of them loved.
    """

    users: Annotated[int, Field(ge=1)]
    likeness: Annotated[float, Field(ge=0, le=1.001), SIX_DIGITS]
    shared: list[AnimeTitle]
    loved: list[AnimeTitle]


class NeighbourPreferenceSchema(Schema):
    """How much of what the nearest fans loved is of a kind, and of what all loved."""

    name: str
    share: Share
    usual: Share


class NeighbourFavouriteSchema(RankedAnime):
    """An anime that `lovers` of the nearest fans loved.

    `weight` is the sum of their likenesses, times `preference`: how far the nearest prefer what it
    is, where that was asked for, else 1.
    """

    lovers: Annotated[int, Field(ge=1)]
    preference: Annotated[float, Field(gt=0), SIX_DIGITS]
    weight: Annotated[float, Field(ge=0), SIX_DIGITS]


class SimilarUsers(Schema):
    """The fans most like one, without saying whom."""

    model: str
    engine: EngineName
    nearest: Count
    fans: list[NeighbourSchema]
    genres: list[NeighbourPreferenceSchema]
    sources: list[NeighbourPreferenceSchema]
    recommendations: list[NeighbourFavouriteSchema]

    @classmethod
    def build(
        cls,
        found: UserNeighbours,
        model: Model,
        catalogue: Catalogue,
        engine: EngineName,
        *,
        first_rank: int = 1,
        site: str | None = None,
        **further: Any,
    ) -> Self:
        """Describe the nearest fans of who has a list on ``site``.

        ``further`` are a subclass's own fields.
        """
        genres, sources = neighbour_preferences(found, model, catalogue)

        def titles(positions: Sequence[int]) -> list[AnimeTitle]:
            ids = model.anime_id[np.array(positions[:MAX_TITLES], np.int64)].tolist()
            return [AnimeTitle(anime_id=n, title=catalogue.title(n)) for n in ids]

        return cls(
            model=model.version,
            engine=engine,
            nearest=found.neighbour_count,
            fans=[
                NeighbourSchema(
                    users=each.user_count,
                    likeness=each.similarity,
                    shared=titles(each.common_loved),
                    loved=titles(each.unseen_loved),
                )
                for each in found.neighbours[:MAX_NEIGHBOURS]
            ],
            genres=genres,
            sources=sources,
            recommendations=[
                NeighbourFavouriteSchema(
                    **ranked_fields(
                        rank, int(model.anime_id[each.position]), catalogue, source=site
                    ),
                    lovers=each.supporters,
                    weight=each.weight,
                    preference=each.preference,
                )
                for rank, each in enumerate(found.favourites, first_rank)
            ],
            **further,
        )


class SimilarUsersResponse(SimilarUsers, ListOwner):
    """The fans most like one, what they prefer, and what they loved that is not on the list."""


def neighbour_preferences(
    neighbours: UserNeighbours, model: Model, catalogue: Catalogue
) -> tuple[list[NeighbourPreferenceSchema], list[NeighbourPreferenceSchema]]:
    """Genres and source media that the nearest fans prefer; empty where nothing is known.

    Genres are sorted by how far they stand out, sources by how much there is of them.
    """
    loved = np.flatnonzero(neighbours.overall_share > 0)
    ids = model.anime_id[loved].tolist()
    genres, sources = (
        _category_shares(catalogue.column_values(column, ids), neighbours, loved.tolist())
        for column in ("genres", "source")
    )
    standing_out = [each for each in genres if each[1] - each[2] >= MIN_SHARE_GAIN]
    standing_out.sort(key=lambda each: (each[2] - each[1], each[0]))
    sources.sort(key=lambda each: (-each[1], each[0]))
    return _build_preferences(standing_out), _build_preferences(sources)


def _build_preferences(
    shares: Sequence[tuple[str, float, float]],
) -> list[NeighbourPreferenceSchema]:
    return [
        NeighbourPreferenceSchema(name=name, share=share, usual=usual)
        for name, share, usual in shares[:MAX_PREFERENCES]
    ]


def _category_shares(
    names_of: Sequence[str | None], neighbours: UserNeighbours, positions: Sequence[int]
) -> list[tuple[str, float, float]]:
    """Sum name, share among the nearest users and share among all up by category.

    Several names of the anime at ``positions`` have semicolons between them.
    """
    totals: dict[str, tuple[float, float]] = {}
    near, overall = neighbours.neighbour_share, neighbours.overall_share
    for names, position in zip(names_of, positions, strict=True):
        for name in names.split(";") if names else ():
            share, usual = totals.get(name, (0.0, 0.0))
            totals[name] = share + float(near[position]), usual + float(overall[position])
    all_near, all_overall = float(near.sum()) or 1.0, float(overall.sum()) or 1.0
    return [
        (name, share / all_near, usual / all_overall) for name, (share, usual) in totals.items()
    ]
