"""Alternating least squares for what fans did, by the package `implicit` (`app...engines.als`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from app.recommender.engines.als import Strengths
from model_build.engines.base import FittedEngine, rows_of
from model_build.errors import InputError
from model_build.interactions import Interactions

Singles = npt.NDArray[np.float32]
After = Callable[[int, float, Singles, Singles], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set. ``alpha`` times an entry's strength is its confidence."""

    factors: int = 20
    regularization: float = 0.1
    iterations: int = 50
    alpha: float = 15.0
    strengths: Strengths = field(default_factory=Strengths)
    seed: int = 0


SETTINGS = (
    Settings(),
    Settings(
        factors=80,
        iterations=20,
        strengths=Strengths(
            completed=0.1875,
            favourite=0.15625,
            watching=0.25,
            planned=0.046875,
            on_hold=0.0625,
            dropped=0.125,
        ),
    ),
)
"""Where a search begins, and where one ended (`docs/implicit.md`)."""


def strength_matrix(interactions: Interactions, strengths: Strengths) -> csr_matrix:
    """Fans by anime, float32: the strength of what stands on the list."""
    entries = interactions.entries
    value = strengths.of(entries.status, interactions.favourite).astype(np.float32)
    shape = (len(entries.user_ids), len(entries.anime_ids))
    return csr_matrix((value, (entries.user, entries.item)), shape=shape)


def fit_iterations(
    lists: csr_matrix,
    settings: Settings,
    *,
    after: After | None = None,
    threads: int = 0,
    progress: bool = False,
) -> Singles:
    """The anime's factors, (anime, factors); fans' are not kept.

    ``after`` every iteration is told its number (from 1), the seconds that all took so far, and the
    fans' and the anime's factors, which the next one changes.

    Raises:
        InputError: `implicit` is not installed.
    """
    try:
        from implicit.cpu.als import AlternatingLeastSquares
    except ImportError:
        raise InputError(
            "ALS needs the package implicit: pip install -r requirements-build.txt"
        ) from None
    taken: list[float] = []
    # implicit has threads of its own and asks that BLAS has none.
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors=settings.factors,
            regularization=settings.regularization,
            alpha=settings.alpha,
            iterations=settings.iterations,
            random_state=settings.seed,
            num_threads=threads,
        )

        def each(iteration: int, seconds: float, _loss: float | None) -> None:
            taken.append(seconds)
            if after is not None:
                after(iteration + 1, sum(taken), model.user_factors, model.item_factors)

        model.fit(lists, show_progress=progress, callback=each)
    return np.asarray(model.item_factors, np.float32)


def fit(
    interactions: Interactions,
    anime_id: npt.NDArray[np.int32],
    settings: Settings | None = None,
    *,
    progress: bool = False,
) -> FittedEngine:
    """The engine for a model of the anime ``anime_id`` (n,), fitted to all interactions."""
    settings = settings or Settings()
    lists = strength_matrix(interactions, settings.strengths)
    factors = fit_iterations(lists, settings, progress=progress)
    entries = interactions.entries
    row = rows_of(anime_id, entries.anime_ids)
    there = (row >= 0) & (np.bincount(entries.item, minlength=len(factors))[row] > 0)
    factor = np.zeros((len(anime_id), settings.factors), np.float32)
    factor[there] = factors[row[there]]
    return FittedEngine(
        {"factor": factor},
        {
            "regularization": settings.regularization,
            "alpha": settings.alpha,
            "iterations": settings.iterations,
            "seed": settings.seed,
            **asdict(settings.strengths),
        },
    )
