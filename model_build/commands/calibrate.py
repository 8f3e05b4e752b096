"""Fit the weights, powers and thresholds of serving on fans kept out of training.

The fans that compare measures on (its --fans and --seed) are set aside first, so that what is
fitted here never saw them. Of those left some are drawn, and a fifth of the scores of each hidden;
one parameter after another is moved to where these are predicted or found best. At the end come
the curves that a match in percent is read off (match_curves). Example:

    python -m model_build calibrate --ratings ratings.parquet --out parameters.json
    python -m model_build train --ratings ratings.parquet --parameters parameters.json --out model
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from model_build.util.options import (
    Config,
    InputFile,
    InputFiles,
    Metavar,
    NonNegativeInt,
    OutputFile,
    PositiveInt,
)


class CalibrateConfig(Config):
    """Options of `calibrate`."""

    ratings: InputFiles = Field(description="CSV or Parquet")
    out: OutputFile = Field(description="where the parameters go, JSON")
    start: InputFile | None = Field(
        None, description="parameters to begin with (default: those of train)"
    )
    settings: InputFile | None = Field(None, description="what tune wrote")
    only: tuple[Annotated[str, Metavar("PARAMETER")], ...] = Field(
        (), description="fit no other parameters, and the match_curves"
    )
    fans: PositiveInt = Field(500, description="fans to fit on")
    seed: NonNegativeInt = Field(0, description="of the fans drawn")
    compare_fans: NonNegativeInt = Field(1000, description="fans that compare measures on")
    compare_seed: NonNegativeInt = Field(0, description="compare's seed")
    rounds: PositiveInt = Field(2, description="how often every parameter is moved")
    steps: PositiveInt = Field(12, description="values tried of a parameter in a round")
    threads: PositiveInt | None = Field(None, description="default: one a processor")


CONFIG = CalibrateConfig


def run(config: CalibrateConfig) -> None:
    """Fit the parameters of serving on users kept out of training, and print what was found."""
    from model_build.data.holdout import split_users
    from model_build.data.ratings import index_ratings, read_ratings
    from model_build.train.hyperparameters import Hyperparameters, read_hyperparameters
    from model_build.train.serving_parameters import DEFAULT_FILE, read_parameters, write_parameters
    from model_build.tuning.calibration import calibrate, fitted_parameters
    from model_build.tuning.holdout_benchmark import HoldoutBenchmark
    from model_build.util.errors import InputError

    if config.out.is_dir():
        raise InputError(f"{config.out}: is a directory; expected a file to write parameters to.")
    specs = fitted_parameters(config.only)
    start = read_parameters(config.start or DEFAULT_FILE)
    settings = read_hyperparameters(config.settings) if config.settings else {}
    ratings = read_ratings(config.ratings)
    if config.compare_fans:
        try:
            left = split_users(ratings, config.compare_fans, config.compare_seed)["ratings"]
        except InputError as error:  # of fans that nobody asked for
            raise InputError(f"--compare-fans {config.compare_fans}: {error}") from None
        ratings = index_ratings(left)
    found = calibrate(
        HoldoutBenchmark(ratings, n_users=config.fans, seed=config.seed, threads=config.threads),
        start,
        specs,
        hyperparameters=Hyperparameters(**settings),
        rounds=config.rounds,
        steps=config.steps,
        split=f"{config.fans} users, seed {config.seed}, without the {config.compare_fans} that "
        f"compare draws with seed {config.compare_seed}",
        log=lambda line: print(line, flush=True),
    )
    write_parameters(config.out, found)
    print(f"written to {config.out}")
