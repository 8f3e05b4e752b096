"""The core: fold a list in, predict, rank, explain. Knows nothing of Flask or networks."""

from app.recommender.artifact import ArtifactError
from app.recommender.engines import EngineName
from app.recommender.explain import Contribution
from app.recommender.fold_in import UserProfile
from app.recommender.franchise import Franchises
from app.recommender.group import GroupResult, recommend_group
from app.recommender.model import Model
from app.recommender.rank import SortOrder
from app.recommender.recommend import (
    ItemEstimates,
    RecommendationResult,
    RecommendedItem,
    RecommendOptions,
    estimate_items,
    recommend,
)
from app.recommender.user_list import UserList
from app.recommender.watch_status import WatchStatus

__all__ = [
    "ArtifactError",
    "Contribution",
    "EngineName",
    "Franchises",
    "GroupResult",
    "ItemEstimates",
    "Model",
    "RecommendOptions",
    "RecommendationResult",
    "RecommendedItem",
    "SortOrder",
    "UserList",
    "UserProfile",
    "WatchStatus",
    "estimate_items",
    "recommend",
    "recommend_group",
]
