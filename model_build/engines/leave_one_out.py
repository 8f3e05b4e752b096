"""What a Gaussian process foretells of each of its observations from all the others."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class LeaveOneOutMean(torch.autograd.Function):
    """Means for systems K (b, m, m), noise included, and observations y (b, m).

    With C = K^-1 and w = C y, y_i would be foretold as y_i - w_i / C_ii from the others (Rasmussen
    and Williams 2006, section 5.4.2): one inverse gives all. Where K has none, everything is NaN.
    """

    @staticmethod
    def forward(ctx: Any, system: Tensor, observed: Tensor) -> Tensor:
        lower, failed = torch.linalg.cholesky_ex(system)
        inverse = torch.cholesky_inverse(lower)
        inverse = inverse.masked_fill(failed[:, None, None] != 0, torch.nan)
        weight = torch.einsum("bij,bj->bi", inverse, observed)
        own = torch.diagonal(inverse, dim1=1, dim2=2)
        ctx.save_for_backward(inverse, weight, own)
        return observed - weight / own

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, Tensor]:
        """With C' = -C K' C: of the quotient w / C_ii, towards w and towards C_ii."""
        inverse, weight, own = ctx.saved_tensors
        pull = torch.einsum("bij,bj->bi", inverse, -slope / own)
        through = (inverse * (slope * weight / own**2)[:, None, :]) @ inverse
        outer = pull[:, :, None] * weight[:, None, :]
        return -through - 0.5 * (outer + outer.transpose(1, 2)), slope + pull
