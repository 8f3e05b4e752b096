"""Write an HTML page about a model for the one who runs it.

One file without anything outside it: what the model is, its error by k and shrinkage, ranking by
order, calibration, coverage, error by list length, the most similar anime of well-known titles, and
with --compare the table that `compare --json` printed. Error and ranking are measured on fans drawn
from --ratings, with the model's settings trained again without them. Example:

    python -m model_build report --ratings ratings.parquet --model model --out report.html
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from app.recommender import Model
from app.recommender.atomic_writes import write_text_atomically
from model_build.commands.arguments import positive_int
from model_build.data.catalogue import read_catalogue
from model_build.data.ratings import read_ratings
from model_build.util.errors import InputError

HELP = "write an HTML page about a model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ratings", type=Path, nargs="+", required=True, metavar="FILE", help="CSV or Parquet"
    )
    parser.add_argument("--model", type=Path, required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the page, HTML")
    parser.add_argument(
        "--catalogue",
        type=Path,
        metavar="FILE",
        help="titles and franchises (default: the model's)",
    )
    parser.add_argument(
        "--compare", type=Path, metavar="FILE", help="what compare --json printed, for a table"
    )
    parser.add_argument("--fans", type=positive_int, default=300, help="fans to measure on")
    parser.add_argument("--seed", type=int, default=0, help="of the fans drawn")
    parser.add_argument("--threads", type=positive_int, help="default: one a processor")


def run(arguments: argparse.Namespace) -> None:
    # Here, so that the other commands start without matplotlib.
    from model_build.reporting.page import report_page
    from model_build.reporting.report_charts import (
        PROGRESS_STEPS,
        model_hyperparameters,
        report_charts,
    )
    from model_build.reporting.report_inputs import AnimeNames, read_comparison, similar_anime
    from model_build.tuning.holdout_benchmark import HoldoutBenchmark

    if arguments.seed < 0:
        raise InputError(f"--seed {arguments.seed}: expected a whole number of at least 0.")
    if arguments.out.is_dir():
        raise InputError(f"{arguments.out}: is a directory; expected a file to write a page to.")
    compared = read_comparison(arguments.compare) if arguments.compare else {}
    model = Model.open(arguments.model)
    names = (
        AnimeNames.from_catalogue(read_catalogue(arguments.catalogue))
        if arguments.catalogue
        else AnimeNames.from_model(model)
    )
    bench = HoldoutBenchmark(
        read_ratings(arguments.ratings),
        n_users=arguments.fans,
        seed=arguments.seed,
        franchise=dict(names.franchise),
        threads=arguments.threads,
    )
    with tqdm(
        total=PROGRESS_STEPS, desc="report", unit=" step", disable=not sys.stderr.isatty()
    ) as bar:
        found = report_charts(
            bench,
            model_hyperparameters(model),
            franchises=bool(names.franchise),
            on_step=lambda: bar.update(),
        )
    text = report_page(
        model.manifest, found, similar_anime(model, names), compared, n_users=len(bench.users)
    )
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomically(arguments.out, text)
    print(f"written to {arguments.out} ({len(text) / 1e3:,.0f} kB)")
