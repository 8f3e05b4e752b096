"""Fit a further engine and write the model with it.

The model at --model stays as it is; --out gets its arrays and those of the engine. Example:

    python -m model_build engine als --model model --ratings ratings.parquet --out model-als

mf, mlp, hybrid and cosine are trained with PyTorch (pip install -r requirements-neural.txt).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from app.recommender import Model
from app.recommender.artifact import refuse_foreign_directory
from app.recommender.engines.als import Strengths
from model_build.arguments import non_negative_float, positive_int
from model_build.commands import neural
from model_build.engines import als
from model_build.engines.base import FittedEngine, add_engine
from model_build.engines.crowd import crowd_arrays
from model_build.engines.networks import NETWORKS, trainer
from model_build.ratings import Ratings, read_ratings

HELP = "fit a further engine and add it to a model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    engines = parser.add_subparsers(dest="engine", required=True, metavar="NAME")
    parser = _engine(engines, "als", "alternating least squares for what fans did")
    default, strengths = als.Settings(), Strengths()
    for name, kind in (
        ("factors", positive_int),
        ("regularization", non_negative_float),
        ("iterations", positive_int),
        ("alpha", non_negative_float),
    ):
        value = getattr(default, name)
        parser.add_argument(f"--{name}", type=kind, default=value, help=f"default {value:g}")
    for name in Strengths.__dataclass_fields__:
        value = getattr(strengths, name)
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=non_negative_float,
            default=value,
            metavar="STRENGTH",
            help=f"strength of such an entry (default {value:g})",
        )
    parser.set_defaults(fit=_fit_als)
    for network, (title, _) in NETWORKS.items():
        parser = _engine(engines, network, f"{title} (PyTorch)")
        neural.add_settings(parser)
        parser.set_defaults(fit=_fit_network)


def _engine(
    engines: argparse._SubParsersAction[argparse.ArgumentParser], name: str, help_text: str
) -> argparse.ArgumentParser:
    parser = engines.add_parser(name, help=help_text, description=__doc__)
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="to add it to")
    parser.add_argument("--ratings", nargs="+", type=Path, required=True, metavar="FILE")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the new model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--with-fans",
        action="store_true",
        help="keep the fans as nameless vectors, for finding fans alike (default: none is kept)",
    )
    return parser


def run(arguments: argparse.Namespace) -> None:
    refuse_foreign_directory(arguments.out)
    model = Model.open(arguments.model)
    ratings = read_ratings(arguments.ratings)
    start = time.perf_counter()
    fitted: FittedEngine = arguments.fit(arguments, ratings, model)
    seconds = time.perf_counter() - start
    if arguments.with_fans:
        fitted = _with_fans(arguments, fitted, ratings)
    manifest = add_engine(arguments.model, arguments.engine, fitted, arguments.out)
    print(f"model       {manifest.version} in {arguments.out}")
    print(f"engine      {arguments.engine}, fitted in {seconds:.1f} s")
    for name, value in fitted.metrics.items():
        print(f"{name:<11} {value:.4f}")


def _with_fans(
    arguments: argparse.Namespace, fitted: FittedEngine, ratings: Ratings
) -> FittedEngine:
    """The engine with the fans folded in as it is going to fold in visitors."""
    with tempfile.TemporaryDirectory(dir=arguments.out.absolute().parent) as folder:
        without = Path(folder) / "model"
        add_engine(arguments.model, arguments.engine, fitted, without)
        model = Model.open(without)
        engine = model.engines[arguments.engine]
        crowd = crowd_arrays(model, engine, ratings, progress=sys.stderr.isatty())
    return replace(fitted, arrays={**fitted.arrays, **crowd})


def _fit_als(arguments: argparse.Namespace, ratings: Ratings, model: Model) -> FittedEngine:
    settings = als.Settings(
        factors=arguments.factors,
        regularization=arguments.regularization,
        iterations=arguments.iterations,
        alpha=arguments.alpha,
        strengths=Strengths(
            **{name: getattr(arguments, name) for name in Strengths.__dataclass_fields__}
        ),
        seed=arguments.seed,
    )
    return als.fit(ratings, model.anime_id, settings, progress=sys.stderr.isatty())


def _fit_network(arguments: argparse.Namespace, ratings: Ratings, model: Model) -> FittedEngine:
    fit, defaults = trainer(arguments.engine)
    settings = neural.chosen_settings(arguments, defaults)
    fitted: FittedEngine = fit(ratings, model.anime_id, settings, progress=sys.stderr.isatty())
    return fitted
