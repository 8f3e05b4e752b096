"""An answer in the shape that the JSON API and ``model_build recommend --json`` share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.catalogue import Anime, Catalogue
from app.recommender import Contribution, RecommendationResult, RecommendedItem


def recommendations_to_json(
    result: RecommendationResult, catalogue: Catalogue, *, english: bool = False
) -> dict[str, Any]:
    """The answer as JSON-ready values; ``english`` titles where there are any.

    ``explained`` names the number that the weights of ``because`` and ``rest`` add up to.
    """
    profile = result.profile
    return {
        "model": result.model_version,
        "engine": result.engine.value,
        "order": result.sort_order.value,
        "explained": result.explained_target,
        "personal": result.is_personalized,
        "list": {
            "known": len(profile.seen) + len(profile.planned),
            "rated": len(profile.rated),
            "unknown": len(profile.unknown_ids),
        },
        "recommendations": [
            _recommended_item_to_json(item, catalogue, english) for item in result.recommendations
        ],
    }


def anime_to_json(anime: Anime, *, english: bool = False) -> dict[str, Any]:
    """What is known of an anime."""
    return {
        "anime_id": anime.anime_id,
        "title": anime.display_title(english=english),
        "title_english": anime.title_english,
        "type": anime.type,
        "year": anime.year,
        "episodes": anime.episodes,
        "genres": list(anime.genres),
        "picture": anime.picture,
        "url": anime.url,
    }


def contributions_to_json(
    contributions: Iterable[Contribution], catalogue: Catalogue, *, english: bool = False
) -> list[dict[str, Any]]:
    """The entries of a list that a number was made from."""
    return [
        {
            "anime_id": contribution.anime_id,
            "title": catalogue.title(contribution.anime_id, english=english),
            "score": contribution.score,
            "weight": round(contribution.weight, 6),
        }
        for contribution in contributions
    ]


def _recommended_item_to_json(
    item: RecommendedItem, catalogue: Catalogue, english: bool
) -> dict[str, Any]:
    return {
        "rank": item.rank,
        **anime_to_json(catalogue.get_anime(item.anime_id), english=english),
        "match": round(item.match, 6),
        "predicted_score": round(item.predicted_score, 6),
        "expected_error": round(item.expected_error, 6),
        "because": contributions_to_json(item.contributions, catalogue, english=english),
        "rest": round(item.residual, 6),
        "more_of_franchise": item.more_of_franchise,
        "few_fans": item.rarely_listed,
    }
