"""`tune`: ratings in, a file of the settings that measured best out."""

from __future__ import annotations

import json
from collections.abc import Mapping

from model_build.tuning.config import TuneConfig
from model_build.util.errors import InputError


def tune(config: TuneConfig) -> str:
    """Search, and print each trial and what was found; returns where it was written."""
    if config.out.is_dir():
        raise InputError(f"{config.out}: is a directory; expected a file to write settings to.")
    if config.folds is None:
        search_on_held_out_fans(config)
    else:
        cross_validate(config, config.folds)
    return f"written to {config.out}"


def cross_validate(config: TuneConfig, folds: int) -> None:
    """Search by cross validation, and write the best settings with all trials."""
    from app.recommender.atomic_writes import write_text_atomically
    from model_build.data.ratings import ratings_fingerprint, read_ratings
    from model_build.tuning.cross_validation import search_by_cross_validation
    from model_build.tuning.search_spaces import search_ranges

    ranges = search_ranges(config.only)
    ratings = read_ratings(config.ratings)
    found = search_by_cross_validation(
        ratings, ranges, n_users=config.fans, folds=folds, trials=config.trials, seed=config.seed
    )
    for trial in [found["defaults"], *found["trials"], found["best"]]:
        title = "defaults " if trial is found["defaults"] else ""
        print(f"{title}rmse {trial['rmse']:.5g}  {format_settings(trial['settings'])}")
    about = {
        "command": f"python -m model_build tune --folds {folds} --fans {config.fans} "
        f"--trials {config.trials} --seed {config.seed}",
        "ratings": ratings_fingerprint(ratings),
        "ranges": {name: [values.low, values.high] for name, values in ranges.items()},
    }
    written = {"settings": found["best"]["settings"], "search": {**about, **found}}
    write_text_atomically(config.out, json.dumps(written, indent=1) + "\n")


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
    from model_build.tuning.search_spaces import FRANCHISE_METRIC, select_spaces

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    searches = select_spaces(config.parts, config.objective, config.only)
    if config.objective == FRANCHISE_METRIC and not config.catalogue:
        raise InputError(f"--objective {FRANCHISE_METRIC}: needs the franchises of a --catalogue.")
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
            study_file=config.study_file,
            trials=config.trials,
            seed=config.seed,
            study_attributes=study_attributes,
            start_over=config.start_over,
            on_improvement=save_best,
            log=lambda line: print(line, flush=True),
        )
        print(
            f"{part}: {objective} {found.value:.5g}, defaults {found.default_value:.5g}: "
            f"{format_settings(found.settings)}"
        )
