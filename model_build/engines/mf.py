"""Matrix factorization: a dot product of two embeddings and biases (Koren, Bell, Volinsky 2009).

The variant for interactions puts a sigmoid on it.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from app.recommender.array_types import Int64Array
from model_build.engines.export import UserWhitening, to_numpy
from model_build.engines.multi_task_network import (
    ExportedHeads,
    MultiTaskNetwork,
    TargetKind,
    fit_network_engine,
)
from model_build.engines.network_training import NetworkSettings
from model_build.engines.training_pairs import TrainingPairs

DEFAULTS = NetworkSettings()


class MatrixFactorizationNetwork(MultiTaskNetwork):
    """Both embeddings are dropped out of by themselves."""

    def __init__(
        self, pairs: TrainingPairs, target_kind: TargetKind, settings: NetworkSettings
    ) -> None:
        super().__init__(pairs, target_kind, settings)
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, user: Tensor, item: Tensor) -> tuple[Tensor | None, Tensor | None]:
        product = (
            self.dropout(self.user_embedding(user)) * self.dropout(self.item_embedding(item))
        ).sum(dim=1)
        return self.biased_outputs({self.targets[0]: product}, user, item)

    def export_heads(self, users: Int64Array) -> ExportedHeads:
        vectors, item = (
            to_numpy(self.user_embedding.weight)[users],
            to_numpy(self.item_embedding.weight),
        )
        side = self.targets[0]
        head = UserWhitening.from_vectors(vectors).linear_head(item, self.item_offset(side))
        return ExportedHeads({side: head}, float(self.user_bias_weight.detach()), item)


fit = partial(fit_network_engine, "mf", MatrixFactorizationNetwork, ("rating", "interaction"))
