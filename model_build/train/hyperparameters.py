"""What can be set about a model."""

from __future__ import annotations

from dataclasses import dataclass

from model_build.train.affinity import FULL_HISTORY, default_min_entries
from model_build.train.model_arrays import MatrixPrecision
from model_build.train.score_model import SIMILARITY_SHRINKAGE


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """What can be set about a model; defaults were chosen by `docs/model.md`'s measurements."""

    reg_user: float = 15.0
    reg_item: float = 10.0
    epochs: int = 10
    shrinkage: float = 100.0
    min_support: int = 1
    neighbours: int = 500
    k: int = 40
    precision: MatrixPrecision = "exact"
    affinity_ridge: float = FULL_HISTORY.ridge
    affinity_dropout: float = FULL_HISTORY.dropout
    affinity_popularity: float = FULL_HISTORY.popularity_power
    affinity_neighbours: int = 800
    affinity_lists: int = 0
    newcomer_neighbours: int = 200
    taste_neighbours: int = 200
    taste_shrinkage: float = SIMILARITY_SHRINKAGE
    taste_factors: int = 256
    fresh_neighbours: int = 200

    def affinity_min_entries(self, n_users: int) -> int:
        """On how many of the fans' lists an anime must be to have affinities."""
        return self.affinity_lists or default_min_entries(n_users)
