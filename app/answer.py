"""An answer in the shape that the JSON API and ``model_build recommend --json`` share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.catalogue import Anime, Catalogue
from app.recommender import Answer, Because, Recommendation


def answer_as_json(
    answer: Answer, catalogue: Catalogue, *, english: bool = False
) -> dict[str, Any]:
    """The answer as JSON-ready values; ``english`` titles where there are any.

    ``explained`` names the number that the weights of ``because`` and ``rest`` add up to.
    """
    visitor = answer.visitor
    return {
        "model": answer.model_version,
        "engine": answer.engine.value,
        "order": answer.order.value,
        "explained": answer.explained,
        "personal": answer.personal,
        "list": {
            "known": len(visitor.seen) + len(visitor.planned),
            "rated": len(visitor.rated),
            "unknown": len(visitor.unknown),
        },
        "recommendations": [
            _recommendation(item, catalogue, english) for item in answer.recommendations
        ],
    }


def facts_as_json(anime: Anime, *, english: bool = False) -> dict[str, Any]:
    """What is known of an anime."""
    return {
        "anime_id": anime.anime_id,
        "title": anime.called(english=english),
        "title_english": anime.title_english,
        "type": anime.type,
        "year": anime.year,
        "episodes": anime.episodes,
        "genres": list(anime.genres),
        "picture": anime.picture,
        "url": anime.url,
    }


def because_as_json(
    because: Iterable[Because], catalogue: Catalogue, *, english: bool = False
) -> list[dict[str, Any]]:
    """The entries of a list that a number was made from."""
    return [
        {
            "anime_id": reason.anime_id,
            "title": catalogue.title(reason.anime_id, english=english),
            "score": reason.score,
            "weight": round(reason.weight, 6),
        }
        for reason in because
    ]


def _recommendation(item: Recommendation, catalogue: Catalogue, english: bool) -> dict[str, Any]:
    return {
        "rank": item.rank,
        **facts_as_json(catalogue.get(item.anime_id), english=english),
        "match": round(item.match, 6),
        "predicted_score": round(item.predicted_score, 6),
        "expected_error": round(item.expected_error, 6),
        "because": because_as_json(item.because, catalogue, english=english),
        "rest": round(item.rest, 6),
        "more_of_franchise": item.more,
        "few_fans": item.few_fans,
    }
