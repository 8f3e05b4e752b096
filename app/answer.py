"""An answer in the shape that the JSON API and ``model_build recommend --json`` share."""

from __future__ import annotations

from typing import Any

from app.catalogue import Catalogue
from app.recommender import Answer, Because, Recommendation

REASONS = 3


def answer_as_json(answer: Answer, catalogue: Catalogue, reasons: int = REASONS) -> dict[str, Any]:
    """The answer as JSON-ready values; ``because`` holds the ``reasons`` largest positive terms."""
    visitor = answer.visitor
    return {
        "model": answer.model_version,
        "order": answer.order.value,
        "personal": answer.personal,
        "list": {
            "known": len(visitor.seen) + len(visitor.planned),
            "rated": len(visitor.rated),
            "unknown": len(visitor.unknown),
        },
        "recommendations": [
            _recommendation(item, catalogue, reasons) for item in answer.recommendations
        ],
    }


def main_reasons(recommendation: Recommendation, count: int = REASONS) -> tuple[Because, ...]:
    """The reasons to tell: the largest terms that speak for the anime."""
    return tuple(reason for reason in recommendation.because if reason.weight > 0)[:count]


def _recommendation(item: Recommendation, catalogue: Catalogue, reasons: int) -> dict[str, Any]:
    anime = catalogue.get(item.anime_id)
    told = main_reasons(item, reasons)
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
        "baseline": round(item.baseline, 6),
        "neighbours": item.neighbours,
        "because": [
            {
                "anime_id": reason.anime_id,
                "title": catalogue.title(reason.anime_id),
                "score": reason.score,
                "weight": round(reason.weight, 6),
            }
            for reason in told
        ],
        "rest": round(sum(r.weight for r in item.because) - sum(r.weight for r in told), 6),
    }
