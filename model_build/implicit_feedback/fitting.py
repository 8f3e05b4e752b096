"""Fitting ALS to what is visible of masked interactions, and measuring it as it learns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from app.recommender.engines.als import Strengths, fan_system, solution
from model_build.engines.als import Settings, fit_iterations
from model_build.implicit_feedback.masking import Masked, Side
from model_build.implicit_feedback.measuring import ScoreRows, Singles, by_factors, measure

Measured = Mapping[str, float]


def strengths_of(masked: Masked, side: Side, strengths: Strengths) -> csr_matrix:
    """The strength of what is visible, (fans, anime) float32."""
    entries, favourite = masked.interactions.entries, masked.interactions.favourite
    value = strengths.of(entries.status[side.rows], favourite[side.rows]).astype(np.float32)
    seen = side.visible
    return csr_matrix((value, seen.indices, seen.indptr), shape=seen.shape)


def fit_and_measure(
    masked: Masked,
    settings: Settings,
    iterations: Collection[int],
    found: Callable[[int, float, Measured], None],
    *,
    new: Side | None = None,
    known: bool = True,
    threads: int = 0,
) -> None:
    """Fit once; after each of ``iterations`` tell ``found`` the seconds and how good the fit is.

    Every iteration begins where the one before ended, so the factors after ten of fifty are those
    of a fit of ten. Measures of fans trained on have the plain names; ``new_`` are those of fans
    (default: all that were kept from training) who are folded in as the app does it.
    """
    new = masked.new if new is None else new
    trained = strengths_of(masked, masked.known, settings.strengths)
    of_new = strengths_of(masked, new, settings.strengths)

    def after(iteration: int, seconds: float, fans: Singles, anime: Singles) -> None:
        if iteration not in iterations:
            return
        measured: dict[str, float] = {}
        if known:
            measured |= measure(masked.known, by_factors(fans, anime))
        folded = measure(new, folded_in(anime, of_new, settings))
        measured |= {f"new_{name}": value for name, value in folded.items()}
        found(iteration, seconds, measured)

    most = replace(settings, iterations=max(iterations))
    fit_iterations(trained, most, after=after, threads=threads)


def measured_once(
    masked: Masked, settings: Settings, *, new: Side | None = None, known: bool = True
) -> tuple[float, Measured]:
    """The seconds of a fit, and how good it is after its last iteration."""
    found: list[tuple[float, Measured]] = []

    def last(iteration: int, seconds: float, measured: Measured) -> None:
        if iteration == settings.iterations:
            found.append((seconds, measured))

    fit_and_measure(masked, settings, (settings.iterations,), last, new=new, known=known)
    return found[0]


def folded_in(anime: Singles, lists: csr_matrix, settings: Settings) -> ScoreRows:
    """Scores of fans who are not in the factors, from the strengths of what is on their lists."""
    exact = anime.astype(np.float64)
    return partial(_fold_in, exact, exact.T @ exact, lists, settings)


def _fold_in(
    exact: npt.NDArray[np.float64],
    gram: npt.NDArray[np.float64],
    lists: csr_matrix,
    settings: Settings,
    first: int,
    last: int,
) -> Singles:
    fans = np.empty((last - first, exact.shape[1]))
    for row in range(first, last):
        own = slice(lists.indptr[row], lists.indptr[row + 1])
        listed, confidence = exact[lists.indices[own]], settings.alpha * lists.data[own]
        system = fan_system(listed, confidence, gram, settings.regularization)
        fans[row - first] = solution(system, confidence @ listed, settings.regularization)
    return np.asarray(fans.astype(np.float32) @ exact.T.astype(np.float32), np.float32)
