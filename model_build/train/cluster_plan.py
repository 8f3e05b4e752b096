"""Into what the work is cut, so that it fits into the memory of the workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from model_build.train.cluster import ClusterResources

ProgressCallback = Callable[[str, int, int], None]
"""Called with a step, how much of it is done, and of how much."""

WORKER_ENTRY_BYTES = 48
"""What a worker holds for an entry at most: as read, and grouped with its values."""
SHARD_MEMORY_SHARE, BLOCK_MEMORY_SHARE = 0.3, 0.05


@dataclass(frozen=True, slots=True)
class ShardingPlan:
    """Into what the work is cut: how many shards, and the bytes of a block at most."""

    n_shards: int
    block_bytes: int


def plan_sharding(resources: ClusterResources, entries: int) -> ShardingPlan:
    """As few shards as fit into memory, but work for every thread.

    With each further shard there is one more block of sums to be sent for each block of rows.
    """
    fitting = int(SHARD_MEMORY_SHARE * resources.bytes_per_thread / WORKER_ENTRY_BYTES)
    return ShardingPlan(
        max(resources.threads, -(-entries // fitting)),
        int(BLOCK_MEMORY_SHARE * resources.bytes_per_thread),
    )


def no_progress(_step: str, _done: int, _of: int) -> None:
    """For who need not be told."""
