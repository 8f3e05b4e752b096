"""An answer in the shape that the JSON API and ``model_build recommend --json`` share."""

from __future__ import annotations

from typing import Any

from app.catalogue import Catalogue
from app.recommender import Answer, Order, Recommendation


def answer_as_json(answer: Answer, catalogue: Catalogue) -> dict[str, Any]:
    """The answer as JSON-ready values.

    ``explained`` names the number that the weights of ``because`` and ``rest`` add up to.
    """
    visitor = answer.visitor
    return {
        "model": answer.model_version,
        "order": answer.order.value,
        "explained": "predicted_score" if answer.order is Order.SCORE else "match",
        "personal": answer.personal,
        "list": {
            "known": len(visitor.seen) + len(visitor.planned),
            "rated": len(visitor.rated),
            "unknown": len(visitor.unknown),
        },
        "recommendations": [_recommendation(item, catalogue) for item in answer.recommendations],
    }


def _recommendation(item: Recommendation, catalogue: Catalogue) -> dict[str, Any]:
    anime = catalogue.get(item.anime_id)
    return {
        "rank": item.rank,
        "anime_id": item.anime_id,
        "title": anime.title,
        "title_english": anime.title_english,
        "type": anime.type,
        "year": anime.year,
        "episodes": anime.episodes,
        "genres": list(anime.genres),
        "picture": anime.picture,
        "url": anime.url,
        "match": round(item.match, 6),
        "predicted_score": round(item.predicted_score, 6),
        "expected_error": round(item.expected_error, 6),
        "because": [
            {
                "anime_id": reason.anime_id,
                "title": catalogue.title(reason.anime_id),
                "score": reason.score,
                "weight": round(reason.weight, 6),
            }
            for reason in item.because
        ],
        "rest": round(item.rest, 6),
        "more_of_franchise": item.more,
    }
