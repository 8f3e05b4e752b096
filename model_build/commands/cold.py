"""Measure how well anime are placed that nobody has scored yet.

Known anime are hidden from training, get their place from the catalogue's facts, and are looked for
on the lists of fans left out; beside it stands a model that knows them. Example:

    python -m model_build cold --ratings ratings.parquet --catalogue anime.parquet
"""

from __future__ import annotations

import json
from dataclasses import asdict

from pydantic import Field

from model_build.util.options import (
    Config,
    InputFile,
    InputFiles,
    NonNegativeInt,
    PositiveInt,
    named,
)


class ColdConfig(Config):
    """Options of `cold`."""

    ratings: InputFiles
    catalogue: InputFile
    hide: PositiveInt = Field(400, description="anime to hide")
    fans: PositiveInt = Field(1000, description="fans to leave out")
    seed: NonNegativeInt = 0
    as_json: bool = named("json", "one JSON object instead of a table", False)


CONFIG = ColdConfig


def run(config: ColdConfig) -> None:
    """Print the measures, as a table or as JSON."""
    from model_build.data.catalogue import read_catalogue
    from model_build.data.ratings import read_ratings
    from model_build.data.watch_order import ensure_series
    from model_build.evaluate.cold_start import evaluate_cold_start
    from model_build.train.hyperparameters import Hyperparameters
    from model_build.util.markdown_tables import nan_to_null

    found, counts = evaluate_cold_start(
        read_ratings(config.ratings),
        ensure_series(read_catalogue(config.catalogue)),
        Hyperparameters(),
        n_hidden=config.hide,
        n_users=config.fans,
        seed=config.seed,
    )
    if config.as_json:
        measures = {name: asdict(it) for name, it in found.items()}
        print(json.dumps(nan_to_null({"counts": counts, **measures})))
        return
    print(", ".join(f"{count:,} {what}" for what, count in counts.items()))
    print(f"{'known by':<14}{'AUC':>8}{'NDCG@10':>9}{'RMSE':>8}{'expected':>10}{'within':>8}")
    for name, measured in found.items():
        print(
            f"{name:<14}{measured.auc:>8.3f}{measured.ndcg:>9.3f}{measured.rmse:>8.3f}"
            f"{measured.expected_error:>10.3f}{measured.within:>8.1%}"
        )
