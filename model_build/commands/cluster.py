"""Options of train that have it done by Dask workers."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import polars as pl

from model_build.commands.arguments import byte_size, positive_int
from model_build.data.catalogue import read_catalogue
from model_build.data.dumps.prepared import PreparedDataset, open_prepared_dataset
from model_build.train.cold_start import ColdStartCatalogue
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.model_arrays import TrainedModel
from model_build.util.errors import InputError
from model_build.util.progress import progress_bars
from model_build.util.storage import is_gcs_url, read_bytes

if TYPE_CHECKING:
    from model_build.train.cluster import DaskCluster

MIN_WORKER_BYTES = 600_000_000
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
        type=byte_size,
        metavar="SIZE",
        help="what each of the N may use, such as 4GB (default 2GB)",
    )


def uses_cluster(arguments: argparse.Namespace) -> bool:
    """Whether workers are to train.

    Raises:
        InputError: options contradict each other.
    """
    if arguments.worker_memory is not None and not arguments.local_cluster:
        raise InputError(
            "--worker-memory: goes with --local-cluster; what the workers of a scheduler may use "
            "is said when they are started (dask worker --memory-limit)."
        )
    if (arguments.worker_memory or MIN_WORKER_BYTES) < MIN_WORKER_BYTES:
        raise InputError("--worker-memory: a worker needs 600MB at least.")
    chosen = bool(arguments.scheduler or arguments.local_cluster)
    if chosen and arguments.work is not None:
        raise InputError("--work: only a training on this machine keeps its stages; leave it out.")
    return chosen


def reject_bucket_paths(paths: Sequence[str]) -> None:
    """Raises InputError if any of the places is in a bucket."""
    for place in paths:
        if is_gcs_url(place):
            raise InputError(
                f"{place}: is read by workers; add --local-cluster or --scheduler, or download it."
            )


def train_on_cluster(
    arguments: argparse.Namespace,
    settings: Hyperparameters,
    new_items: ColdStartCatalogue | None,
    *,
    progress: bool,
) -> tuple[TrainedModel, str]:
    """What the workers fitted, and the fingerprint of the ratings.

    Raises:
        InputError: Dask is not installed, the ratings are not what prepare wrote, or the cluster
            cannot be used.
    """
    place, *others = arguments.ratings
    if others:
        raise InputError(f"{others[0]}: workers read one folder that prepare wrote; name only it.")
    prepared = open_prepared_dataset(place)
    try:
        from model_build.train.dask_statistics import train_distributed
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is not installed; pip install -r requirements-build.txt."
        ) from None
    with _open_cluster(arguments) as cluster, progress_bars(shown=progress) as on_progress:
        trained = train_distributed(
            cluster, place, prepared, settings, cold_start=new_items, on_progress=on_progress
        )
    return trained, prepared.fingerprint()


def read_prepared_catalogue(dataset_path: str, prepared: PreparedDataset) -> pl.DataFrame | None:
    """The catalogue that prepare wrote with the ratings, if the dump had one."""
    if prepared.catalogue is None:
        return None
    if not is_gcs_url(dataset_path):
        return read_catalogue(Path(dataset_path) / prepared.catalogue)
    with TemporaryDirectory() as folder:
        file = Path(folder) / prepared.catalogue
        file.write_bytes(read_bytes(dataset_path, prepared.catalogue))
        return read_catalogue(file)


@contextmanager
def _open_cluster(arguments: argparse.Namespace) -> Iterator[DaskCluster]:
    from model_build.train.cluster import connect_to_scheduler, start_local_cluster

    if arguments.scheduler:
        with connect_to_scheduler(arguments.scheduler) as cluster:
            yield cluster
    else:
        with start_local_cluster(
            arguments.local_cluster, arguments.worker_memory or 2_000_000_000
        ) as cluster:
            yield cluster
