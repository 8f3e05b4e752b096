"""Options of train that have it done by Dask workers."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import polars as pl
from tqdm import tqdm

from model_build.arguments import memory, positive_int
from model_build.catalogue import read_catalogue
from model_build.dumps.prepared import Prepared, open_prepared
from model_build.errors import InputError
from model_build.storage import is_bucket, read_bytes
from model_build.sums.fresh import NewAnime
from model_build.training import Hyperparameters, Trained

if TYPE_CHECKING:
    from model_build.distributed.cluster import Cluster

LEAST_BYTES = 600_000_000
"""For Hakken's code, and some room to work in."""


def add_cluster_arguments(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--scheduler", metavar="ADDRESS", help="train on the workers of tcp://host:port"
    )
    where.add_argument(
        "--local-cluster", type=positive_int, metavar="N", help="train on N workers on this host"
    )
    parser.add_argument(
        "--worker-memory",
        type=memory,
        metavar="SIZE",
        help="what each of the N may use, such as 4GB (default 2GB)",
    )


def on_cluster(arguments: argparse.Namespace) -> bool:
    """Whether workers are to train.

    Raises:
        InputError: options contradict each other.
    """
    if arguments.worker_memory is not None and not arguments.local_cluster:
        raise InputError(
            "--worker-memory: goes with --local-cluster; what the workers of a scheduler may use "
            "is said when they are started (dask worker --memory-limit)."
        )
    if (arguments.worker_memory or LEAST_BYTES) < LEAST_BYTES:
        raise InputError("--worker-memory: a worker needs 600MB at least.")
    chosen = bool(arguments.scheduler or arguments.local_cluster)
    if chosen and arguments.work is not None:
        raise InputError("--work: only a training on this machine keeps its stages; leave it out.")
    return chosen


def refuse_buckets(places: Sequence[str]) -> None:
    """Raises InputError if any of the places is in a bucket."""
    for place in places:
        if is_bucket(place):
            raise InputError(
                f"{place}: is read by workers; add --local-cluster or --scheduler, or download it."
            )


def train_on_cluster(
    arguments: argparse.Namespace,
    settings: Hyperparameters,
    new: NewAnime | None,
    *,
    progress: bool,
) -> tuple[Trained, str]:
    """What the workers fitted, and the fingerprint of the ratings.

    Raises:
        InputError: Dask is not installed, the ratings are not what prepare wrote, or the cluster
            cannot be used.
    """
    place, *others = arguments.ratings
    if others:
        raise InputError(f"{others[0]}: workers read one folder that prepare wrote; name only it.")
    prepared = open_prepared(place)
    try:
        from model_build.distributed.training import train_on
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is not installed; pip install -r requirements-build.txt."
        ) from None
    with _cluster(arguments) as cluster, _bars(shown=progress) as told:
        trained = train_on(cluster, place, prepared, settings, new=new, told=told)
    return trained, prepared.fingerprint()


def catalogue_beside(place: str, prepared: Prepared) -> pl.DataFrame | None:
    """The catalogue that prepare wrote with the ratings, if the dump had one."""
    if prepared.catalogue is None:
        return None
    if not is_bucket(place):
        return read_catalogue(Path(place) / prepared.catalogue)
    with TemporaryDirectory() as folder:
        file = Path(folder) / prepared.catalogue
        file.write_bytes(read_bytes(place, prepared.catalogue))
        return read_catalogue(file)


@contextmanager
def _cluster(arguments: argparse.Namespace) -> Iterator[Cluster]:
    from model_build.distributed.cluster import connected, local

    if arguments.scheduler:
        with connected(arguments.scheduler) as cluster:
            yield cluster
    else:
        with local(arguments.local_cluster, arguments.worker_memory or 2_000_000_000) as cluster:
            yield cluster


@contextmanager
def _bars(*, shown: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each step."""
    bars: dict[str, tqdm[None]] = {}

    def told(step: str, done: int, of: int) -> None:
        if step not in bars:
            bars[step] = tqdm(total=of, desc=step, disable=not shown)
        bars[step].update(done - bars[step].n)

    yield told
    for bar in bars.values():
        bar.close()
