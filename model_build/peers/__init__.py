"""What Hakken is compared with: well-known recommenders, each fitted and asked the same way."""

from __future__ import annotations

from dataclasses import dataclass

from model_build.peers import als, cosine, ease, knn_baseline, popularity, similarity_sum
from model_build.peers.base import Fit, Scorer

__all__ = ["PEERS", "Fit", "Peer", "Scorer"]


@dataclass(frozen=True, slots=True)
class Peer:
    """``title`` for people; of several ``settings`` the best one is reported.

    With ``predicts`` the scores that it ranks by are what the fan would give.
    """

    title: str
    settings: tuple[Fit, ...]
    predicts: bool = False


PEERS = {
    "popularity": Peer("popularity", (popularity.fit,)),
    "knn-baseline": Peer("KNN with baseline, predicted score", (knn_baseline.fit,), predicts=True),
    "similarity-sum": Peer("sum of similarities to the list", (similarity_sum.fit,)),
    "cosine": Peer("item-cosine KNN, 50 neighbours", (cosine.fit,)),
    "als": Peer("ALS (implicit), best of three", als.SETTINGS),
    "ease": Peer("EASE^R, binary, lambda 200", (ease.fit_binary,)),
    "ease-weighted": Peer("EASE^R, residual weights, lambda 300", (ease.fit_weighted,)),
}
