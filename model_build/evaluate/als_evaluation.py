"""Fitting ALS to what is visible of masked interactions, and measuring it as it learns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
from scipy.sparse import csr_matrix

from app.recommender.array_types import Float32Array, Float64Array
from app.recommender.engines.als import (
    InteractionStrengths,
    solve_least_squares,
    user_normal_matrix,
)
from model_build.data.masking import MaskedInteractions, MaskedUsers
from model_build.engines.als import AlsSettings, fit_als_factors
from model_build.evaluate.masked_evaluation import BlockScorer, evaluate_scores, factor_scorer

ImplicitMetrics = Mapping[str, float]


def visible_user_items(
    masked: MaskedInteractions, users: MaskedUsers, strengths: InteractionStrengths
) -> csr_matrix:
    """The strength of what is visible, (fans, anime) float32."""
    entries, favourite = masked.interactions.entries, masked.interactions.favourite
    value = strengths.for_entries(
        entries.status[users.visible_rows], favourite[users.visible_rows]
    ).astype(np.float32)
    seen = users.visible
    return csr_matrix((value, seen.indices, seen.indptr), shape=seen.shape)


def evaluate_iterations(
    masked: MaskedInteractions,
    settings: AlsSettings,
    iterations: Collection[int],
    on_metrics: Callable[[int, float, ImplicitMetrics], None],
    *,
    new_users: MaskedUsers | None = None,
    measure_known: bool = True,
    threads: int = 0,
) -> None:
    """Fit once; after each of ``iterations`` tell ``found`` the seconds and how good the fit is.

    Every iteration begins where the one before ended, so the factors after ten of fifty are those
    of a fit of ten. Measures of fans trained on have the plain names; ``new_`` are those of fans
    (default: all that were kept from training) who are folded in as the app does it.
    """
    new_users = masked.new_users if new_users is None else new_users
    trained = visible_user_items(masked, masked.known_users, settings.strengths)
    of_new = visible_user_items(masked, new_users, settings.strengths)

    def on_iteration(
        iteration: int, seconds: float, fans: Float32Array, anime: Float32Array
    ) -> None:
        if iteration not in iterations:
            return
        measured: dict[str, float] = {}
        if measure_known:
            measured |= evaluate_scores(masked.known_users, factor_scorer(fans, anime))
        folded = evaluate_scores(new_users, fold_in_scorer(anime, of_new, settings))
        measured |= {f"new_{name}": value for name, value in folded.items()}
        on_metrics(iteration, seconds, measured)

    most = replace(settings, iterations=max(iterations))
    fit_als_factors(trained, most, on_iteration=on_iteration, threads=threads)


def fit_and_evaluate(
    masked: MaskedInteractions,
    settings: AlsSettings,
    *,
    new_users: MaskedUsers | None = None,
    measure_known: bool = True,
) -> tuple[float, ImplicitMetrics]:
    """The seconds of a fit, and how good it is after its last iteration."""
    found: list[tuple[float, ImplicitMetrics]] = []

    def keep_last(iteration: int, seconds: float, measured: ImplicitMetrics) -> None:
        if iteration == settings.iterations:
            found.append((seconds, measured))

    evaluate_iterations(
        masked,
        settings,
        (settings.iterations,),
        keep_last,
        new_users=new_users,
        measure_known=measure_known,
    )
    return found[0]


def fold_in_scorer(
    item_factors: Float32Array, user_items: csr_matrix, settings: AlsSettings
) -> BlockScorer:
    """Scores of fans who are not in the factors, from the strengths of what is on their lists."""
    exact = item_factors.astype(np.float64)
    return partial(_fold_in_scores, exact, exact.T @ exact, user_items, settings)


def _fold_in_scores(
    item_factors: Float64Array,
    gram: Float64Array,
    user_items: csr_matrix,
    settings: AlsSettings,
    first: int,
    last: int,
) -> Float32Array:
    fans = np.empty((last - first, item_factors.shape[1]))
    for row in range(first, last):
        own = slice(user_items.indptr[row], user_items.indptr[row + 1])
        listed, confidence = (
            item_factors[user_items.indices[own]],
            settings.alpha * user_items.data[own],
        )
        system = user_normal_matrix(listed, confidence, gram, settings.regularization)
        fans[row - first] = solve_least_squares(
            system, confidence @ listed, settings.regularization
        )
    return np.asarray(fans.astype(np.float32) @ item_factors.T.astype(np.float32), np.float32)
