"""Settings of KNN with baseline by scikit-surprise's randomised search over our estimator.

It is how the original Hakken was tuned: the scores of some users are split into folds, each is
predicted from the others, and of the settings drawn those with the least mean RMSE win.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from app.recommender.array_types import Float64Array, Int64Array
from model_build.data.ratings import Ratings
from model_build.tuning.search_spaces import SEARCH_SPACES, ParameterRange, default_hyperparameters
from model_build.util.errors import InputError

MIN_SCORES = 5


def search_by_cross_validation(
    ratings: Ratings,
    ranges: Mapping[str, ParameterRange],
    *,
    n_users: int,
    folds: int,
    trials: int,
    seed: int,
) -> dict[str, Any]:
    """Draw settings from ``ranges`` and cross-validate each on the same folds of the same users.

    Users with five scores or more are drawn with ``seed``, as are folds and settings. Returns what
    was searched on, every trial in the order drawn, the defaults' and the best.
    """
    try:
        from surprise.model_selection import KFold, RandomizedSearchCV, cross_validate

        from model_build.evaluate.surprise_estimator import HakkenKNNBaseline, surprise_dataset
    except ModuleNotFoundError:
        raise InputError(
            "--folds needs scikit-surprise, which is not installed; "
            "run: pip install -r requirements-dev.txt"
        ) from None
    rows = _rows_of_drawn_users(ratings, n_users, seed)
    if folds > len(rows):
        raise InputError(
            f"--folds {folds}: the scores of --fans {n_users} are {len(rows)}, fewer than one a "
            "fold; ask for fewer folds or more fans."
        )
    data = surprise_dataset(ratings, rows)
    split = KFold(folds, random_state=seed)
    all_defaults = default_hyperparameters(SEARCH_SPACES["knn"])
    defaults: dict[str, Any] = {name: all_defaults[name] for name in ranges}
    found = cross_validate(HakkenKNNBaseline(**defaults), data, ["rmse"], split)["test_rmse"]
    search = RandomizedSearchCV(
        HakkenKNNBaseline,
        dict(ranges),
        n_iter=trials,
        measures=["rmse"],
        cv=split,
        random_state=seed,
        joblib_verbose=10 if sys.stderr.isatty() else 0,
    )
    search.fit(data)
    results = search.cv_results
    by_fold = np.stack([results[f"split{fold}_test_rmse"] for fold in range(folds)], axis=1)
    done = list(map(_trial, results["params"], by_fold))
    return {
        "users": n_users,
        "scores": len(rows),
        "folds": folds,
        "seed": seed,
        "defaults": _trial(defaults, found),
        "trials": done,
        "best": done[search.best_index["rmse"]],
    }


def _trial(settings: dict[str, Any], rmse: Float64Array) -> dict[str, Any]:
    """Return settings, the RMSE of each fold, and their mean."""
    return {"settings": settings, "fold_rmse": rmse.tolist(), "rmse": float(rmse.mean())}


def _rows_of_drawn_users(ratings: Ratings, n_users: int, seed: int) -> Int64Array:
    """Return the scored entries of users drawn."""
    scores = np.bincount(ratings.user[ratings.rated_mask], minlength=len(ratings.user_ids))
    eligible = np.flatnonzero(scores >= MIN_SCORES)
    if n_users > len(eligible):
        raise InputError(
            f"--fans {n_users}: only {len(eligible)} have {MIN_SCORES} scores or more; ask for "
            "fewer."
        )
    drawn = np.zeros(len(ratings.user_ids), bool)
    drawn[np.random.default_rng(seed).choice(eligible, n_users, replace=False)] = True
    return np.flatnonzero(drawn[ratings.user] & ratings.rated_mask)
