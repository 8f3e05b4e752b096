"""Search for the settings that measure best on fans kept out of training.

Some fans are drawn, and a fifth of the scores of each hidden; what is left of the ratings is
trained on with other settings again and again. Finished trials stay in the study file: the same
command goes on where a killed one stopped, and more --trials go on with a finished one. The best
settings are written as a file for `train --settings`. Example:

    python -m model_build tune --ratings ratings.parquet --out best.json --parts knn
    python -m model_build train --ratings ratings.parquet --settings best.json --out model

The value found flatters the settings a little, which were chosen by it: measure them on other fans.

With --folds it is KNN's k and shrinkage alone, judged by cross validation: the scores of --fans
fans are split, each fold is predicted from the others, and scikit-surprise's RandomizedSearchCV
draws the settings. Example:

    python -m model_build tune --ratings ratings.parquet --out knn_search.json --folds 3
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Annotated, Literal

from annotated_types import Ge
from pydantic import Field

from model_build.util.errors import InputError
from model_build.util.options import (
    Config,
    Count,
    InputFile,
    InputFiles,
    Metavar,
    OutputFile,
    PositiveInt,
)


class TuneConfig(Config):
    """Options of `tune`."""

    ratings: InputFiles = Field(description="CSV or Parquet")
    out: OutputFile = Field(description="where the best settings go, JSON")
    trials: PositiveInt = Field(30, description="of each part, those done before included")
    study: OutputFile | None = Field(None, description="where trials are kept (default: OUT.study)")
    fans: PositiveInt = Field(500, description="fans to measure on")
    seed: int = Field(0, description="of the fans drawn and the search")
    parts: Literal["knn", "affinity", "taste", "all"] = Field("all", description="what to search")
    objective: Annotated[str, Metavar("MEASURE")] | None = Field(
        None,
        description="what to judge by, a measure of evaluate (default: rmse for knn and taste, "
        "ndcg@10 for affinity)",
    )
    only: tuple[Annotated[str, Metavar("SETTING")], ...] = Field(
        (), description="search no other settings"
    )
    catalogue: InputFile | None = Field(None, description="franchises, for measures of new ones")
    affinity_anime: Count | None = Field(
        None, description="fit affinity to the N anime on most lists alone, which is much faster"
    )
    folds: Annotated[int, Ge(2), Metavar("N")] | None = Field(
        None, description="search KNN's k and shrinkage by cross validation in N folds"
    )
    threads: PositiveInt | None = Field(None, description="default: one a processor")

    exclusive = tuple(
        ("folds", other)
        for other in ("study", "parts", "objective", "catalogue", "affinity_anime", "threads")
    )


CONFIG = TuneConfig


def run(config: TuneConfig) -> None:
    """Search, and print each trial and what was found."""
    if config.seed < 0:
        raise InputError(f"--seed {config.seed}: expected a whole number of at least 0.")
    if config.out.is_dir():
        raise InputError(f"{config.out}: is a directory; expected a file to write settings to.")
    if config.folds is None:
        search_on_held_out_fans(config)
    else:
        cross_validate(config, config.folds)
    print(f"written to {config.out}")


def cross_validate(config: TuneConfig, folds: int) -> None:
    """Search by cross validation, and write the best settings with all trials."""
    from app.recommender.atomic_writes import write_text_atomically
    from model_build.data.ratings import ratings_fingerprint, read_ratings
    from model_build.tuning.cross_validation import (
        cross_validated_ranges,
        search_by_cross_validation,
    )

    ranges = cross_validated_ranges(config.only)
    ratings = read_ratings(config.ratings)
    found = search_by_cross_validation(
        ratings,
        ranges,
        n_users=config.fans,
        folds=folds,
        trials=config.trials,
        seed=config.seed,
        progress=sys.stderr.isatty(),
    )
    for trial in [found.defaults, *found.trials, found.best]:
        title = "defaults " if trial is found.defaults else ""
        print(f"{title}rmse {trial.rmse:.5g}  {format_settings(trial.settings)}")
    about = {
        "command": f"python -m model_build tune --folds {folds} --fans {config.fans} "
        f"--trials {config.trials} --seed {config.seed}",
        "ratings": ratings_fingerprint(ratings),
        "ranges": {name: [values.low, values.high] for name, values in ranges.items()},
    }
    write_text_atomically(config.out, json.dumps(found.to_json(about), indent=1) + "\n")


def format_settings(settings: Mapping[str, float | int]) -> str:
    """``name=value`` of each."""
    return " ".join(f"{name}={value:.5g}" for name, value in settings.items())


def search_on_held_out_fans(config: TuneConfig) -> None:
    """Search one part after the other, and write the best settings whenever they change."""
    import optuna

    from model_build.data.catalogue import read_catalogue
    from model_build.data.holdout import HIDDEN_SHARE
    from model_build.data.ratings import read_ratings
    from model_build.evaluate.evaluation import build_catalogue, franchise_by_anime
    from model_build.train.hyperparameters import write_hyperparameters
    from model_build.tuning.holdout_benchmark import HoldoutBenchmark
    from model_build.tuning.search import search_hyperparameters
    from model_build.tuning.search_space import OBJECTIVE_METRICS, select_spaces

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if config.objective and config.objective not in OBJECTIVE_METRICS:
        raise InputError(
            f"--objective {config.objective}: expected one of {', '.join(OBJECTIVE_METRICS)}."
        )
    searches = select_spaces(config.parts, config.objective, list(config.only) or None)
    if config.objective == "new_ndcg@10" and not config.catalogue:
        raise InputError("--objective new_ndcg@10: needs the franchises of a --catalogue.")
    ratings = read_ratings(config.ratings)
    franchise: dict[int, int] = {}
    if config.catalogue:
        catalogue = build_catalogue(read_catalogue(config.catalogue), ratings.anime_ids)
        franchise = franchise_by_anime(catalogue)
    benchmark = HoldoutBenchmark(
        ratings,
        n_users=config.fans,
        seed=config.seed,
        affinity_anime=config.affinity_anime,
        franchise=franchise,
        threads=config.threads,
    )
    for _, objective, _ in searches:
        benchmark.check_objective(objective)
    study_attributes = {
        "ratings": benchmark.fingerprint[:16],
        "fans": config.fans,
        "seed": config.seed,
        "hidden share": HIDDEN_SHARE,
        "anime in affinity": config.affinity_anime,
        "franchises": len(franchise),
    }
    best: dict[str, float | int | str] = {}

    def save_best(settings: dict[str, float | int]) -> None:
        best.update(settings)
        write_hyperparameters(config.out, best)

    for part, objective, space in searches:
        found = search_hyperparameters(
            benchmark,
            part,
            objective,
            space,
            study_file=config.study or config.out.with_name(f"{config.out.name}.study"),
            trials=config.trials,
            seed=config.seed,
            study_attributes=study_attributes,
            on_improvement=save_best,
            log=lambda line: print(line, flush=True),
        )
        print(
            f"{part}: {objective} {found.value:.5g}, defaults {found.default_value:.5g}: "
            f"{format_settings(found.settings)}"
        )
