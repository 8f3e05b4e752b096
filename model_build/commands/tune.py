"""Search for the settings that measure best on fans kept out of training.

Some fans are drawn, and a fifth of the scores of each hidden; what is left of the ratings is
trained on with other settings again and again. Finished trials stay in the study file: the same
command goes on where a killed one stopped, and more --trials go on with a finished one. The best
settings are written as a file for `train --settings`. Example:

    python -m model_build tune --ratings ratings.parquet --out best.json --parts knn
    python -m model_build train --ratings ratings.parquet --settings best.json --out model

The value found flatters the settings a little, which were chosen by it: measure them on other fans.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from model_build.commands.arguments import positive_int
from model_build.data.catalogue import read_catalogue
from model_build.data.holdout import HIDDEN_SHARE
from model_build.data.ratings import read_ratings
from model_build.train.hyperparameters import write_hyperparameters
from model_build.util.errors import InputError

HELP = "search for the best settings"
MODEL_PARTS = ("knn", "affinity", "taste", "all")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ratings", type=Path, nargs="+", required=True, metavar="FILE", help="CSV or Parquet"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="where the best settings go, JSON"
    )
    parser.add_argument(
        "--trials", type=positive_int, default=30, help="of each part, those done before included"
    )
    parser.add_argument(
        "--study", type=Path, metavar="FILE", help="where trials are kept (default: OUT.study)"
    )
    parser.add_argument("--fans", type=positive_int, default=500, help="fans to measure on")
    parser.add_argument("--seed", type=int, default=0, help="of the fans drawn and the search")
    parser.add_argument(
        "--parts", choices=MODEL_PARTS, default="all", help="what to search (default all)"
    )
    parser.add_argument(
        "--objective",
        metavar="MEASURE",
        help="what to judge by, a measure of evaluate (default: rmse for knn and taste, ndcg@10 "
        "for affinity)",
    )
    parser.add_argument("--only", nargs="+", metavar="SETTING", help="search no other settings")
    parser.add_argument(
        "--catalogue", type=Path, metavar="FILE", help="franchises, for measures of new ones"
    )
    parser.add_argument(
        "--affinity-anime",
        type=positive_int,
        metavar="N",
        help="fit affinity to the N anime on most lists alone, which is much faster",
    )
    parser.add_argument("--threads", type=positive_int, help="default: one a processor")


def run(arguments: argparse.Namespace) -> None:
    # Here, so that the other commands start without optuna.
    import optuna

    from model_build.tuning.holdout_benchmark import HoldoutBenchmark, franchise_by_anime
    from model_build.tuning.search import search_hyperparameters
    from model_build.tuning.search_space import OBJECTIVE_METRICS, select_spaces

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if arguments.seed < 0:
        raise InputError(f"--seed {arguments.seed}: expected a whole number of at least 0.")
    if arguments.objective and arguments.objective not in OBJECTIVE_METRICS:
        raise InputError(
            f"--objective {arguments.objective}: expected one of {', '.join(OBJECTIVE_METRICS)}."
        )
    searches = select_spaces(arguments.parts, arguments.objective, arguments.only)
    if arguments.objective == "new_ndcg@10" and not arguments.catalogue:
        raise InputError("--objective new_ndcg@10: needs the franchises of a --catalogue.")
    if arguments.out.is_dir():
        raise InputError(f"{arguments.out}: is a directory; expected a file to write settings to.")
    franchise = None
    if arguments.catalogue:
        catalogue = read_catalogue(arguments.catalogue)
        if "franchise_id" not in catalogue.columns:
            raise InputError(f"{arguments.catalogue}: column franchise_id is missing.")
        franchise = franchise_by_anime(
            catalogue["anime_id"].to_list(), catalogue["franchise_id"].to_list()
        )
    benchmark = HoldoutBenchmark(
        read_ratings(arguments.ratings),
        n_users=arguments.fans,
        seed=arguments.seed,
        affinity_anime=arguments.affinity_anime,
        franchise=franchise,
        threads=arguments.threads,
    )
    for _, objective, _ in searches:
        benchmark.check_objective(objective)
    study_attributes = {
        "ratings": benchmark.fingerprint[:16],
        "fans": arguments.fans,
        "seed": arguments.seed,
        "hidden share": HIDDEN_SHARE,
        "anime in affinity": arguments.affinity_anime,
        "franchises": len(franchise or ()),
    }
    best: dict[str, float | int | str] = {}

    def save_best(settings: dict[str, float | int]) -> None:
        best.update(settings)
        write_hyperparameters(arguments.out, best)

    for part, objective, space in searches:
        found = search_hyperparameters(
            benchmark,
            part,
            objective,
            space,
            study_file=arguments.study or arguments.out.with_name(f"{arguments.out.name}.study"),
            trials=arguments.trials,
            seed=arguments.seed,
            study_attributes=study_attributes,
            on_improvement=save_best,
            log=lambda line: print(line, flush=True),
        )
        chosen = " ".join(f"{name}={value:.5g}" for name, value in found.settings.items())
        print(
            f"{part}: {objective} {found.value:.5g}, defaults {found.default_value:.5g}: {chosen}"
        )
    print(f"written to {arguments.out}")
