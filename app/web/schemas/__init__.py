"""The shape of every JSON answer, for the description of the API (`app.web.views.openapi`).

The answers themselves are plain dictionaries; the tests hold them to these shapes.
"""

from app.web.schemas.anime import AnimeDetailsResponse, AnimeResponse, SimilarAnimeResponse
from app.web.schemas.common import (
    ProblemDetails,
    RecommendationsResponse,
    SearchResponse,
    UserRecommendationsResponse,
)
from app.web.schemas.pair import PairRecommendationsResponse
from app.web.schemas.similar_users import SimilarUsersResponse

__all__ = [
    "AnimeDetailsResponse",
    "AnimeResponse",
    "PairRecommendationsResponse",
    "ProblemDetails",
    "RecommendationsResponse",
    "SearchResponse",
    "SimilarAnimeResponse",
    "SimilarUsersResponse",
    "UserRecommendationsResponse",
]

RESPONSE_SCHEMAS = (
    ProblemDetails,
    SearchResponse,
    RecommendationsResponse,
    UserRecommendationsResponse,
    PairRecommendationsResponse,
    SimilarUsersResponse,
    AnimeResponse,
    SimilarAnimeResponse,
    AnimeDetailsResponse,
)
"""Those that are referred to by name."""
