"""Which anime are like one: by what is scored alike, by who picks them, or by an engine's vectors.

An engine gives an anime that few users scored a vector all the same, one that may point anywhere.
So the cosine with an anime is shrunk by what it is known from, n / (n + s) with the model's
``similar_items_shrinkage``: of two as near, the better known is the more alike, and what three
users scored is like nothing.

The affinity to what is well known is large whatever was picked. So it is divided by a power of how
many lists that is on, ``similar_items_popularity``.
"""

from __future__ import annotations

import numpy as np

from app.recommender.array_types import BoolArray, Float64Array
from app.recommender.engines import EngineName
from app.recommender.model import Model
from app.recommender.rank import top_items

MATRICES = ("similarity", "affinity")
"""What every model has, beside its engines."""


def similarity_sources(model: Model) -> tuple[str, ...]:
    """Return by what anime can be alike: `MATRICES`, and the model's engines."""
    return (*MATRICES, *model.engines)


def similar_items(
    model: Model, source: str, position: int, *, count: int, allowed: BoolArray | None = None
) -> list[tuple[int, float]]:
    """Return the anime most like one by a source, and how alike they are, best first.

    Only those where ``allowed`` (n,) bool, where that is given.

    Raises
    ------
    KeyError
        The model has no such engine.
    """
    weight = similarity_weights(model, source, position)
    shown = weight > 0
    shown[position] = False
    if allowed is not None:
        shown &= allowed
    best = top_items(weight, shown, count)
    return list(zip(best.tolist(), weight[best].tolist(), strict=True))


def similarity_weights(model: Model, source: str, position: int) -> Float64Array:
    """How alike every anime is to one, (n,); 0 or less where nothing says so."""
    if source == "similarity":
        weight = np.zeros(len(model))
        positions, weights = model.similarity.column_entries(position)
        weight[positions] = weights
        return weight
    if source == "affinity":
        weight, affinity = np.zeros(len(model)), model.affinity_matrix
        row = slice(affinity.indptr[position], affinity.indptr[position + 1])
        others, own = affinity.indices[row], model.parameters
        known_from = model.entry_count[others] / max(own.similar_items_shrinkage, 1.0)
        held_back = (1.0 + known_from) ** own.similar_items_popularity
        weight[others] = affinity.data[row] * affinity.scale / held_back
        return weight
    return _embedding_similarity(model, source, position)


def _embedding_similarity(model: Model, engine: str, position: int) -> Float64Array:
    """Cosines of an engine's vectors with that of one anime, shrunk by what others are known from.

    ALS learns from entries, the others from scores.
    """
    embedding = model.engines[engine].embedding
    length = np.linalg.norm(embedding, axis=1)
    if not length[position]:
        return np.zeros(len(model))
    cosine = np.asarray(embedding @ (embedding[position] / length[position]), np.float64)
    cosine /= np.where(length > 0, length, 1.0)
    known_from = model.entry_count if engine == EngineName.ALS else model.rating_count
    return cosine * (known_from / (known_from + model.parameters.similar_items_shrinkage))
