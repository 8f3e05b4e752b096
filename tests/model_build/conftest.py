from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from app.recommender.user_list import EntryActivity
from model_build.data.interactions import Interactions, MaskedInteractions, mask_interactions
from model_build.data.ratings import index_ratings
from tests.model_build.places import BucketForModels, DirectoryForModels, PlaceForModels
from tests.model_build.worlds import random_frame
from tests.storage_emulator import StorageEmulator


@pytest.fixture
def bucket(emulator: StorageEmulator) -> BucketForModels:
    return BucketForModels(emulator)


@pytest.fixture
def directory(tmp_path: Path) -> DirectoryForModels:
    return DirectoryForModels(tmp_path / "place")


@pytest.fixture(params=["directory", "bucket"])
def place(request: pytest.FixtureRequest) -> PlaceForModels:
    """A directory and a bucket, looked at from outside of what is tested."""
    found: PlaceForModels = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def did() -> pl.DataFrame:
    """What made-up fans did, as `collect` writes it: what they love most are favourites."""
    frame = random_frame(5, 70, 50, 0.4, unscored=0.4)
    return frame.with_columns((pl.col("rating") >= 10).alias("favourite"))


@pytest.fixture(scope="session")
def interactions(did: pl.DataFrame) -> Interactions:
    entries = index_ratings(did.with_columns(pl.col("rating").cast(pl.Float64)))
    # Lines are written about what is loved; everything else was spent two hours on.
    activity = EntryActivity(
        (did["rating"] >= 9).to_numpy(), np.zeros(len(did), bool), np.full(len(did), 2.0)
    )
    return Interactions(entries, did["favourite"].to_numpy(), activity)


@pytest.fixture(scope="session")
def masked(interactions: Interactions) -> MaskedInteractions:
    found = mask_interactions(interactions, seed=1, new_user_share=0.3)
    assert np.any(interactions.favourite)
    return found
