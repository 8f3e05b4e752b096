"""Measure the constants of training on Dask, and work out what other sizes would need.

    scripts/dask_constants --ratings prepared --size 1000000000 --anime 50000 --threads 64

Each step is timed alone, on one core, on the first partitions of a folder that prepare wrote, and
sums are sent between two worker processes of this host. Then the whole training runs on two
workers, so that what the constants say of it can be compared with what it took.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model_build.affinity import FULL_LISTS, Grams, fewest_lists, solve
from model_build.arguments import memory, positive_int
from model_build.distributed.cluster import Cluster, Room, local
from model_build.distributed.plan import plan_for
from model_build.distributed.training import train_on
from model_build.dumps.prepared import open_prepared
from model_build.grouping import falling
from model_build.kernels import walk_lengths
from model_build.neighbours import Neighbours
from model_build.parallel import available_threads
from model_build.sums import shard
from model_build.sums.anime import numbered
from model_build.sums.pair_sums import Rows, offer, similarities
from model_build.taste import EPOCHS
from model_build.training import Hyperparameters

ENTRIES, SOLVED, SENT_BYTES = 3_000_000, 3000, 100_000_000
WORKER_BYTES = 2_000_000_000
TASKS = 2000


@dataclass(frozen=True, slots=True)
class Constants:
    """Seconds of one core for one of what the name says; and how many there are of another."""

    read_entry: float
    group_entry: float
    bias_rating: float
    meet_score: float
    meet_entry: float
    finish_pair: float
    offer_similarity: float
    add_byte: float
    send_byte: float
    task: float
    solve_cubed: float
    entries_a_rating: float
    score_meetings: float
    entry_meetings: float
    positive: float


@dataclass(frozen=True, slots=True)
class Size:
    """What is to be trained, by which workers, on which network (bytes a second and thread).

    ``client`` is how many cores the client has.
    """

    ratings: int
    anime: int
    known: int
    room: Room
    network: float
    client: int


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/dask_constants",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--ratings", type=Path, required=True, metavar="DIR")
    parser.add_argument("--size", type=positive_int, default=1_000_000_000, metavar="RATINGS")
    parser.add_argument("--anime", type=positive_int, default=50_000, metavar="N")
    parser.add_argument(
        "--known", type=positive_int, metavar="N", help="of these with affinities (default: all)"
    )
    parser.add_argument("--threads", type=positive_int, default=64, metavar="N")
    parser.add_argument("--memory", type=memory, default=memory("8GB"), help="of a thread")
    parser.add_argument(
        "--network", type=memory, default=memory("150MB"), help="a second and thread"
    )
    parser.add_argument("--client-cores", type=positive_int, default=16, metavar="N")
    arguments = parser.parse_args()
    prepared = open_prepared(arguments.ratings)
    with local(2, WORKER_BYTES) as cluster:
        constants = measure(str(arguments.ratings), cluster)
        print("seconds of one core, measured")
        for name in Constants.__slots__:
            print(f"  {name.replace('_', ' '):<18} {getattr(constants, name):.3g}")
        start = time.perf_counter()
        trained = train_on(cluster, str(arguments.ratings), prepared, Hyperparameters())
        seconds = time.perf_counter() - start
        peaks = cluster.client.run(_peak).values()
        room = cluster.room()
    here = Size(
        trained.counts["ratings"],
        trained.counts["anime"],
        int((trained.arrays["entry_count"] >= fewest_lists(trained.counts["fans"])).sum()),
        room,
        1 / constants.send_byte,
        available_threads(),
    )
    print(f"\nthese ratings on two workers of {WORKER_BYTES / 1e9:.0f} GB")
    _print(work_out(constants, here))
    print(f"  measured: {seconds:.0f} s, of which steps {trained.seconds}")
    print(f"  measured: peak of a worker {max(peaks) / 1e9:.2f} GB")
    print(f"\n{arguments.size:,} ratings, {arguments.anime:,} anime, {arguments.threads} threads")
    there = Size(
        arguments.size,
        arguments.anime,
        arguments.known or arguments.anime,
        Room(arguments.threads, arguments.memory),
        arguments.network,
        arguments.client_cores,
    )
    _print(work_out(constants, there))


def measure(place: str, cluster: Cluster) -> Constants:
    """Time each step on some millions of entries."""
    partitions, entries_of = [], 0
    for partition in open_prepared(place).partitions:
        partitions.append(partition)
        entries_of += partition.rows
        if entries_of >= ENTRIES:
            break
    read_seconds, entries = _timed(lambda: shard.read(place, partitions, 0))
    counts = shard.count(entries)
    n = len(counts.anime_id)
    numbering = numbered(counts.anime_id, falling(counts.ratings))
    shard.group_scored(shard.read(place, partitions[:1], 0), numbering)  # compiled before timed
    group_seconds, grouped = _timed(lambda: shard.group_scored(entries, numbering))
    ratings = len(grouped.user_item)
    zeros = np.zeros(n)
    shard.item_totals(grouped, 7.0, zeros, 15.0)
    bias_seconds, _ = _timed(lambda: shard.item_totals(grouped, 7.0, zeros, 15.0))
    values = shard.baselines(grouped, 7.0, zeros, 15.0).residual
    rows = Rows(0, min(n, 2000))
    meet_seconds, block = _best(lambda: shard.pearson_sums(grouped, values, rows))
    finish_seconds, similar = _best(lambda: similarities(block, rows, 100.0, 1))
    nearest = Neighbours(rows.last, 500)
    with ThreadPoolExecutor(1) as pool:
        offer_seconds, _ = _timed(lambda: offer(nearest, similar, pool, 1))
    given = shard.group_interests(entries, numbering)
    outer_seconds, _ = _best(lambda: shard.interest_sums(given, rows))
    pairs = rows.last * (rows.last - 1) / 2
    add_seconds, _ = _best(lambda: block + block)
    return Constants(
        read_entry=read_seconds / entries_of,
        group_entry=group_seconds / ratings,
        bias_rating=bias_seconds / ratings,
        meet_score=meet_seconds / _walked(grouped, rows.last),
        meet_entry=outer_seconds / _walked(given.lists, rows.last),
        finish_pair=finish_seconds / pairs,
        offer_similarity=offer_seconds / max(1, len(similar.index)),
        add_byte=add_seconds / block.nbytes,
        send_byte=_send_seconds(cluster) / SENT_BYTES,
        task=_task_seconds(cluster),
        solve_cubed=_solve_seconds() / SOLVED**3,
        entries_a_rating=entries_of / ratings,
        score_meetings=_walked(grouped, n) / ratings,
        entry_meetings=_walked(given.lists, n) / entries_of,
        positive=len(similar.index) / pairs,
    )


def work_out(constants: Constants, size: Size) -> dict[str, float]:
    """Gigabytes and hours of a training."""
    c, room = constants, size.room
    entries = size.ratings * c.entries_a_rating
    plan = plan_for(room, int(entries))
    triangle = 32 * size.anime**2 / 2
    known = 32 * size.known**2 / 2
    reduced = (plan.shards - 1) * (2 * triangle + known)
    of_threads = {
        "reading and grouping": entries * (c.read_entry + 2 * c.group_entry),
        "baselines": size.ratings * c.bias_rating * (10 + EPOCHS),
        "pairs of scores": 2 * size.ratings * c.score_meetings * c.meet_score,
        "pairs of entries": entries * c.entry_meetings * c.meet_entry,
        "adding blocks": reduced * c.add_byte,
        "finishing": size.anime**2 * c.finish_pair,
    }
    offered = 2 * size.anime**2 / 2 * c.positive * c.offer_similarity
    hours = {name: seconds / room.threads / 3600 for name, seconds in of_threads.items()}
    blocks = (2 * triangle + known) / plan.block_bytes
    hours |= {
        "scheduler": 2 * blocks * plan.shards * c.task / 3600,
        "network": reduced / (size.network * room.threads) / 3600,
        "client: neighbours": offered / size.client / 3600,
        "client: affinity": 2 * size.known**3 * c.solve_cubed / size.client / 3600,
    }
    return {
        "shards": plan.shards,
        "blocks": blocks,
        "GB of entries on the workers": entries * 48 / 1e9,
        "GB of sums of one kind": triangle / 1e9,
        "GB sent in the reduction, at most": reduced / 1e9,
        "GB the client needs": (8 * size.known**2 + 8 * 500 * size.anime) / 1e9,
        **{f"hours, {name}": value for name, value in hours.items()},
        "hours in all": sum(hours.values()),
    }


def _print(facts: dict[str, float]) -> None:
    for name, value in facts.items():
        print(f"  {name:<36} {value:,.4g}")


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of a core, however busy the host is, and the result."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def _best(work: Callable[[], Any]) -> tuple[float, Any]:
    """The shortest of three."""
    return min((_timed(work) for _ in range(3)), key=lambda timed: timed[0])


def _walked(lists: Any, items: int) -> int:
    """How many pairs of the first anime are met on the lists."""
    length = np.empty(len(lists.item_start) - 1, np.int64)
    walk_lengths(lists.item_start, lists.item_user, lists.item_position, lists.user_start, length)
    return int(length[:items].sum())


def _send_seconds(cluster: Cluster) -> float:
    """Of sending a block from one worker to the other."""
    workers = sorted(cluster.client.scheduler_info()["workers"])

    def once() -> float:
        blocks = []
        for worker in workers:
            blocks.append(
                cluster.client.submit(np.ones, SENT_BYTES // 8, workers=[worker], pure=False)
            )
            there = cluster.client.submit(len, blocks[-1], workers=[worker], pure=False)
            there.result()
        start = time.perf_counter()
        cluster.submit(_lengths, *blocks).result()
        return time.perf_counter() - start

    return min(once() for _ in range(3))


def _task_seconds(cluster: Cluster) -> float:
    """Of handing out a task and hearing that it is done."""
    start = time.perf_counter()
    cluster.client.gather([cluster.submit(_lengths) for _ in range(TASKS)])
    return (time.perf_counter() - start) / TASKS


def _lengths(*arrays: Any) -> int:
    return sum(map(len, arrays))


def _solve_seconds() -> float:
    rng = np.random.default_rng(0)
    x = rng.random((SOLVED // 2, SOLVED), np.float32)
    gram = x.T @ x
    grams = Grams(
        np.arange(SOLVED),
        np.full(SOLVED, 1000),
        SOLVED,
        gram,
        gram.diagonal().copy(),
        gram.copy(),
    )
    return _best(lambda: solve(grams, FULL_LISTS, 800))[0]


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
