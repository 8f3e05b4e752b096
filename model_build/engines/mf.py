"""Matrix factorization: a dot product of two embeddings and biases (Koren, Bell, Volinsky 2009).

The variant for interactions puts a sigmoid on it.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from model_build.engines.fitting import Frozen, Side, TaskNetwork, fit_network
from model_build.engines.freezing import Whitening, numpy_of
from model_build.engines.learning import Settings
from model_build.engines.pairs import Pairs

DEFAULTS = Settings()


class Factors(TaskNetwork):
    """Both embeddings are dropped out of by themselves."""

    def __init__(self, pairs: Pairs, side: Side, settings: Settings) -> None:
        super().__init__(pairs, side, settings)
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, fan: Tensor, item: Tensor) -> tuple[Tensor | None, Tensor | None]:
        product = (self.dropout(self.fan(fan)) * self.dropout(self.item(item))).sum(dim=1)
        return self.told({self.sides[0]: product}, fan, item)

    def freeze(self, fans: npt.NDArray[np.int64]) -> Frozen:
        vectors, item = numpy_of(self.fan.weight)[fans], numpy_of(self.item.weight)
        side = self.sides[0]
        head = Whitening.of(vectors).linear(item, self.offset(side))
        return Frozen({side: head}, float(self.level_share.detach()), item)


fit = partial(fit_network, "mf", Factors, ("rating", "interaction"))
