"""`train`: ratings in, a model directory out; on this machine, on kept sums or by Dask workers."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from app.recommender.artifact import (
    EVALUATION_FILE,
    DatasetInfo,
    ensure_replaceable,
    read_manifest,
    write_artifact,
)
from app.recommender.atomic_writes import replace_directory
from model_build.artifact.metrics import (
    MODEL_CARD_FILE,
    evaluation_metrics_json,
    read_evaluation_metrics,
    render_model_card,
    scalar_metrics,
)
from model_build.data.catalogue import encode_catalogue, read_catalogue
from model_build.data.dumps.prepared import (
    PreparedDataset,
    is_prepared_dataset,
    open_prepared_dataset,
)
from model_build.data.ratings import dataset_fingerprint, read_ratings
from model_build.data.watch_order import ensure_series
from model_build.train.checkpoints import CheckpointStore
from model_build.train.config import TrainConfig
from model_build.train.driver import TrainingOptions, train_model
from model_build.train.hyperparameters import (
    Hyperparameters,
    describe_settings,
    read_hyperparameters,
)
from model_build.train.item_facts import ItemFacts
from model_build.train.model_arrays import TrainedModel, build_timestamp, make_model_version
from model_build.train.saved_statistics import (
    INDEX_FILE,
    SavedStatistics,
    statistics_path,
    train_incrementally,
)
from model_build.train.serving_parameters import DEFAULT_FILE, read_parameters
from model_build.util.errors import InputError
from model_build.util.options import parse_byte_size
from model_build.util.progress import progress_bars
from model_build.util.storage import is_gcs_url, read_bytes
from model_build.util.temporary_folders import temporary_folder

CHECKPOINT_MIN_ENTRIES = 5_000_000
"""From so many entries on, a training takes minutes."""
MIN_WORKER_BYTES = 600_000_000
"""For Hakken's code, and some room to work in."""


@dataclass(frozen=True, slots=True)
class _Training:
    """What was trained, and the fingerprint of what it was trained on."""

    model: TrainedModel
    fingerprint: str
    checkpoints: CheckpointStore | None = None


def train(config: TrainConfig) -> str:
    """Train a model and write it to ``config.out``; returns what was done, for people."""
    start = time.perf_counter()
    ensure_replaceable(config.out)
    measured = read_evaluation_metrics(config.metrics) if config.metrics else {}
    metrics = scalar_metrics(measured)
    _check_cluster_options(config)
    hyperparameters = _hyperparameters(config)
    parameters = read_parameters(config.parameters or DEFAULT_FILE)
    catalogue = _read_catalogue(config)
    packed = None
    if catalogue is not None:
        catalogue = ensure_series(catalogue)
        # Before hours of training, and before a good model is replaced.
        packed = encode_catalogue(catalogue, np.empty(0, np.int32))
    for option in ("as_of", "fresh_since"):
        if getattr(config, option) and catalogue is None:
            raise InputError(
                f"--{option.replace('_', '-')}: without a catalogue nobody knows years; add "
                "--catalogue."
            )
    if config.keep_sums or config.since is not None:
        run = _train_incrementally
    elif _uses_cluster(config):
        run = _train_on_cluster
    else:
        run = _train_locally
    facts = None
    if catalogue is not None:
        facts = ItemFacts(catalogue, as_of=config.as_of, cold_since=config.fresh_since)
    with progress_bars(shown=False if config.quiet else None) as on_progress:
        training = run(
            config,
            hyperparameters,
            {
                "facts": facts,
                "parameters": parameters,
                "second_stage": not config.no_rerank,
                "on_progress": on_progress,
            },
        )
    trained = training.model
    if config.settings:
        trained.hyperparameters["settings_file"] = describe_settings(config.settings)
    parameters = trained.serving_parameters(parameters)
    created = build_timestamp()
    dataset = DatasetInfo(name=config.name, fingerprint=training.fingerprint)
    version = make_model_version(created, dataset.fingerprint, hyperparameters, parameters)
    card = render_model_card(version, dataset, trained.counts, trained.hyperparameters, metrics)
    documents = {MODEL_CARD_FILE: card}
    if measured:
        documents[EVALUATION_FILE] = evaluation_metrics_json(measured)
    manifest = write_artifact(
        config.out,
        version=version,
        created=created.isoformat(timespec="seconds"),
        dataset=dataset,
        counts=trained.counts,
        hyperparameters=trained.hyperparameters,
        serving_parameters=parameters,
        metrics=metrics,
        arrays=trained.arrays,
        catalogue=packed or encode_catalogue(None, trained.arrays["anime_id"]),
        documents=documents,
    )
    if training.checkpoints is not None and config.work is None:
        training.checkpoints.clear()
    size = sum(file.bytes for file in manifest.files.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )
    notes = "".join(f"note        {note}\n" for note in trained.notes)
    return (
        f"model       {version} in {config.out}\n"
        f"data        {', '.join(f'{n:,} {what}' for what, n in trained.counts.items())}\n"
        f"seconds     {', '.join(f'{what} {s:.2f}' for what, s in trained.seconds.items())}\n"
        f"in all      {time.perf_counter() - start:.2f} s, peak memory {peak / 1e6:,.0f} MB\n"
        f"{notes}size        {size / 1e6:.1f} MB"
    )


def _hyperparameters(config: TrainConfig) -> Hyperparameters:
    """Take the defaults, with what the settings file says, with what the options say."""
    read = read_hyperparameters(config.settings) if config.settings else {}
    names = Hyperparameters.model_fields.keys() & config.model_fields_set
    return Hyperparameters(**read | {name: getattr(config, name) for name in names})


def _train_locally(
    config: TrainConfig, hyperparameters: Hyperparameters, options: TrainingOptions
) -> _Training:
    start = time.perf_counter()
    paths = [Path(place) for place in config.ratings]
    ratings = read_ratings(paths)
    fingerprint = dataset_fingerprint(paths, ratings)
    read_seconds = time.perf_counter() - start
    folder = config.work
    if folder is None and len(ratings) >= CHECKPOINT_MIN_ENTRIES:
        out = config.out.absolute()
        folder = out.with_name(f".{out.name}.checkpoints")
    checkpoints = CheckpointStore(folder, fingerprint)
    trained = train_model(
        ratings, hyperparameters, threads=config.threads, checkpoints=checkpoints, **options
    )
    trained.seconds["reading"] += read_seconds
    return _Training(trained, fingerprint, checkpoints)


def _read_catalogue(config: TrainConfig) -> pl.DataFrame | None:
    """Read the catalogue that was named, or the one that came with the ratings."""
    if config.catalogue is not None:
        return read_catalogue(config.catalogue)
    in_bucket = [place for place in config.ratings if is_gcs_url(place)]
    if in_bucket and not _uses_cluster(config):
        raise InputError(
            f"{in_bucket[0]}: is read by workers; add --local-cluster or --scheduler, or download "
            "it."
        )
    place = config.ratings[0]
    if is_gcs_url(place) or is_prepared_dataset(Path(place)):
        return _read_prepared_catalogue(place, open_prepared_dataset(place))
    return None


def _read_prepared_catalogue(place: str, prepared: PreparedDataset) -> pl.DataFrame | None:
    if prepared.catalogue is None:
        return None
    if not is_gcs_url(place):
        return read_catalogue(Path(place) / prepared.catalogue)
    with temporary_folder() as folder:
        file = folder / prepared.catalogue
        file.write_bytes(read_bytes(place, prepared.catalogue))
        return read_catalogue(file)


def _train_incrementally(
    config: TrainConfig, hyperparameters: Hyperparameters, options: TrainingOptions
) -> _Training:
    """Train on kept sums, if there are any, and keep those of all fans."""
    if _uses_cluster(config) or config.work is not None:
        raise InputError(
            "--keep-sums and --since: go with none of --scheduler, --local-cluster and --work."
        )
    place, *others = config.ratings
    if others or not is_prepared_dataset(Path(place)):
        raise InputError(
            f"{others[0] if others else place}: sums are kept of one folder that prepare wrote; "
            "run prepare first, and name only its folder."
        )
    prepared = open_prepared_dataset(place)
    saved = _open_statistics(config.since) if config.since is not None else None
    folder = statistics_path(config.out)
    if folder.exists() and not (folder / INDEX_FILE).is_file():
        raise InputError(f"{folder}: holds something else than sums; choose another --out.")
    with replace_directory(folder) as new:
        trained = train_incrementally(
            Path(place), prepared, hyperparameters, saved, new, threads=config.threads, **options
        )
    return _Training(trained, prepared.fingerprint())


def _open_statistics(model: Path) -> SavedStatistics:
    mean = read_manifest(model).hyperparameters.get("global_mean")
    statistics = SavedStatistics(statistics_path(model))
    if mean != statistics.index.fixed.mean:
        raise InputError(
            f"{statistics_path(model)}: belongs to another model than {model}; train in full with "
            "--keep-sums."
        )
    return statistics


def _check_cluster_options(config: TrainConfig) -> None:
    if "worker_memory" in config.model_fields_set and not config.local_cluster:
        raise InputError(
            "--worker-memory: goes with --local-cluster; what the workers of a scheduler may use "
            "is said when they are started (dask worker --memory-limit)."
        )
    if parse_byte_size(config.worker_memory) < MIN_WORKER_BYTES:
        raise InputError("--worker-memory: a worker needs 600MB at least.")
    if _uses_cluster(config) and config.work is not None:
        raise InputError("--work: only a training on this machine keeps its stages; leave it out.")


def _uses_cluster(config: TrainConfig) -> bool:
    return bool(config.scheduler or config.local_cluster)


def _train_on_cluster(
    config: TrainConfig, hyperparameters: Hyperparameters, options: TrainingOptions
) -> _Training:
    from model_build.train.cluster import connect_to_scheduler, start_local_cluster
    from model_build.train.dask_statistics import train_distributed

    place, *others = config.ratings
    if others:
        raise InputError(f"{others[0]}: workers read one folder that prepare wrote; name only it.")
    prepared = open_prepared_dataset(place)
    opened = (
        connect_to_scheduler(config.scheduler)
        if config.scheduler
        else start_local_cluster(config.local_cluster or 1, parse_byte_size(config.worker_memory))
    )
    with opened as cluster:
        trained = train_distributed(
            cluster, place, prepared, hyperparameters, threads=config.threads, **options
        )
    return _Training(trained, prepared.fingerprint())
