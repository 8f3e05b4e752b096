"""A network over both embeddings side by side: one hidden layer (He and others 2017).

The variant for interactions puts a sigmoid on its output.
"""

from __future__ import annotations

from functools import partial

import torch
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

DEFAULTS = NetworkSettings(decay=30.0, epochs=16)
HIDDEN_UNITS = 64


class MlpNetwork(MultiTaskNetwork):
    """Embeddings, dropout, a dense layer of rectified units, and an output for each side."""

    def __init__(
        self, pairs: TrainingPairs, target_kind: TargetKind, settings: NetworkSettings
    ) -> None:
        super().__init__(pairs, target_kind, settings)
        self.dropout = nn.Dropout(settings.dropout)
        self.trunk = nn.Linear(2 * settings.size, HIDDEN_UNITS)
        self.heads = nn.ModuleDict({name: nn.Linear(HIDDEN_UNITS, 1) for name in self.targets})

    def forward(self, user: Tensor, item: Tensor) -> tuple[Tensor | None, Tensor | None]:
        both = torch.cat([self.user_embedding(user), self.item_embedding(item)], dim=1)
        hidden = torch.relu(self.trunk(self.dropout(both)))
        values = {side: head(hidden).squeeze(1) for side, head in self.heads.items()}
        return self.biased_outputs(values, user, item)

    def export_heads(self, users: Int64Array) -> ExportedHeads:
        turned = UserWhitening.from_vectors(to_numpy(self.user_embedding.weight)[users])
        weight, item = to_numpy(self.trunk.weight), to_numpy(self.item_embedding.weight)
        size = item.shape[1]
        base = item @ weight[:, size:].T + to_numpy(self.trunk.bias)
        heads = {}
        for side, head in self.heads.items():
            assert isinstance(head, nn.Linear)
            offset = self.item_offset(side) + to_numpy(head.bias)
            out = to_numpy(head.weight)[0]
            heads[side] = turned.relu_head(base, weight[:, :size], out, offset)
        return ExportedHeads(dict(heads), float(self.user_bias_weight.detach()), item)


fit = partial(fit_network_engine, "mlp", MlpNetwork, ("rating", "interaction"))
