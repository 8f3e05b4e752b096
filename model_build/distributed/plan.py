"""Into what the work is cut, so that it fits into the memory of the workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from model_build.distributed.cluster import Room

Told = Callable[[str, int, int], None]
"""Called with a step, how much of it is done, and of how much."""

ENTRY_BYTES = 48
"""What a worker holds for an entry at most: as read, and grouped with its values."""
SHARD_SHARE, BLOCK_SHARE = 0.3, 0.05


@dataclass(frozen=True, slots=True)
class Plan:
    """Into what the work is cut: how many shards, and the bytes of a block at most."""

    shards: int
    block_bytes: int


def plan_for(room: Room, entries: int) -> Plan:
    """As few shards as fit into memory, but work for every thread.

    With each further shard there is one more block of sums to be sent for each block of rows.
    """
    fitting = int(SHARD_SHARE * room.thread_bytes / ENTRY_BYTES)
    return Plan(max(room.threads, -(-entries // fitting)), int(BLOCK_SHARE * room.thread_bytes))


def silent(_step: str, _done: int, _of: int) -> None:
    """For who need not be told."""
