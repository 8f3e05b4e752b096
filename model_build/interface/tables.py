"""The project's tables as DataFrames: recommenders side by side, and the trials of a search."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from model_build.data.catalogue import read_catalogue
from model_build.data.ratings import index_ratings
from model_build.evaluate.comparison import (
    PREDICTOR_NAMES,
    ComparisonRow,
    SplitKind,
    compare_recommenders,
)
from model_build.evaluate.comparison import compare_predictors as compare_predictor_rows
from model_build.evaluate.config import CompareOptions, DefaultName, NeuralOptions
from model_build.interface.config import checked_options
from model_build.interface.dataframes import (
    Library,
    default_library,
    library_of,
    read_ratings_table,
    to_frame,
)
from model_build.util.errors import InputError

ABOUT_A_ROW = ("name", "title", "train_seconds", "milliseconds_a_fan")


def compare(
    ratings: Any,
    models: Sequence[str] = get_args(DefaultName),
    *,
    fans: int = 1000,
    seed: int = 0,
    catalogue: str | Path | None = None,
    library: Library | None = None,
) -> Any:
    """Measure recommenders side by side, as the command ``compare`` does: a row each.

    ``ratings`` is as for `train`; ``library`` that of the table, by default that of the ratings.

    Raises
    ------
    InputError
        The ratings or an argument cannot be used.
    """
    options = checked_options(CompareOptions, models=models, fans=fans, seed=seed)
    rows = compare_recommenders(
        index_ratings(read_ratings_table(ratings)),
        None if catalogue is None else read_catalogue(Path(catalogue)),
        options.models,
        n_users=options.fans,
        seed=options.seed,
    )
    return _table(rows, library or _library_for(ratings))


def compare_predictors(
    ratings: Any,
    models: Sequence[str] = PREDICTOR_NAMES,
    *,
    split: SplitKind = "fans",
    fans: int = 1000,
    seed: int = 0,
    library: Library | None = None,
) -> Any:
    """Measure predicted scores and likes side by side, as the command ``neural`` does.

    Raises InputError as `compare` does.
    """
    options = checked_options(NeuralOptions, models=models, split=split, fans=fans, seed=seed)
    rows = compare_predictor_rows(
        index_ratings(read_ratings_table(ratings)),
        options.models,
        lambda _, defaults: defaults,
        split=options.split,
        n_users=options.fans,
        seed=options.seed,
    )
    return _table(rows, library or _library_for(ratings))


def trials_table(file: str | Path, *, library: Library | None = None) -> Any:
    """Return the trials that ``tune --folds`` wrote, a row each in the order drawn."""
    try:
        trials = json.loads(Path(file).read_text("utf-8"))["search"]["trials"]
        rows = [{**trial["settings"], "rmse": trial["rmse"]} for trial in trials]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file}: expected what tune --folds wrote ({error!r}).") from None
    return to_frame(rows, _columns(rows), library or default_library())


def _table(rows: Iterable[ComparisonRow], library: Library) -> Any:
    flat = []
    for row in rows:
        values = asdict(row)
        if not row.missing:
            del values["missing"]
        measured = {
            name: value
            for name, value in values.pop("measured").items()
            if isinstance(value, int | float)
        }
        flat.append(values | measured)
    return to_frame(flat, _columns(flat, ABOUT_A_ROW), library)


def _columns(rows: Sequence[dict[str, Any]], first: Sequence[str] = ()) -> list[str]:
    return list(dict.fromkeys([*first, *(name for row in rows for name in row)]))


def _library_for(ratings: Any) -> Library:
    is_surprise = type(ratings).__module__.partition(".")[0] == "surprise"
    return default_library() if is_surprise else library_of(ratings)
