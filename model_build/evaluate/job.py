"""`evaluate`, `compare` and `neural`: models and held-out fans in, measures out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.catalogue import Catalogue
from app.recommender import EngineName, Model, SortOrder
from app.recommender.artifact import read_manifest
from model_build.data.catalogue import read_catalogue
from model_build.data.dumps.prepared import is_prepared_dataset
from model_build.data.holdout import check_no_leakage, join_holdout
from model_build.data.ratings import dataset_fingerprint, read_evaluation_ratings, read_ratings
from model_build.engines.settings import network_settings
from model_build.evaluate.comparison import (
    ComparisonRow,
    compare_predictors,
    compare_recommenders,
    missing_requirements,
)
from model_build.evaluate.config import CompareConfig, EvaluateConfig, NeuralConfig
from model_build.evaluate.evaluation import evaluate, evaluate_by_length, franchises_and_genres
from model_build.evaluate.knn_fidelity import compare_with_full_knn
from model_build.evaluate.ranking import EvaluationItems, model_ranker
from model_build.util.errors import InputError
from model_build.util.markdown_tables import nan_to_null

JSON_NAMES = {"mse": "loss", "log_loss": "entropy"}
"""Metrics that have another name in the JSON of `neural`."""


def require_engine(model: Model, engine: str) -> EngineName:
    """The engine of this name."""
    if engine not in (EngineName.HAKKEN, *model.engines):
        raise InputError(
            f"model {model.version}: it has no engine {engine}; "
            f"`python -m model_build engine {engine}` makes a model that has."
        )
    return EngineName(engine)


def evaluate_model(config: EvaluateConfig) -> dict[str, Any]:
    """All measures of a model by name, NaN where there was nothing to measure."""
    if config.full_knn and not config.ratings:
        raise InputError("--full-knn: needs what the model was trained on; add --ratings.")
    lists = read_evaluation_ratings(config.lists)
    holdout = read_evaluation_ratings(config.holdout)
    users = join_holdout(lists, holdout)
    model = Model.open(config.model)
    engine = require_engine(model, config.engine)
    training = None
    if config.ratings:
        training = read_ratings(config.ratings)
        if dataset_fingerprint(config.ratings, training) != model.manifest.dataset.fingerprint:
            names = ", ".join(map(str, config.ratings))
            raise InputError(f"{names}: {config.model} was trained on other ratings than these.")
        # Who was prepared has a number that says nothing anywhere else.
        has_ids = not is_prepared_dataset(config.ratings[0])
        check_no_leakage(training, lists, holdout, compare_ids=has_ids)
    franchise, genres = franchises_and_genres(Catalogue.open(model.catalogue_path), model.anime_id)
    ranker = model_ranker(model, SortOrder(config.order), engine)
    measured = evaluate(model, franchise, users, genres=genres, ranker=ranker, seed=config.seed)
    if config.by_length:
        items = EvaluationItems.from_model(model, franchise, genres)
        measured["by_length"] = evaluate_by_length(ranker, items, users, seed=config.seed)
    if config.full_knn and training is not None:
        measured |= compare_with_full_knn(model, training, users[: config.full_knn])
    return measured


def compare(config: CompareConfig) -> Iterator[ComparisonRow]:
    """Measures of each recommender, as they become known."""
    catalogue = read_catalogue(config.catalogue) if config.catalogue else None
    return compare_recommenders(
        read_ratings(config.ratings),
        catalogue,
        config.models,
        n_users=config.fans,
        seed=config.seed,
    )


def measure_predictors(config: NeuralConfig) -> Iterator[ComparisonRow]:
    """Measures of each predictor, as they become known; what cannot be had is said at once."""
    for reason in sorted(set(missing_requirements(config.models).values())):
        print(f"not measured: {reason}", file=sys.stderr)
    return compare_predictors(
        read_ratings(config.ratings),
        config.models,
        lambda name, defaults: network_settings(config, name, defaults),
        split=config.split,
        n_users=config.fans,
        seed=config.seed,
    )


def check_not_trained_on(model: Path, ratings: Sequence[str]) -> None:
    """Raise InputError if a fetched model has learnt from these very ratings."""
    paths = [Path(place) for place in ratings]
    if read_manifest(model).dataset.fingerprint == dataset_fingerprint(paths):
        raise InputError(
            f"{', '.join(ratings)}: the fetched model was trained on these ratings, so it cannot "
            "be measured on them; leave [evaluate] out, or name others."
        )


def evaluation_json(config: EvaluateConfig) -> str:
    """What `evaluate --json` prints."""
    return json.dumps(nan_to_null(evaluate_model(config)))


def comparison_json(config: CompareConfig) -> str:
    """What `compare --json` prints."""
    return json.dumps([nan_to_null(asdict(row)) for row in compare(config)])


def predictions_json(config: NeuralConfig) -> str:
    """What `neural --json` prints when all of it can be measured."""
    return json.dumps(list(map(predictor_row_json, measure_predictors(config))))


def predictor_row_json(row: ComparisonRow) -> dict[str, Any]:
    """Return a row of `neural` as its JSON has it."""
    return nan_to_null(
        {
            "name": row.name,
            "title": row.title,
            "missing": row.missing or None,
            "train_seconds": row.train_seconds,
            "ms": row.milliseconds_a_fan,
            "told": {JSON_NAMES.get(name, name): value for name, value in row.measured.items()},
        }
    )
