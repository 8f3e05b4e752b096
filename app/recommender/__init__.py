"""The core: fold a list in, predict, rank, explain. Knows nothing of Flask or networks."""

from app.recommender.artifact import ArtifactError
from app.recommender.engines import EngineName
from app.recommender.explain import Because
from app.recommender.fold_in import Visitor
from app.recommender.franchise import Franchises
from app.recommender.listed import Listed
from app.recommender.model import Model
from app.recommender.rank import Order
from app.recommender.recommend import Answer, Recommendation, Wish, recommend
from app.recommender.status import Status
from app.recommender.together import Together, recommend_together

__all__ = [
    "Answer",
    "ArtifactError",
    "Because",
    "EngineName",
    "Franchises",
    "Listed",
    "Model",
    "Order",
    "Recommendation",
    "Status",
    "Together",
    "Visitor",
    "Wish",
    "recommend",
    "recommend_together",
]
