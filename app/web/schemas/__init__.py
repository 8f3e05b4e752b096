"""The shape of every JSON answer, for the description of the API (`app.web.openapi`).

The answers themselves are plain dictionaries; the tests hold them to these shapes.
"""

from app.web.schemas.anime import AnimeFacts, Details, Similar
from app.web.schemas.fans import FansAnswer
from app.web.schemas.general import Answer, Problem, Search, UserAnswer
from app.web.schemas.pair import PairAnswer

__all__ = [
    "AnimeFacts",
    "Answer",
    "Details",
    "FansAnswer",
    "PairAnswer",
    "Problem",
    "Search",
    "Similar",
    "UserAnswer",
]

SHAPES = (Problem, Search, Answer, UserAnswer, PairAnswer, FansAnswer, AnimeFacts, Similar, Details)
"""Those that are referred to by name."""
