"""What a model says of its anime is checked before anything relies on it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from app.recommender.artifact import ArtifactError
from app.recommender.franchise import skip_extras
from app.recommender.reranking.content_features import ContentFeatures
from model_build.train.item_facts import content_feature_arrays
from tests.recommender.reranking.artifacts import reader_of

IDS = np.arange(1, 13, dtype=np.int32)
ENTRIES = np.arange(12, 0, -1, dtype=np.int32)
CATALOGUE = pl.DataFrame(
    {
        "anime_id": IDS.astype(np.int64),
        "type": ["TV"] * 12,
        "episodes": [12] * 12,
        "genres": ["Drama"] * 12,
        "franchise_id": [7] * 3 + [None] * 9,
        "watch_order": [0, 1, 2] + [None] * 9,
        "is_extra": [False] * 12,
        "relation_kind": [None, "sequel", "sequel"] + [None] * 9,
        "relation_id": [None, 1, 2] + [None] * 9,
    }
)


def test_arrays_say_what_the_catalogue_does() -> None:
    arrays = content_feature_arrays(CATALOGUE, IDS).arrays
    found = ContentFeatures.from_arrays(reader_of(arrays), ENTRIES)
    assert found is not None
    assert found.franchises.prequel.tolist() == [-1, 0, 1] + [-1] * 9
    assert found.franchises.watch_order.tolist() == [0, 1, 2]
    assert found.word_shares.tolist() == [1.0]
    assert (
        len(set(found.franchises.series_number.tolist())) == 10
    )  # one series and nine by themselves
    assert ContentFeatures.from_arrays(reader_of({}), ENTRIES) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("item_media_type", 99),
        ("item_media_type", -2),
        ("item_franchise", 10**6),
        ("item_prequel", 12),
        ("item_word_indptr", -1),
        ("item_word_indices", 1),
        ("word_kind", 4),
    ],
)
def test_what_points_past_what_there_is_is_refused(name: str, value: int) -> None:
    arrays = content_feature_arrays(CATALOGUE, IDS).arrays
    damaged = arrays[name].copy()
    damaged[0] = value
    with pytest.raises(ArtifactError, match=rf"{name}\.npy: (points past what|offsets must)"):
        ContentFeatures.from_arrays(reader_of(arrays | {name: damaged}), ENTRIES)


def test_a_sequel_of_extras_continues_what_these_do() -> None:
    prequel = np.array([-1, 0, 1, 2, 5, 4])
    is_extra = np.array([False, True, True, False, True, True])
    # The last two go round in a circle: nothing but extras comes before them.
    assert skip_extras(prequel, is_extra).tolist() == [-1, 0, 0, 0, -1, -1]
