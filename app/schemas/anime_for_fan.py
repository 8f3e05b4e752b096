"""Whether one anime is for one fan."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from app.schemas.anime import AnimeTitle
from app.schemas.recommendations import ListOwner, RecommendationSchema


class AnimeForFanResponse(ListOwner, AnimeTitle):
    """What the fan would make of an anime, or has made of it.

    `recommendation` is null for what was seen, and for what too few fans know.
    """

    model: str
    personal: Annotated[
        bool, Field(description="false where the list says nothing, so that nothing is told apart")
    ]
    seen: bool
    planned: bool
    own_score: Annotated[float | None, Field(description="the fan's own score of it")]
    recommendation: RecommendationSchema | None
