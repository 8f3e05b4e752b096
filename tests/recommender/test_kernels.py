"""The compiled loops of serving, against sorting."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from app.recommender.kernels import quickselect_largest


@given(st.lists(st.sampled_from([0.125, 0.25, 0.5]), max_size=40), st.integers(1, 45), st.data())
@settings(max_examples=200, deadline=None)
def test_the_nearest_come_first_and_of_equals_the_earlier_entry(
    weights: list[float], k: int, data: st.DataObject
) -> None:
    """Few distinct weights, so that nearly always equals straddle the k-th place."""
    which = data.draw(st.permutations(range(len(weights))))
    entries = sorted(zip(weights, which, strict=True), key=lambda entry: (-entry[0], entry[1]))
    selected, weight = np.array(which, np.int64), np.array(weights)
    quickselect_largest(selected, weight, k)
    found = list(zip(weight.tolist(), selected.tolist(), strict=True))
    assert set(found[:k]) == set(entries[:k])
    assert sorted(found) == sorted(entries)
