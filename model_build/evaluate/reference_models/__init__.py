"""What Hakken is compared with: well-known recommenders, each fitted and asked the same way."""

from __future__ import annotations

from dataclasses import dataclass

from model_build.evaluate.reference_models import (
    als,
    cosine,
    ease,
    knn_baseline,
    popularity,
    similarity_sum,
)
from model_build.evaluate.reference_models.base import ItemScorer, ScorerFactory

__all__ = ["REFERENCE_MODELS", "ItemScorer", "ReferenceModel", "ScorerFactory"]


@dataclass(frozen=True, slots=True)
class ReferenceModel:
    """``title`` for people; of several ``settings`` the best one is reported.

    With ``predicts`` the scores that it ranks by are what the fan would give.
    """

    title: str
    fits: tuple[ScorerFactory, ...]
    predicts_ratings: bool = False


REFERENCE_MODELS = {
    "popularity": ReferenceModel("popularity", (popularity.fit,)),
    "knn-baseline": ReferenceModel(
        "KNN with baseline, predicted score", (knn_baseline.fit,), predicts_ratings=True
    ),
    "similarity-sum": ReferenceModel("sum of similarities to the list", (similarity_sum.fit,)),
    "cosine": ReferenceModel("item-cosine KNN, 50 neighbours", (cosine.fit,)),
    "als": ReferenceModel("ALS (implicit), best of three", als.FIT_VARIANTS),
    "ease": ReferenceModel("EASE^R, binary, lambda 200", (ease.fit_binary_ease,)),
    "ease-weighted": ReferenceModel(
        "EASE^R, residual weights, lambda 300", (ease.fit_weighted_ease,)
    ),
}
