"""What benchmarks/dask_constants works out of what it measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.dask_constants import CostConstants, WorkloadSize, estimate_cost
from model_build.train.cluster import ClusterResources

CONSTANTS = CostConstants(**dict.fromkeys(CostConstants.__slots__, 1e-9))
ONES = replace(CONSTANTS, entries_per_rating=2.0, score_pairs=100.0, entry_pairs=200.0)


def test_the_reduction_sends_a_triangle_for_each_further_shard_and_kind() -> None:
    size = WorkloadSize(10_000_000, 1000, 1000, ClusterResources(4, 1_000_000_000), 1e8, 2)
    needed = estimate_cost(ONES, size)
    assert needed["shards"] == 4
    assert needed["GB of sums of one kind"] == pytest.approx(32 * 1000**2 / 2 / 1e9)
    assert needed["GB sent in the reduction, at most"] == pytest.approx(3 * 3 * 0.016)
    assert needed["hours, network"] == pytest.approx(0.144e9 / 4e8 / 3600)
    assert needed["hours, pairs of scores"] == pytest.approx(2 * 1e7 * 100 * 1e-9 / 4 / 3600)
    hours = [value for name, value in needed.items() if name.startswith("hours, ")]
    assert needed["hours in all"] == pytest.approx(sum(hours))


def test_more_memory_means_fewer_shards_and_less_to_send() -> None:
    little = estimate_cost(
        ONES, WorkloadSize(10**9, 50_000, 20_000, ClusterResources(8, 2_000_000_000), 1e8, 2)
    )
    much = estimate_cost(
        ONES, WorkloadSize(10**9, 50_000, 20_000, ClusterResources(8, 8_000_000_000), 1e8, 2)
    )
    assert much["shards"] == pytest.approx(little["shards"] / 4, rel=0.02)
    name = "GB sent in the reduction, at most"
    assert much[name] < little[name] / 3.9
    assert much["GB the client needs"] == little["GB the client needs"]
