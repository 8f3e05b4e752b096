from __future__ import annotations

import polars as pl
import pytest

from app.recommender import Model
from tests.model_build.worlds import random_frame, train_model


@pytest.fixture(scope="session")
def world() -> pl.DataFrame:
    """The list entries that `model` is trained on."""
    return random_frame(11, 150, 60, 0.5, step=0.5)


@pytest.fixture(scope="session")
def model(world: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model of sixty anime, most of them rated often enough to be recommended."""
    return train_model(world, tmp_path_factory.mktemp("model"), shrinkage=10, k=8)
