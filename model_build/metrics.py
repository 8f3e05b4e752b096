"""Measures of rating error and of ranking, one fan at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def ndcg(hits: npt.NDArray[np.bool_], n_relevant: int, at: int) -> float:
    """Normalised discounted cumulative gain with binary gains.

    ``hits`` says for each place, best first, whether what stands there is relevant; the ideal has
    min(at, n_relevant) hits at the top (Jarvelin and Kekalainen 2002).
    """
    discount = 1.0 / np.log2(np.arange(2, at + 2))
    ideal = discount[: min(at, n_relevant)].sum()
    return float(discount[: len(hits[:at])][hits[:at]].sum() / ideal)


def recall(hits: npt.NDArray[np.bool_], n_relevant: int, at: int) -> float:
    """Share of the relevant found among the first ``at``, of the most that could be."""
    return float(hits[:at].sum() / min(at, n_relevant))
