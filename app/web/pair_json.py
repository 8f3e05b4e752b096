"""The answer for two fans as JSON-ready values: of the API, and of the file to keep."""

from __future__ import annotations

from typing import Any

from app.answer import because_as_json, facts_as_json
from app.catalogue import Catalogue
from app.lists.entry import FanList
from app.recommender import Together
from app.recommender.likeness import Verdict
from app.recommender.together import ForBoth, Tip


def pair_as_json(
    found: Together, lists: tuple[FanList, FanList], catalogue: Catalogue, *, english: bool = False
) -> dict[str, Any]:
    """Fans, likeness, recommendations and comparison. The first fan always comes first."""
    likeness = found.comparison.likeness

    def named(anime_id: int) -> dict[str, Any]:
        return {"anime_id": anime_id, "title": catalogue.title(anime_id, english=english)}

    def verdict(each: Verdict) -> dict[str, Any]:
        return named(each.anime_id) | {"scores": each.scores, "apart": round(each.apart, 6)}

    def tip(each: Tip) -> dict[str, Any]:
        return named(each.anime_id) | {
            "score": each.score,
            "match": round(each.match, 6),
            "predicted_score": round(each.predicted_score, 6),
        }

    return {
        "model": found.model_version,
        "engine": found.engine.value,
        "order": found.order.value,
        "fans": [_fan(found, lists[at], at) for at in (0, 1)],
        "likeness": {
            "both_seen": likeness.seen,
            "both_scored": likeness.scored,
            "value": _rounded(likeness.value),
            "chance": _rounded(likeness.chance),
            "mean_difference": _rounded(likeness.gap),
        },
        "recommendations": [_for_both(each, catalogue, english) for each in found.recommendations],
        "favourites": [verdict(each) for each in found.comparison.favourites],
        "disagreements": [verdict(each) for each in found.comparison.disagreements],
        "first_loved": [tip(each) for each in found.tips[0]],
        "second_loved": [tip(each) for each in found.tips[1]],
    }


def _fan(found: Together, fan_list: FanList, at: int) -> dict[str, Any]:
    visitor = found.visitors[at]
    return {
        "source": fan_list.source,
        "username": fan_list.username,
        "personal": found.personal[at],
        "known": len(visitor.seen) + len(visitor.planned),
        "rated": len(visitor.rated),
        "unknown": len(visitor.unknown),
        "unmapped": fan_list.unmapped,
    }


def _for_both(item: ForBoth, catalogue: Catalogue, english: bool) -> dict[str, Any]:
    return {
        "rank": item.rank,
        **facts_as_json(catalogue.get(item.anime_id), english=english),
        "match": round(item.match, 6),
        "fans": [
            {
                "match": round(fan.match, 6),
                "predicted_score": round(fan.predicted_score, 6),
                "planned": fan.planned,
                "because": because_as_json(fan.because, catalogue, english=english),
            }
            for fan in item.fans
        ],
        "more_of_franchise": item.more,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
