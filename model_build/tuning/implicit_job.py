"""`implicit`: what fans did in; strengths, settings and comparisons out."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from app.recommender import Model
from app.recommender.artifact import ensure_replaceable
from model_build.data.catalogue import read_catalogue
from model_build.data.interactions import MaskedInteractions, mask_interactions
from model_build.engines import als
from model_build.engines.als import AlsSettings
from model_build.engines.base import add_engine
from model_build.engines.settings import (
    als_settings,
    read_als_interactions,
    read_strengths,
    write_strengths,
)
from model_build.evaluate.comparison import ComparisonRow, compare_implicit
from model_build.tuning.als_grid import (
    KEY_COLUMNS,
    GridRow,
    GridSearch,
    ParameterGrid,
    best_settings,
    read_grid,
)
from model_build.tuning.config import (
    EventsConfig,
    GridConfig,
    ImplicitComparisonConfig,
    ImplicitConfig,
    StrengthSearchConfig,
)
from model_build.tuning.strength_search import (
    EventValue,
    measure_events,
    print_trial,
    search_strengths,
    split_in_half,
)
from model_build.util.errors import InputError
from model_build.util.markdown_tables import nan_to_null


@dataclass(frozen=True, slots=True)
class GridResult:
    """All runs of a grid, ``n_new`` of them measured now, in ``seconds``.

    ``version`` is that of the model with the best settings, "" where none was asked for.
    """

    rows: list[GridRow]
    n_new: int
    seconds: float
    version: str


def find_strengths(config: StrengthSearchConfig) -> tuple[int, Iterator[ComparisonRow]]:
    """Search for strengths and write them; fixed and learnt ones side by side.

    They are measured on fans that the search did not look at; returned is how many those are, too.
    """
    settings, masked = _load_masked(config)
    validation, test = split_in_half(masked.new_users)
    found = search_strengths(masked, settings, validation, print_trial)
    write_strengths(config.out, found.strengths)
    compared = {
        "als-fixed": ("ALS, fixed", settings),
        "als-learnt": ("ALS, learnt", replace(settings, strengths=found.strengths)),
    }
    return len(test), compare_implicit(masked, compared, include_hakken=False, new_users=test)


def value_events(config: EventsConfig) -> tuple[int, list[EventValue]]:
    """What each event adds to statuses, and on how many fans that was measured."""
    settings, masked = _load_masked(config)
    values = measure_events(masked, settings, print_trial)
    return len(split_in_half(masked.new_users)[1]), values


def search_grid(
    config: GridConfig, on_row: Callable[[GridRow], object] = lambda _: None
) -> GridResult:
    """Measure what is not measured yet; the best becomes the model, if one is named."""
    if (config.model is None) != (config.out is None):
        raise InputError("--model and --out go together: what to add the best one to, and where.")
    if config.out:
        ensure_replaceable(config.out)
    settings, masked = _load_masked(config)
    grid = ParameterGrid(config.factors, config.regularization, config.iterations)
    model = Model.open(config.model) if config.model else None
    start, new, version = time.perf_counter(), list[GridRow](), ""

    def note(row: GridRow) -> None:
        new.append(row)
        on_row(row)

    rows = GridSearch(config.table, masked, settings, grid, config.start_over).run(note)
    seconds = time.perf_counter() - start
    if model and config.model and config.out:
        chosen = best_settings(rows, settings)
        fitted = als.fit(masked.interactions, model.anime_id, chosen)
        version = add_engine(config.model, "als", fitted, config.out).version
    return GridResult(rows, len(new), seconds, version)


def compare_als(config: ImplicitComparisonConfig) -> Iterator[ComparisonRow]:
    """ALS with each of the settings that there are, beside popularity and Hakken's ranking."""
    settings, masked = _load_masked(config)
    if config.catalogue:
        read_catalogue(config.catalogue)  # of no weight in this ranking, but must be one
    compared = {"als-fixed": ("ALS, fixed strengths", settings)}
    if config.learnt:
        learnt = replace(settings, strengths=read_strengths(config.learnt))
        compared["als-learnt"] = ("ALS, learnt strengths", learnt)
    if config.table:
        compared["als-grid"] = ("ALS, best of the grid", best_settings(*read_grid(config.table)))
    return compare_implicit(masked, compared)


def strengths_json(config: StrengthSearchConfig) -> str:
    """What `implicit strengths --json` prints."""
    return _comparison_json(find_strengths(config)[1])


def events_json(config: EventsConfig) -> str:
    """What `implicit events --json` prints."""
    rows = [asdict(value) for value in value_events(config)[1]]
    measured = [row.pop("metrics") for row in rows]
    return json.dumps(
        [nan_to_null({**row, "measured": found}) for row, found in zip(rows, measured, strict=True)]
    )


def grid_json(config: GridConfig) -> str:
    """What `implicit grid --json` prints."""
    return json.dumps([nan_to_null(_grid_row_json(row)) for row in search_grid(config).rows])


def comparison_json(config: ImplicitComparisonConfig) -> str:
    """What `implicit compare --json` prints."""
    return _comparison_json(compare_als(config))


def _comparison_json(rows: Iterator[ComparisonRow]) -> str:
    return json.dumps([nan_to_null(asdict(row)) for row in rows])


def _grid_row_json(row: GridRow) -> dict[str, Any]:
    keys = {name: row[name] for name in KEY_COLUMNS}
    measured = {name: value for name, value in row.items() if name not in keys}
    return {"name": "-".join(f"{value:g}" for value in keys.values()), **keys, "measured": measured}


def _load_masked(config: ImplicitConfig) -> tuple[AlsSettings, MaskedInteractions]:
    settings = als_settings(config)
    masked = mask_interactions(read_als_interactions(config), seed=config.seed)
    print(
        f"{len(masked.interactions):,} interactions; {len(masked.known_users):,} fans trained on, "
        f"{len(masked.new_users):,} others; {len(masked.anime_id):,} anime",
        file=sys.stderr,
    )
    return settings, masked
