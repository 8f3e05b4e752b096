"""Measure the constants of training on Dask, and work out what other sizes would need.

    benchmarks/dask_constants --ratings prepared --size 1000000000 --anime 50000 --threads 64

Each step is timed alone, on one core, on the first partitions of a folder that prepare wrote, and
sums are sent between two worker processes of this host. Then the whole training runs on two
workers, so that what the constants say of it can be compared with what it took.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.arguments import byte_size, positive_int
from model_build.data.dumps.prepared import open_prepared_dataset
from model_build.data.grouping import UserItemGroups
from model_build.train import sufficient_statistics as statistics
from model_build.train.affinity import FULL_HISTORY, GramMatrices, default_min_entries, solve_ease
from model_build.train.cluster import (
    ClusterResources,
    DaskCluster,
    plan_sharding,
    start_local_cluster,
)
from model_build.train.dask_statistics import train_distributed
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.pair_sums import (
    RowRange,
    gram_sum_block,
    pearson_sum_block,
    similarities_from_sums,
)
from model_build.train.score_model import BIAS_EPOCHS
from model_build.train.similarity import select_neighbours
from model_build.util.threads import available_cpus

MEASURED_ENTRIES, SOLVED_ITEMS, TRANSFER_BYTES = 3_000_000, 3000, 100_000_000
WORKER_BYTES = 2_000_000_000
TASK_COUNT = 2000


@dataclass(frozen=True, slots=True)
class CostConstants:
    """Seconds of one core for one of what the name says; and how many there are of another."""

    read_entry: float
    group_entry: float
    bias_rating: float
    accumulate_score: float
    accumulate_entry: float
    finish_pair: float
    offer_similarity: float
    add_byte: float
    send_byte: float
    task: float
    solve_cubed: float
    entries_per_rating: float
    score_pairs: float
    entry_pairs: float
    positive_share: float


@dataclass(frozen=True, slots=True)
class WorkloadSize:
    """What is to be trained, by which workers, on which network (bytes a second and thread).

    ``client`` is how many cores the client has.
    """

    ratings: int
    anime: int
    affinity_items: int
    worker_resources: ClusterResources
    network_bytes: float
    client_cores: int


def main() -> None:
    """Measure, and print the constants."""
    parser = argparse.ArgumentParser(
        prog="benchmarks/dask_constants",
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
    parser.add_argument("--memory", type=byte_size, default=byte_size("8GB"), help="of a thread")
    parser.add_argument(
        "--network", type=byte_size, default=byte_size("150MB"), help="a second and thread"
    )
    parser.add_argument("--client-cores", type=positive_int, default=16, metavar="N")
    arguments = parser.parse_args()
    prepared = open_prepared_dataset(arguments.ratings)
    with start_local_cluster(2, WORKER_BYTES) as cluster:
        constants = measure_constants(str(arguments.ratings), cluster)
        print("seconds of one core, measured")
        for name in CostConstants.__slots__:
            print(f"  {name.replace('_', ' '):<18} {getattr(constants, name):.3g}")
        start = time.perf_counter()
        trained = train_distributed(cluster, str(arguments.ratings), prepared, Hyperparameters())
        seconds = time.perf_counter() - start
        peaks = cluster.client.run(_peak_bytes).values()
        room = cluster.resources()
    measured_size = WorkloadSize(
        trained.counts["ratings"],
        trained.counts["anime"],
        int((trained.arrays["entry_count"] >= default_min_entries(trained.counts["fans"])).sum()),
        room,
        1 / constants.send_byte,
        available_cpus(),
    )
    print(f"\nthese ratings on two workers of {WORKER_BYTES / 1e9:.0f} GB")
    _print_estimate(estimate_cost(constants, measured_size))
    print(f"  measured: {seconds:.0f} s, of which steps {trained.seconds}")
    print(f"  measured: peak of a worker {max(peaks) / 1e9:.2f} GB")
    print(f"\n{arguments.size:,} ratings, {arguments.anime:,} anime, {arguments.threads} threads")
    target_size = WorkloadSize(
        arguments.size,
        arguments.anime,
        arguments.known or arguments.anime,
        ClusterResources(arguments.threads, arguments.memory),
        arguments.network,
        arguments.client_cores,
    )
    _print_estimate(estimate_cost(constants, target_size))


def measure_constants(ratings_folder: str, cluster: DaskCluster) -> CostConstants:
    """Time each step on some millions of entries."""
    partitions, entries_of = [], 0
    for partition in open_prepared_dataset(ratings_folder).partitions:
        partitions.append(partition)
        entries_of += partition.rows
        if entries_of >= MEASURED_ENTRIES:
            break
    read_seconds, entries = _cpu_timed(lambda: statistics.read_shard(ratings_folder, partitions, 0))
    counts = statistics.count_items(entries)
    n, ordering = len(counts.anime_ids), counts.ordering()
    statistics.group_ratings_by_number(
        statistics.read_shard(ratings_folder, partitions[:1], 0), ordering
    )  # compiled before timed
    group_seconds, grouped = _cpu_timed(
        lambda: statistics.group_ratings_by_number(entries, ordering)
    )
    ratings = len(grouped.user_item)
    zeros = np.zeros(n)
    statistics.item_residual_totals(grouped, 7.0, zeros, 15.0)
    bias_seconds, _ = _cpu_timed(lambda: statistics.item_residual_totals(grouped, 7.0, zeros, 15.0))
    values = statistics.bias_model_of_items(grouped, 7.0, zeros, 15.0).residual
    rows = RowRange(0, min(n, 2000))
    meet_seconds, block = _best_of_three(lambda: pearson_sum_block(grouped, values, rows, 1))
    finish_seconds, similar = _best_of_three(lambda: similarities_from_sums(block, rows, 100.0, 1))
    order = np.arange(rows.last)
    offer_seconds, _ = _cpu_timed(
        lambda: select_neighbours([similar], order, order, order, 500, threads=1)
    )
    weighted = statistics.weigh_numbered_entries(entries, ordering)
    outer_seconds, _ = _best_of_three(lambda: gram_sum_block(weighted, rows, 1))
    pairs = rows.last * (rows.last - 1) / 2
    add_seconds, _ = _best_of_three(lambda: block + block)
    return CostConstants(
        read_entry=read_seconds / entries_of,
        group_entry=group_seconds / ratings,
        bias_rating=bias_seconds / ratings,
        accumulate_score=meet_seconds / _count_pairs(grouped, rows.last),
        accumulate_entry=outer_seconds / _count_pairs(weighted, rows.last),
        finish_pair=finish_seconds / pairs,
        offer_similarity=offer_seconds / max(1, len(similar.index)),
        add_byte=add_seconds / block.nbytes,
        send_byte=_transfer_seconds(cluster) / TRANSFER_BYTES,
        task=_task_seconds(cluster),
        solve_cubed=_solve_seconds() / SOLVED_ITEMS**3,
        entries_per_rating=entries_of / ratings,
        score_pairs=_count_pairs(grouped, n) / ratings,
        entry_pairs=_count_pairs(weighted, n) / entries_of,
        positive_share=len(similar.index) / pairs,
    )


def estimate_cost(constants: CostConstants, size: WorkloadSize) -> dict[str, float]:
    """Gigabytes and hours of a training."""
    c, room = constants, size.worker_resources
    entries = size.ratings * c.entries_per_rating
    plan = plan_sharding(room, int(entries))
    triangle = 32 * size.anime**2 / 2
    known = 32 * size.affinity_items**2 / 2
    reduced = (plan.n_shards - 1) * (2 * triangle + known)
    of_threads = {
        "reading and grouping": entries * (c.read_entry + 2 * c.group_entry),
        "baselines": size.ratings * c.bias_rating * (10 + BIAS_EPOCHS),
        "pairs of scores": 2 * size.ratings * c.score_pairs * c.accumulate_score,
        "pairs of entries": entries * c.entry_pairs * c.accumulate_entry,
        "adding blocks": reduced * c.add_byte,
        "finishing": size.anime**2 * c.finish_pair,
    }
    offered = 2 * size.anime**2 / 2 * c.positive_share * c.offer_similarity
    hours = {name: seconds / room.threads / 3600 for name, seconds in of_threads.items()}
    blocks = (2 * triangle + known) / plan.block_bytes
    hours |= {
        "scheduler": 2 * blocks * plan.n_shards * c.task / 3600,
        "network": reduced / (size.network_bytes * room.threads) / 3600,
        "client: neighbours": offered / size.client_cores / 3600,
        "client: affinity": 2 * size.affinity_items**3 * c.solve_cubed / size.client_cores / 3600,
    }
    return {
        "shards": plan.n_shards,
        "blocks": blocks,
        "GB of entries on the workers": entries * 48 / 1e9,
        "GB of sums of one kind": triangle / 1e9,
        "GB sent in the reduction, at most": reduced / 1e9,
        "GB the client needs": (8 * size.affinity_items**2 + 8 * 500 * size.anime) / 1e9,
        **{f"hours, {name}": value for name, value in hours.items()},
        "hours in all": sum(hours.values()),
    }


def _print_estimate(facts: dict[str, float]) -> None:
    for name, value in facts.items():
        print(f"  {name:<36} {value:,.4g}")


def _cpu_timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of a core, however busy the host is, and the result."""
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


def _best_of_three(function: Callable[[], Any]) -> tuple[float, Any]:
    """Return the shortest of three."""
    return min((_cpu_timed(function) for _ in range(3)), key=lambda timed: timed[0])


def _count_pairs(groups: UserItemGroups, items: int) -> int:
    """How many pairs of the first items are met on the lists."""
    return int(groups.count_item_pairs()[:items].sum())


def _transfer_seconds(cluster: DaskCluster) -> float:
    """Of sending a block from one worker to the other."""
    workers = sorted(cluster.client.scheduler_info()["workers"])

    def once() -> float:
        blocks = []
        for worker in workers:
            blocks.append(
                cluster.client.submit(np.ones, TRANSFER_BYTES // 8, workers=[worker], pure=False)
            )
            there = cluster.client.submit(len, blocks[-1], workers=[worker], pure=False)
            there.result()
        start = time.perf_counter()
        cluster.submit(_total_length, *blocks).result()
        return time.perf_counter() - start

    return min(once() for _ in range(3))


def _task_seconds(cluster: DaskCluster) -> float:
    """Of handing out a task and hearing that it is done."""
    start = time.perf_counter()
    cluster.client.gather([cluster.submit(_total_length) for _ in range(TASK_COUNT)])
    return (time.perf_counter() - start) / TASK_COUNT


def _total_length(*arrays: Any) -> int:
    return sum(map(len, arrays))


def _solve_seconds() -> float:
    rng = np.random.default_rng(0)
    x = rng.random((SOLVED_ITEMS // 2, SOLVED_ITEMS), np.float32)
    gram = x.T @ x
    grams = GramMatrices(
        np.arange(SOLVED_ITEMS),
        np.full(SOLVED_ITEMS, 1000),
        SOLVED_ITEMS,
        gram,
        gram.diagonal().copy(),
        gram.copy(),
    )
    return _best_of_three(lambda: solve_ease(grams, FULL_HISTORY, 800))[0]


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
