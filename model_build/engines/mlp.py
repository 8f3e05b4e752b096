"""A network over both embeddings side by side: one hidden layer (He and others 2017).

The variant for interactions puts a sigmoid on its output.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from model_build.engines.fitting import Frozen, Side, TaskNetwork, fit_network
from model_build.engines.freezing import Whitening, numpy_of
from model_build.engines.learning import Settings
from model_build.engines.pairs import Pairs

DEFAULTS = Settings(decay=30.0, epochs=16)
HIDDEN = 64


class Perceptron(TaskNetwork):
    """Embeddings, dropout, a dense layer of rectified units, and an output for each side."""

    def __init__(self, pairs: Pairs, side: Side, settings: Settings) -> None:
        super().__init__(pairs, side, settings)
        self.dropout = nn.Dropout(settings.dropout)
        self.trunk = nn.Linear(2 * settings.size, HIDDEN)
        self.heads = nn.ModuleDict({name: nn.Linear(HIDDEN, 1) for name in self.sides})

    def forward(self, fan: Tensor, item: Tensor) -> tuple[Tensor | None, Tensor | None]:
        both = torch.cat([self.fan(fan), self.item(item)], dim=1)
        hidden = torch.relu(self.trunk(self.dropout(both)))
        values = {side: head(hidden).squeeze(1) for side, head in self.heads.items()}
        return self.told(values, fan, item)

    def freeze(self, fans: npt.NDArray[np.int64]) -> Frozen:
        turned = Whitening.of(numpy_of(self.fan.weight)[fans])
        weight, item = numpy_of(self.trunk.weight), numpy_of(self.item.weight)
        size = item.shape[1]
        base = item @ weight[:, size:].T + numpy_of(self.trunk.bias)
        heads = {}
        for side, head in self.heads.items():
            assert isinstance(head, nn.Linear)
            offset = self.offset(side) + numpy_of(head.bias)
            out = numpy_of(head.weight)[0]
            heads[side] = turned.rectified(base, weight[:, :size], out, offset)
        return Frozen(dict(heads), float(self.level_share.detach()), item)


fit = partial(fit_network, "mlp", Perceptron, ("rating", "interaction"))
