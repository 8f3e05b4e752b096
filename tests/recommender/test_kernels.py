"""The compiled loops of serving, against sorting."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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


LOADED = """
import sys
import numpy as np
from app.recommender.kernels import compiled_here, solve_lower
print(solve_lower(np.array([[2.0, 0.0], [1.0, 4.0]]), np.array([[2.0], [9.0]])).ravel().tolist())
print("numba.np.linalg" in sys.modules, compiled_here())
single = solve_lower(np.eye(1, dtype=np.float32), np.ones((1, 1), np.float32))
print(single.tolist(), compiled_here())
"""
"""The second call is for types of which there is no machine code yet."""


def test_machine_code_is_loaded_without_the_compiler_and_compiled_where_there_is_none(
    tmp_path: Path,
) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", LOADED]
    first, second = (
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    assert first.split("\n") == ["[1.0, 2.0]", "True True", "[[1.0]] True", ""]
    assert second.split("\n") == ["[1.0, 2.0]", "False False", "[[1.0]] False", ""]
