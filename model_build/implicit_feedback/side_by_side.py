"""ALS beside popularity and Hakken's own ranking, on the same masked interactions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from app.recommender import Listed, Model
from model_build.catalogue import encode_catalogue
from model_build.comparison import trained_model
from model_build.engines.als import Settings
from model_build.evaluation import rank_with
from model_build.implicit_feedback.fitting import Measured, measured_once
from model_build.implicit_feedback.masking import Masked, Side
from model_build.implicit_feedback.measuring import ScoreRows, Singles, measure, the_same
from model_build.observing import Ranker
from model_build.ratings import indexed


@dataclass(frozen=True, slots=True)
class Row:
    """One recommender: measures of fans trained on, ``new_`` ones of others."""

    title: str
    fit_seconds: float
    measured: Measured


def compare(
    masked: Masked,
    settings: Mapping[str, Settings],
    catalogue: pl.DataFrame | None = None,
    *,
    hakken: bool = True,
    new: Side | None = None,
) -> Iterator[Row]:
    """Rows for popularity, ALS with each of the settings, and Hakken, as soon as they are known.

    ``new`` are fans kept from training to measure on; all of them by default. Hakken's own ranking
    learns from scores, and is left out where there are none.
    """
    new = masked.new if new is None else new
    popular = the_same(masked.popularity)
    yield Row("Popularity", 0.0, _both(masked, new, popular, popular))
    for title, each in settings.items():
        yield Row(title, *measured_once(masked, each, new=new))
    entries = masked.interactions.entries
    if hakken and entries.scored[masked.known.rows].any():
        yield _hakken(masked, new, catalogue)


def _hakken(masked: Masked, new: Side, catalogue: pl.DataFrame | None) -> Row:
    rows = masked.known.rows
    entries = masked.interactions.entries
    training = indexed(
        pl.DataFrame(
            {
                "user_id": entries.user[rows],
                "anime_id": entries.anime_ids[entries.item[rows]],
                "rating": entries.rating[rows],
                "status": entries.status[rows],
            }
        )
    )
    with trained_model(training, encode_catalogue(catalogue, training.anime_ids), False) as (
        model,
        seconds,
    ):
        rank = rank_with(model)
        rank(
            Listed.of([(int(model.anime_id[0]), 8.0, 2)])
        )  # compiles what is compiled at first use
        known, others = (_asked(masked, side, model, rank) for side in (masked.known, new))
        return Row("Hakken, best match", seconds, _both(masked, new, known, others))


def _asked(masked: Masked, side: Side, model: Model, rank: Ranker) -> ScoreRows:
    """What the model sorts by, of every anime; behind all others what it would not show."""
    entries = masked.interactions.entries
    column = np.searchsorted(masked.anime_id, model.anime_id)
    start = side.visible.indptr

    def score(first: int, last: int) -> Singles:
        rows = np.full((last - first, len(masked.anime_id)), -np.inf, np.float32)
        for fan in range(first, last):
            own: npt.NDArray[np.int64] = side.rows[start[fan] : start[fan + 1]]
            ranking = rank(
                Listed(
                    entries.anime_ids[entries.item[own]].astype(np.int64),
                    entries.rating[own],
                    entries.status[own],
                    masked.interactions.favourite[own],
                )
            )
            rows[fan - first, column] = np.where(ranking.allowed, ranking.sort_key, -np.inf)
        return rows

    return score


def _both(masked: Masked, new: Side, known: ScoreRows, others: ScoreRows) -> Measured:
    of_new = measure(new, others)
    return measure(masked.known, known) | {f"new_{name}": each for name, each in of_new.items()}
