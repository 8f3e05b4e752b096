"""How good a model is for fans that it was not trained on.

What is measured is what is served: the same fold-in, prediction and ranking as in the app, over
every anime that is not on the visible list (no adult or type filter). A held-out anime scored 8 or
more is relevant. Formulas: `docs/evaluation.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from app.catalogue import Catalogue
from app.recommender import EngineName, Listed, Model, Order, Wish
from app.recommender.recommend import score_all
from model_build.fans import Fan, cut_to, fans_of
from model_build.measures import report, values
from model_build.observing import Anime, Ranker, Ranking, observe, rank_all_unlisted

__all__ = ["Fan", "by_length", "catalogue_facts", "evaluate", "facts_of", "fans_of", "rank_with"]

LENGTHS = (5, 20, 100, 500)
OF_LENGTH = ("users", "rmse", "ndcg@10", "new_ndcg@10", "coverage")


def rank_with(
    model: Model, order: Order = Order.MATCH, engine: EngineName = EngineName.HAKKEN
) -> Ranker:
    """The model's ranking of all anime, before the franchise rules."""

    def rank(listed: Listed) -> Ranking:
        scores = score_all(model, listed, Wish(order=order, engine=engine))

        def error(wanted: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
            return scores.errors(model, wanted)

        return Ranking(scores.sort_key, scores.allowed, scores.predicted_score, error)

    return rank


def facts_of(model: Model, franchise: npt.NDArray[np.int64], genres: Sequence[str] = ()) -> Anime:
    """What the measures need to know of the model's anime; ``franchise`` (n,) is -1 if unknown."""
    fans = model.manifest.counts["fans"]
    return Anime.of(model.anime_id, franchise, model.entry_count, fans, genres)


def catalogue_facts(
    catalogue: Catalogue, anime_id: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Franchises (n,), -1 where unknown, and genres of anime."""
    ids = anime_id.tolist()
    groups = catalogue.column("franchise_id", ids)
    franchise = np.array([-1 if group is None else group for group in groups], np.int64)
    return franchise, catalogue.column("genres", ids)


def evaluate(
    model: Model,
    franchise: npt.NDArray[np.int64],
    fans: Sequence[Fan],
    *,
    genres: Sequence[str] = (),
    ranker: Ranker | None = None,
    seed: int = 0,
    progress: bool = False,
) -> dict[str, Any]:
    """All measures of a model over the fans: numbers by name, and the tables of `report`.

    ``ranker`` is how the model is asked, by default as a visitor who chooses nothing would.
    Relevant anime that the model does not know count as not found.
    """
    anime = facts_of(model, franchise, genres)
    observed = observe(ranker or rank_with(model), anime, fans, progress=progress, name="evaluate")
    return report(observed, anime, seed=seed)


def by_length(
    rank: Ranker,
    anime: Anime,
    fans: Sequence[Fan],
    *,
    lengths: Sequence[int] = LENGTHS,
    seed: int = 0,
    progress: bool = False,
) -> dict[str, dict[str, float | int]]:
    """The main measures when only some entries are seen of every list that has as many.

    Entries cut away are neither candidates nor misses. ``popularity_ndcg@10`` is that of showing
    every fan the anime on most lists, on the same lists. A length that no fan has is left out.
    """
    popularity = rank_all_unlisted(anime, lambda _: anime.lists.astype(np.float64))
    table = {}
    for length in lengths:
        short = cut_to(fans, length, seed)
        if not short:
            continue
        observed = observe(rank, anime, short, progress=progress, name=f"{length} titles")
        found = values(observed, anime)
        popular = values(observe(popularity, anime, short), anime)
        table[str(length)] = {name: found[name] for name in OF_LENGTH} | {
            "popularity_ndcg@10": popular["ndcg@10"]
        }
    return table
