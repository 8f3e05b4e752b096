"""Alternating least squares for implicit feedback (Hu, Koren and Volinsky 2008).

Fitted by the package `implicit`; users are folded in by `app.recommender.engines.als`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field

import numpy as np
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from app.recommender.array_types import Float32Array, Int32Array, Int64Array
from app.recommender.engines import AlsEngine
from app.recommender.engines.als import InteractionStrengths
from model_build.data.interactions import Interactions
from model_build.engines.base import FittedEngine
from model_build.util.errors import InputError

IterationCallback = Callable[[int, float, Float32Array, Float32Array], None]
"""Given the number of an iteration (from 1), the seconds of all so far, and the users' and the
anime's factors, which the next iteration changes."""


@dataclass(frozen=True, slots=True)
class AlsSettings:
    """What can be set. ``alpha`` times an entry's strength is its confidence."""

    factors: int = 20
    regularization: float = 0.1
    iterations: int = 50
    alpha: float = 15.0
    strengths: InteractionStrengths = field(default_factory=InteractionStrengths)
    seed: int = 0


SETTINGS_GRID = (
    AlsSettings(),
    AlsSettings(
        factors=80,
        iterations=20,
        strengths=InteractionStrengths(
            completed=0.1875,
            favourite=0.15625,
            watching=0.25,
            planned=0.046875,
            on_hold=0.0625,
            dropped=0.125,
            commented=0.0625,
            reviewed=0.09375,
        ),
    ),
)
"""Where a search begins, and where one ended (`docs/implicit.md`)."""


def entry_strengths(
    interactions: Interactions, strengths: InteractionStrengths, rows: Int64Array
) -> Float32Array:
    """Return the strength of the entries at ``rows``, (rows,)."""
    found = strengths.for_entries(
        interactions.entries.status[rows],
        interactions.favourite[rows],
        interactions.activity.select(rows),
    )
    return found.astype(np.float32)


def weighted_user_items(interactions: Interactions, strengths: InteractionStrengths) -> csr_matrix:
    """Users by anime, float32: the strength of what stands on the list."""
    entries = interactions.entries
    shape = (len(entries.user_ids), len(entries.anime_ids))
    value = entry_strengths(interactions, strengths, np.arange(len(interactions)))
    return csr_matrix((value, (entries.user, entries.item)), shape=shape)


def fit_als_factors(
    user_items: csr_matrix,
    settings: AlsSettings,
    *,
    on_iteration: IterationCallback | None = None,
    progress: bool = False,
) -> Float32Array:
    """Return the anime's factors, (anime, factors), for strengths (users, anime)."""
    from implicit.cpu.als import AlternatingLeastSquares
    from implicit.recommender_base import ModelFitError

    taken: list[float] = []
    # implicit has threads of its own and asks that BLAS has none.
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors=settings.factors,
            regularization=settings.regularization,
            alpha=settings.alpha,
            iterations=settings.iterations,
            random_state=settings.seed,
        )

        def record_iteration(iteration: int, seconds: float, _loss: float | None) -> None:
            taken.append(seconds)
            _check_factors(model.item_factors, settings)
            if on_iteration is not None:
                on_iteration(iteration + 1, sum(taken), model.user_factors, model.item_factors)

        # It stops at factors that are no numbers; what that means to whoever asked is said here.
        with suppress(ModelFitError):
            model.fit(user_items, show_progress=progress, callback=record_iteration)
        _check_factors(model.item_factors, settings)
    return np.asarray(model.item_factors, np.float32)


def _check_factors(item_factors: Float32Array, settings: AlsSettings) -> None:
    if not np.isfinite(item_factors).all():
        raise InputError(
            f"ALS came to no numbers with alpha {settings.alpha:g}, regularization "
            f"{settings.regularization:g} and these strengths; the defaults come to some."
        )


def als_engine(item_factors: Float32Array, settings: AlsSettings) -> AlsEngine:
    """Return the engine over anime with these factors (n, f), without a file."""
    exact = item_factors.astype(np.float64)
    return AlsEngine(
        item_factors,
        exact.T @ exact,
        settings.regularization,
        settings.alpha,
        settings.strengths,
        np.asarray(item_factors.any(axis=1), bool),
    )


def fit(
    interactions: Interactions, anime_id: Int32Array, settings: AlsSettings | None = None
) -> FittedEngine:
    """Return the engine for a model of the anime ``anime_id`` (n,), fitted to all interactions."""
    settings = settings or AlsSettings()
    user_items = weighted_user_items(interactions, settings.strengths)
    factors = fit_als_factors(user_items, settings, progress=sys.stderr.isatty())
    entries = interactions.entries
    factors[np.bincount(entries.item, minlength=len(factors)) == 0] = 0.0
    hyperparameters = {
        "regularization": settings.regularization,
        "alpha": settings.alpha,
        "iterations": settings.iterations,
        "seed": settings.seed,
        **asdict(settings.strengths),
    }
    fitted = FittedEngine({"item_factors": factors}, hyperparameters)
    return fitted.align(entries.anime_ids, anime_id)
