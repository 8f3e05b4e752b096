"""Train a model and write it as one directory.

Reads CSV or Parquet files with the columns user_id, anime_id, rating (1 to 10; 0 or -1: on the
list, not scored) and optionally status (MyAnimeList's codes), or a folder that prepare wrote, with
its catalogue. Example:

    python -m model_build train --ratings ratings.parquet --catalogue anime.parquet --out model

With millions of entries, finished stages are kept in a hidden folder beside the model until it is
written: a training that was stopped goes on where it was if it is started again in the same way.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from dataclasses import fields
from pathlib import Path

from app.recommender.artifact import (
    EVALUATION_FILE,
    DatasetInfo,
    ensure_replaceable,
    write_artifact,
)
from model_build.artifact.metrics import (
    MODEL_CARD_FILE,
    evaluation_metrics_json,
    read_evaluation_metrics,
    render_model_card,
    scalar_metrics,
)
from model_build.commands.arguments import non_negative_float, non_negative_int, positive_int
from model_build.commands.fitting import add_training_arguments, run_training
from model_build.data.catalogue import encode_catalogue
from model_build.train.hyperparameters import Hyperparameters, read_hyperparameters
from model_build.train.model_arrays import build_timestamp, make_model_version

HELP = "train a model from ratings"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    default = Hyperparameters()
    parser.add_argument(
        "--ratings",
        nargs="+",
        required=True,
        metavar="FILE",
        help="CSV, Parquet or what prepare wrote (for workers also gs://bucket/prefix)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the model's place")
    parser.add_argument(
        "--catalogue", type=Path, metavar="FILE", help="facts about anime, CSV or Parquet"
    )
    parser.add_argument("--name", default="ratings", help="what to call the data in the manifest")
    parser.add_argument(
        "--metrics", type=Path, metavar="FILE", help="what evaluate --json printed, to be recorded"
    )
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help="what tune wrote; options given here win over it",
    )
    parser.add_argument(
        "--fresh-since",
        type=positive_int,
        metavar="YEAR",
        help="anime of this year or later get a place even without scores (default: none does)",
    )
    add_training_arguments(parser)
    parser.add_argument("--threads", type=positive_int, help="default: one a processor")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    for name, kind, help_text in (
        ("shrinkage", non_negative_float, "pulls similarities of few common fans to 0"),
        ("neighbours", positive_int, "similar anime kept for each anime"),
        ("min-support", positive_int, "common fans that a similarity needs"),
        ("k", positive_int, "neighbours that a predicted score rests on"),
        ("reg-user", non_negative_float, "regularisation of the user biases"),
        ("reg-item", non_negative_float, "regularisation of the anime biases"),
        ("epochs", positive_int, "rounds of least squares for the biases"),
        ("affinity-ridge", non_negative_float, "regularisation of the affinity"),
        ("affinity-dropout", non_negative_float, "further regularisation, by how often seen"),
        ("affinity-popularity", non_negative_float, "how much popular anime are held back"),
        ("affinity-neighbours", positive_int, "affinities kept for each anime"),
        (
            "affinity-lists",
            non_negative_int,
            "on how many lists an anime with affinities must be; 0: ten, and one of 2,000",
        ),
        ("newcomer-neighbours", positive_int, "affinities kept for very short lists"),
        ("taste-neighbours", positive_int, "similar anime kept for sharper predicted scores"),
        ("taste-shrinkage", non_negative_float, "pulls their similarities of few common fans to 0"),
        ("fresh-neighbours", positive_int, "affinities kept for an anime too new for scores"),
        ("taste-factors", positive_int, "factors of what fans' scores have in common"),
    ):
        value = getattr(default, name.replace("-", "_"))
        parser.add_argument(f"--{name}", type=kind, help=f"{help_text} (default {value:g})")
    parser.add_argument(
        "--precision",
        choices=("exact", "compact"),
        help="compact stores similarities in 16 bits (default exact)",
    )


def run(arguments: argparse.Namespace) -> None:
    start = time.perf_counter()
    ensure_replaceable(arguments.out)
    progress = not arguments.quiet and sys.stderr.isatty()
    measured = read_evaluation_metrics(arguments.metrics) if arguments.metrics else {}
    metrics = scalar_metrics(measured)
    settings = _hyperparameters_from(arguments)
    fitted = run_training(arguments, settings, progress=progress)
    trained = fitted.trained
    created = build_timestamp()
    dataset = DatasetInfo(name=arguments.name, fingerprint=fitted.fingerprint)
    version = make_model_version(created, dataset.fingerprint, settings)
    card = render_model_card(version, dataset, trained.counts, trained.hyperparameters, metrics)
    documents = {MODEL_CARD_FILE: card}
    if measured:
        documents[EVALUATION_FILE] = evaluation_metrics_json(measured)
    manifest = write_artifact(
        arguments.out,
        version=version,
        created=created.isoformat(timespec="seconds"),
        dataset=dataset,
        counts=trained.counts,
        hyperparameters=trained.hyperparameters,
        metrics=metrics,
        arrays=trained.arrays,
        catalogue=encode_catalogue(fitted.catalogue, trained.arrays["anime_id"]),
        documents=documents,
    )
    fitted.on_written()
    size = sum(file.bytes for file in manifest.files.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )
    print(f"model       {version} in {arguments.out}")
    print("data        " + ", ".join(f"{n:,} {what}" for what, n in trained.counts.items()))
    print("seconds     " + ", ".join(f"{what} {s:.2f}" for what, s in trained.seconds.items()))
    print(f"in all      {time.perf_counter() - start:.2f} s, peak memory {peak / 1e6:,.0f} MB")
    print(f"size        {size / 1e6:.1f} MB")


def _hyperparameters_from(arguments: argparse.Namespace) -> Hyperparameters:
    chosen = read_hyperparameters(arguments.settings) if arguments.settings else {}
    for setting in fields(Hyperparameters):
        given = getattr(arguments, setting.name)
        if given is not None:
            chosen[setting.name] = given
    return Hyperparameters(**chosen)
