"""The answer for two fans as JSON-ready values: of the API, and of the file to keep."""

from __future__ import annotations

from typing import Any

from app.catalogue import Catalogue
from app.lists.entry import AnimeList
from app.recommendation_json import anime_to_json, contributions_to_json
from app.recommender import GroupResult
from app.recommender.group import GroupRecommendation, Suggestion
from app.recommender.user_similarity import SharedItem


def pair_to_json(
    result: GroupResult,
    lists: tuple[AnimeList, AnimeList],
    catalogue: Catalogue,
    *,
    english: bool = False,
) -> dict[str, Any]:
    """Fans, likeness, recommendations and comparison. The first fan always comes first."""
    similarity = result.comparison.similarity

    def title_fields(anime_id: int) -> dict[str, Any]:
        return {"anime_id": anime_id, "title": catalogue.title(anime_id, english=english)}

    def shared_item(each: SharedItem) -> dict[str, Any]:
        return title_fields(each.anime_id) | {
            "scores": each.scores,
            "apart": round(each.difference, 6),
        }

    def suggestion(each: Suggestion) -> dict[str, Any]:
        return title_fields(each.anime_id) | {
            "score": each.score,
            "match": round(each.match, 6),
            "predicted_score": round(each.predicted_score, 6),
        }

    return {
        "model": result.model_version,
        "engine": result.engine.value,
        "order": result.sort_order.value,
        "fans": [_member_json(result, lists[at], at) for at in (0, 1)],
        "likeness": {
            "both_seen": similarity.shared_seen,
            "both_scored": similarity.shared_scored,
            "value": _round_or_none(similarity.value),
            "chance": _round_or_none(similarity.probability),
            "mean_difference": _round_or_none(similarity.mean_difference),
        },
        "recommendations": [
            _recommendation_json(each, catalogue, english) for each in result.recommendations
        ],
        "favourites": [shared_item(each) for each in result.comparison.favourites],
        "disagreements": [shared_item(each) for each in result.comparison.disagreements],
        "first_loved": [suggestion(each) for each in result.suggestions[0]],
        "second_loved": [suggestion(each) for each in result.suggestions[1]],
    }


def _member_json(result: GroupResult, anime_list: AnimeList, index: int) -> dict[str, Any]:
    user = result.profiles[index]
    return {
        "source": anime_list.source,
        "username": anime_list.username,
        "personal": result.is_personalized[index],
        "known": len(user.seen) + len(user.planned),
        "rated": len(user.rated),
        "unknown": len(user.unknown_ids),
        "unmapped": anime_list.unmapped,
    }


def _recommendation_json(
    item: GroupRecommendation, catalogue: Catalogue, english: bool
) -> dict[str, Any]:
    return {
        "rank": item.rank,
        **anime_to_json(catalogue.get_anime(item.anime_id), english=english),
        "match": round(item.match, 6),
        "fans": [
            {
                "match": round(member.match, 6),
                "predicted_score": round(member.predicted_score, 6),
                "planned": member.planned,
                "because": contributions_to_json(member.contributions, catalogue, english=english),
            }
            for member in item.members
        ],
        "more_of_franchise": item.more_of_franchise,
    }


def _round_or_none(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
