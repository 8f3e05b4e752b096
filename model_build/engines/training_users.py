"""The fans that an engine was fitted to, as nameless vectors, for a model that is to keep them.

Such a model holds, of every fan, a vector made of the list and what the fan loved most: rows of
people. The bundled model has none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from app.recommender import Model
from app.recommender.array_types import Int32Array
from app.recommender.engines import Engine
from app.recommender.training_users import LOVED_MIN_SCORE, MAX_LOVED_ITEMS
from app.recommender.user_list import KnownEntries
from model_build.data.interactions import Interactions


def training_user_arrays(
    model: Model, engine: Engine, interactions: Interactions, *, progress: bool = False
) -> dict[str, npt.NDArray[Any]]:
    """``training_users_embedding`` (f, d) float32 of length 1, ``training_users_indptr`` (f + 1,) and ``training_users_indices``.

    Every fan is folded in as a visitor would be; one who loved nothing, or of whom the engine can
    say nothing, is left out. Loved are at most `MOST_LOVED` of the scores from `LOVED_SCORE`, those
    furthest above what the anime gets from others first. Fans come in a shuffled order.
    """
    ratings = interactions.entries
    position = model.find_positions(ratings.anime_ids.astype(np.int64))
    order = np.lexsort((position[ratings.item], ratings.user))
    edges = np.cumsum(np.bincount(ratings.user, minlength=len(ratings.user_ids)))
    vectors, loved = [], []
    rows = np.split(order, edges[:-1])
    shuffled = np.random.default_rng(0).permutation(len(rows))
    for fan in tqdm(shuffled.tolist(), "fans", unit=" fan", disable=not progress):
        at = rows[fan][position[ratings.item[rows[fan]]] >= 0]
        known = KnownEntries(
            position[ratings.item[at]],
            ratings.rating[at],
            ratings.status[at],
            interactions.favourite[at],
        )
        most = _favourite_items(model, known)
        vector = engine.user_embedding(known) if len(most) else np.zeros(1)
        length = np.linalg.norm(vector)
        if length:
            vectors.append((vector / length).astype(np.float32))
            loved.append(most)
    start = np.concatenate([[0], np.cumsum([len(most) for most in loved], dtype=np.int64)])
    return {
        "training_users_embedding": np.stack(vectors) if vectors else np.empty((0, 1), np.float32),
        "training_users_indptr": start.astype(np.int64),
        "training_users_indices": np.concatenate([np.empty(0, np.int32), *loved]).astype(np.int32),
    }


def _favourite_items(model: Model, known: KnownEntries) -> Int32Array:
    high = known.score >= LOVED_MIN_SCORE
    at, above = known.position[high], known.score[high] - model.item_bias[known.position[high]]
    return at[np.argsort(-above, kind="stable")[:MAX_LOVED_ITEMS]].astype(np.int32)
