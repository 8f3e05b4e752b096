"""The ways in which train gets its model: on this machine, or by Dask workers."""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from app.recommender.artifact import read_manifest
from app.recommender.replacing import replacing
from model_build.catalogue import read_catalogue
from model_build.checkpoints import Checkpoints
from model_build.commands.cluster import (
    add_cluster_arguments,
    catalogue_beside,
    on_cluster,
    refuse_buckets,
    train_on_cluster,
)
from model_build.dumps.prepared import is_prepared, open_prepared
from model_build.errors import InputError
from model_build.fresh import among, describe, new_anime
from model_build.ratings import Ratings, read_ratings
from model_build.storage import is_bucket
from model_build.sums.fresh import NewAnime
from model_build.sums.store import INDEX, Sums, beside
from model_build.sums.training import train_on_sums
from model_build.training import Hyperparameters, Trained, fingerprint, train

MANY_ENTRIES = 5_000_000
"""Of so many entries on a training takes minutes."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What was trained, on what; ``written`` is to be called when the model is in its place.

    ``catalogue`` is the one that was named, or the one that came with the ratings.
    """

    trained: Trained
    fingerprint: str
    catalogue: pl.DataFrame | None
    written: Callable[[], None]


def add_fitting_arguments(parser: argparse.ArgumentParser) -> None:
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


def fit(arguments: argparse.Namespace, settings: Hyperparameters, *, progress: bool) -> Fitted:
    """Train as the options say.

    Raises:
        InputError: the ratings cannot be used, or options contradict each other.
    """
    catalogue = _catalogue(arguments)
    if arguments.fresh_since is not None and catalogue is None:
        raise InputError("--fresh-since: without a catalogue nobody knows years; add --catalogue.")
    if arguments.keep_sums or arguments.since is not None:
        return _with_sums(arguments, settings, catalogue)
    if on_cluster(arguments):
        new = _new(arguments, catalogue)
        trained, data = train_on_cluster(arguments, settings, new, progress=progress)
        return Fitted(trained, data, catalogue, _nothing)
    return _here(arguments, settings, catalogue, progress=progress)


def _here(
    arguments: argparse.Namespace,
    settings: Hyperparameters,
    catalogue: pl.DataFrame | None,
    *,
    progress: bool,
) -> Fitted:
    start = time.perf_counter()
    paths = [Path(place) for place in arguments.ratings]
    ratings = read_ratings(paths)
    prepared = is_prepared(paths[0])
    data = open_prepared(paths[0]).fingerprint() if prepared else fingerprint(ratings)
    facts, fresh = None, None
    if catalogue is not None and arguments.fresh_since is not None:
        needed = settings.lists_needed(len(ratings.user_ids))
        ratings, fresh = among(ratings, new_anime(catalogue, arguments.fresh_since), needed)
        facts = describe(catalogue, ratings.anime_ids)
    read_seconds = time.perf_counter() - start
    checkpoints = _checkpoints(arguments, ratings, data)
    trained = train(
        ratings,
        settings,
        facts=facts,
        fresh=fresh,
        threads=arguments.threads,
        progress=progress,
        checkpoints=checkpoints,
    )
    trained.seconds = {"reading": read_seconds, **trained.seconds}
    return Fitted(trained, data, catalogue, _nothing if arguments.work else checkpoints.clear)


def _catalogue(arguments: argparse.Namespace) -> pl.DataFrame | None:
    if arguments.catalogue is not None:
        return read_catalogue(arguments.catalogue)
    place = arguments.ratings[0]
    if not on_cluster(arguments):
        refuse_buckets(arguments.ratings)
    if is_bucket(place) or is_prepared(Path(place)):
        return catalogue_beside(place, open_prepared(place))
    return None


def _new(arguments: argparse.Namespace, catalogue: pl.DataFrame | None) -> NewAnime | None:
    if catalogue is None or arguments.fresh_since is None:
        return None
    return NewAnime.of(catalogue, arguments.fresh_since)


def _with_sums(
    arguments: argparse.Namespace, settings: Hyperparameters, catalogue: pl.DataFrame | None
) -> Fitted:
    """Train on kept sums, if there are any, and keep those of all fans."""
    if on_cluster(arguments) or arguments.work is not None:
        raise InputError(
            "--keep-sums and --since: go with none of --scheduler, --local-cluster and --work."
        )
    place, *others = arguments.ratings
    if others or not is_prepared(Path(place)):
        raise InputError(
            f"{others[0] if others else place}: sums are kept of one folder that prepare wrote; "
            "run prepare first, and name only its folder."
        )
    prepared = open_prepared(place)
    kept = _kept(arguments.since) if arguments.since is not None else None
    sums = beside(arguments.out)
    if sums.exists() and not (sums / INDEX).is_file():
        raise InputError(f"{sums}: holds something else than sums; choose another --out.")
    with replacing(sums) as folder:
        trained = train_on_sums(
            Path(place),
            prepared,
            settings,
            kept,
            folder,
            new=_new(arguments, catalogue),
            threads=arguments.threads,
        )
    return Fitted(trained, prepared.fingerprint(), catalogue, _nothing)


def _kept(model: Path) -> Sums:
    """The sums of a model."""
    mean = read_manifest(model).hyperparameters.get("mean")
    sums = Sums(beside(model))
    if mean != sums.index.fixed.mean:
        raise InputError(
            f"{beside(model)}: belongs to another model than {model}; train in full with "
            "--keep-sums."
        )
    return sums


def _checkpoints(arguments: argparse.Namespace, ratings: Ratings, data: str) -> Checkpoints:
    """Where stages are kept: where it was said, or beside the model if it takes long to train."""
    folder: Path | None = arguments.work
    if folder is None and len(ratings) >= MANY_ENTRIES:
        out = arguments.out.absolute()
        folder = out.with_name(f".{out.name}.checkpoints")
    # Fresh anime are among the others, so positions depend on which there are.
    anime = hashlib.sha256(ratings.anime_ids.tobytes()).hexdigest()
    return Checkpoints(folder, f"{data} {anime}")


def _nothing() -> None:
    pass
