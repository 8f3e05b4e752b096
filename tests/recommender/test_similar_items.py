"""Anime alike by every source, against plain loops; what hardly anybody rated comes last."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.recommender import Model
from app.recommender.similar_items import similar_items, similarity_sources
from tests.model_build.worlds import dense_similarity

ANIME = 5


@pytest.fixture
def model(crowded_model: Path) -> Model:
    return Model.open(crowded_model)


def best(weight: np.ndarray, count: int) -> list[int]:
    shown = [at for at in range(len(weight)) if at != ANIME and weight[at] > 0]
    return sorted(shown, key=lambda at: (-weight[at], at))[:count]


def test_by_the_angle_shrunk_by_what_each_is_known_from(model: Model) -> None:
    factor = model.engines["als"].embedding.astype(np.float64)
    unit = factor / np.linalg.norm(factor, axis=1, keepdims=True)
    lists, shrinkage = model.entry_count.astype(float), model.parameters.similar_items_shrinkage
    expected = unit @ unit[ANIME] * lists / (lists + shrinkage)
    found = similar_items(model, "als", ANIME, count=10)
    assert [at for at, _ in found] == best(expected, 10)
    assert [value for _, value in found] == pytest.approx(
        [expected[at] for at, _ in found], abs=1e-5
    )


def test_an_anime_that_hardly_anybody_listed_is_like_nothing(model: Model) -> None:
    ((nearest, _), *_) = similar_items(model, "als", ANIME, count=1)
    model.entry_count = model.entry_count.copy()
    model.entry_count[nearest] = 1
    found = similar_items(model, "als", ANIME, count=len(model))
    assert [at for at, _ in found].index(nearest) > len(found) // 2


@pytest.mark.parametrize(
    ("source", "power"), [("similarity", 0.3), ("affinity", 0), ("affinity", 0.3)]
)
def test_by_the_matrices_that_every_model_has(model: Model, source: str, power: float) -> None:
    """Of the affinity, what is well known goes down by a power of its lists."""
    changes = {"similar_items_popularity": power}
    model = model.with_parameters(model.parameters.model_copy(update=changes))
    if source == "similarity":
        weight = dense_similarity(model)[:, ANIME]
    else:
        matrix, weight = model.affinity_matrix, np.zeros(len(model))
        for at in range(matrix.indptr[ANIME], matrix.indptr[ANIME + 1]):
            weight[matrix.indices[at]] = matrix.data[at] * matrix.scale
        weight /= (1.0 + model.entry_count / 20.0) ** power
    found = similar_items(model, source, ANIME, count=7)
    assert [at for at, _ in found] == best(weight, 7)
    assert [value for _, value in found] == pytest.approx([weight[at] for at, _ in found])


def test_what_may_not_be_shown_is_not(model: Model) -> None:
    allowed = np.arange(len(model)) % 2 == 0
    for source in similarity_sources(model):
        found = similar_items(model, source, ANIME, count=5, allowed=allowed)
        assert found
        assert all(at % 2 == 0 for at, _ in found)


def test_a_source_that_the_model_does_not_have(model: Model) -> None:
    assert similarity_sources(model) == ("similarity", "affinity", "als")
    with pytest.raises(KeyError):
        similar_items(model, "cosine", ANIME, count=5)
