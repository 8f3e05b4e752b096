"""Fit a further engine and write the model with it.

The model at --model stays as it is; --out gets its arrays and those of the engine. Example:

    python -m model_build engine als --model model --ratings ratings.parquet --out model-als

mf, mlp, hybrid, cosine and kernel are trained with PyTorch:

    pip install -r requirements-neural.txt
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from app.recommender import Model
from app.recommender.artifact import ensure_replaceable
from model_build.commands import als_options, neural
from model_build.data.holdout import mask_interactions
from model_build.data.interactions import Interactions, read_interactions
from model_build.engines import als
from model_build.engines.base import FittedEngine, add_engine, training_user_arrays
from model_build.engines.registry import NEURAL_ENGINES, network_trainer
from model_build.tuning import strength_search as strengths

HELP = "fit a further engine and add it to a model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    engines = parser.add_subparsers(dest="engine", required=True, metavar="NAME")
    parser = _add_engine_parser(engines, "als", "alternating least squares for what fans did")
    als_options.add_interaction_options(parser)
    als_options.add_als_options(parser)
    parser.add_argument(
        "--learn-strengths",
        action="store_true",
        help="begin with these strengths and search for better ones on masked interactions",
    )
    parser.set_defaults(read=als_options.read_interactions_from, fit=_fit_als)
    for network, (title, _) in NEURAL_ENGINES.items():
        parser = _add_engine_parser(engines, network, f"{title} (PyTorch)")
        parser.add_argument("--ratings", nargs="+", type=Path, required=True, metavar="FILE")
        neural.add_network_options(parser)
        parser.set_defaults(read=_read_rated_interactions, fit=_fit_network)


def _add_engine_parser(
    engines: argparse._SubParsersAction[argparse.ArgumentParser], name: str, help_text: str
) -> argparse.ArgumentParser:
    parser = engines.add_parser(name, help=help_text, description=__doc__)
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="to add it to")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the new model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--with-fans",
        action="store_true",
        help="keep the fans as nameless vectors, for finding fans alike (default: none is kept)",
    )
    return parser


def run(arguments: argparse.Namespace) -> None:
    ensure_replaceable(arguments.out)
    model = Model.open(arguments.model)
    interactions: Interactions = arguments.read(arguments)
    start = time.perf_counter()
    fitted: FittedEngine = arguments.fit(arguments, interactions, model)
    seconds = time.perf_counter() - start
    if arguments.with_fans:
        fitted = _with_user_vectors(arguments, fitted, interactions)
    manifest = add_engine(arguments.model, arguments.engine, fitted, arguments.out)
    print(f"model       {manifest.version} in {arguments.out}")
    print(f"engine      {arguments.engine}, fitted in {seconds:.1f} s")
    for name, value in fitted.metrics.items():
        print(f"{name:<11} {value:.4f}")


def _with_user_vectors(
    arguments: argparse.Namespace, fitted: FittedEngine, interactions: Interactions
) -> FittedEngine:
    """The engine with the fans folded in as it is going to fold in visitors."""
    with tempfile.TemporaryDirectory(dir=arguments.out.absolute().parent) as folder:
        without = Path(folder) / "model"
        add_engine(arguments.model, arguments.engine, fitted, without)
        model = Model.open(without)
        engine = model.engines[arguments.engine]
        crowd = training_user_arrays(model, engine, interactions, progress=sys.stderr.isatty())
    return replace(fitted, arrays={**fitted.arrays, **crowd})


def _fit_als(
    arguments: argparse.Namespace, interactions: Interactions, model: Model
) -> FittedEngine:
    settings = als_options.als_settings_from(arguments)
    if arguments.learn_strengths:
        masked = mask_interactions(interactions, seed=arguments.seed)
        found = strengths.search_strengths(
            masked, settings, masked.new_users, strengths.print_trial
        )
        settings = replace(settings, strengths=found.strengths)
    return als.fit(interactions, model.anime_id, settings, progress=sys.stderr.isatty())


def _read_rated_interactions(arguments: argparse.Namespace) -> Interactions:
    return read_interactions(arguments.ratings)


def _fit_network(
    arguments: argparse.Namespace, interactions: Interactions, model: Model
) -> FittedEngine:
    fit, defaults = network_trainer(arguments.engine)
    settings = neural.network_settings_from(arguments, defaults)
    fitted: FittedEngine = fit(
        interactions.entries, model.anime_id, settings, progress=sys.stderr.isatty()
    )
    return fitted
