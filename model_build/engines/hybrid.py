"""One network for two tasks: the hidden layer of `mlp`, shared by a head for scores and one for
interactions (Caruana 1997). The losses weigh 1 and 5.
"""

from __future__ import annotations

from functools import partial

from model_build.engines.mlp import MlpNetwork
from model_build.engines.multi_task_network import fit_network_engine
from model_build.engines.network_training import NetworkSettings

DEFAULTS = NetworkSettings(dropout=0.2)

fit = partial(fit_network_engine, "hybrid", MlpNetwork, ("both",))
