"""The ways in which train gets its model: on this machine, or by Dask workers."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from app.recommender.artifact import read_manifest
from app.recommender.atomic_writes import replace_directory
from model_build.commands.cluster import (
    add_cluster_arguments,
    read_prepared_catalogue,
    reject_bucket_paths,
    train_on_cluster,
    uses_cluster,
)
from model_build.data.catalogue import read_catalogue
from model_build.data.dumps.prepared import is_prepared_dataset, open_prepared_dataset
from model_build.data.ratings import ratings_fingerprint, read_ratings
from model_build.train.checkpoints import CheckpointStore
from model_build.train.cold_start import ColdStartCatalogue
from model_build.train.driver import train_model
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.model_arrays import TrainedModel
from model_build.train.saved_statistics import train_incrementally
from model_build.train.statistics_store import INDEX_FILE, SavedStatistics, statistics_path
from model_build.util.errors import InputError
from model_build.util.progress import progress_bars
from model_build.util.storage import is_gcs_url

CHECKPOINT_MIN_ENTRIES = 5_000_000
"""Of so many entries on a training takes minutes."""


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """What was trained, on what; ``written`` is to be called when the model is in its place.

    ``catalogue`` is the one that was named, or the one that came with the ratings.
    """

    trained: TrainedModel
    fingerprint: str
    catalogue: pl.DataFrame | None
    on_written: Callable[[], None]


def add_training_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--work",
        type=Path,
        metavar="DIR",
        help="keep finished stages there, also after the end, for trainings with other settings",
    )
    add_cluster_arguments(parser)
    parser.add_argument(
        "--keep-sums",
        action="store_true",
        help="keep what later fans can be added to, in OUT.sums beside the model; it is private",
    )
    parser.add_argument(
        "--since",
        type=Path,
        metavar="MODEL",
        help="add the partitions that came since to the sums of that model, and keep the new sums",
    )


def run_training(
    arguments: argparse.Namespace, settings: Hyperparameters, *, progress: bool
) -> TrainingRun:
    """Train as the options say.

    Raises:
        InputError: the ratings cannot be used, or options contradict each other.
    """
    catalogue = _read_catalogue(arguments)
    if arguments.fresh_since is not None and catalogue is None:
        raise InputError("--fresh-since: without a catalogue nobody knows years; add --catalogue.")
    if arguments.keep_sums or arguments.since is not None:
        return _train_incrementally(arguments, settings, catalogue, progress=progress)
    if uses_cluster(arguments):
        new = _new_anime(arguments, catalogue)
        trained, data = train_on_cluster(arguments, settings, new, progress=progress)
        return TrainingRun(trained, data, catalogue, _no_op)
    return _train_locally(arguments, settings, catalogue, progress=progress)


def _train_locally(
    arguments: argparse.Namespace,
    settings: Hyperparameters,
    catalogue: pl.DataFrame | None,
    *,
    progress: bool,
) -> TrainingRun:
    start = time.perf_counter()
    paths = [Path(place) for place in arguments.ratings]
    ratings = read_ratings(paths)
    prepared = is_prepared_dataset(paths[0])
    data = (
        open_prepared_dataset(paths[0]).fingerprint() if prepared else ratings_fingerprint(ratings)
    )
    read_seconds = time.perf_counter() - start
    checkpoints = _open_checkpoints(arguments, len(ratings), data)
    with progress_bars(shown=progress) as on_progress:
        trained = train_model(
            ratings,
            settings,
            cold_start=_new_anime(arguments, catalogue),
            threads=arguments.threads,
            checkpoints=checkpoints,
            on_progress=on_progress,
        )
    trained.seconds["reading"] += read_seconds
    return TrainingRun(trained, data, catalogue, _no_op if arguments.work else checkpoints.clear)


def _read_catalogue(arguments: argparse.Namespace) -> pl.DataFrame | None:
    if arguments.catalogue is not None:
        return read_catalogue(arguments.catalogue)
    place = arguments.ratings[0]
    if not uses_cluster(arguments):
        reject_bucket_paths(arguments.ratings)
    if is_gcs_url(place) or is_prepared_dataset(Path(place)):
        return read_prepared_catalogue(place, open_prepared_dataset(place))
    return None


def _new_anime(
    arguments: argparse.Namespace, catalogue: pl.DataFrame | None
) -> ColdStartCatalogue | None:
    if catalogue is None or arguments.fresh_since is None:
        return None
    return ColdStartCatalogue.from_catalogue(catalogue, arguments.fresh_since)


def _train_incrementally(
    arguments: argparse.Namespace,
    settings: Hyperparameters,
    catalogue: pl.DataFrame | None,
    *,
    progress: bool,
) -> TrainingRun:
    """Train on kept sums, if there are any, and keep those of all fans."""
    if uses_cluster(arguments) or arguments.work is not None:
        raise InputError(
            "--keep-sums and --since: go with none of --scheduler, --local-cluster and --work."
        )
    place, *others = arguments.ratings
    if others or not is_prepared_dataset(Path(place)):
        raise InputError(
            f"{others[0] if others else place}: sums are kept of one folder that prepare wrote; "
            "run prepare first, and name only its folder."
        )
    prepared = open_prepared_dataset(place)
    kept = _open_sums(arguments.since) if arguments.since is not None else None
    sums = statistics_path(arguments.out)
    if sums.exists() and not (sums / INDEX_FILE).is_file():
        raise InputError(f"{sums}: holds something else than sums; choose another --out.")
    with replace_directory(sums) as folder, progress_bars(shown=progress) as on_progress:
        trained = train_incrementally(
            Path(place),
            prepared,
            settings,
            kept,
            folder,
            cold_start=_new_anime(arguments, catalogue),
            threads=arguments.threads,
            on_progress=on_progress,
        )
    return TrainingRun(trained, prepared.fingerprint(), catalogue, _no_op)


def _open_sums(model: Path) -> SavedStatistics:
    """The sums of a model."""
    mean = read_manifest(model).hyperparameters.get("global_mean")
    sums = SavedStatistics(statistics_path(model))
    if mean != sums.index.fixed.mean:
        raise InputError(
            f"{statistics_path(model)}: belongs to another model than {model}; train in full with "
            "--keep-sums."
        )
    return sums


def _open_checkpoints(arguments: argparse.Namespace, entries: int, data: str) -> CheckpointStore:
    """Where stages are kept: where it was said, or beside the model if it takes long to train."""
    folder: Path | None = arguments.work
    if folder is None and entries >= CHECKPOINT_MIN_ENTRIES:
        out = arguments.out.absolute()
        folder = out.with_name(f".{out.name}.checkpoints")
    return CheckpointStore(folder, data)


def _no_op() -> None:
    pass
