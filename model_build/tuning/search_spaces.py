"""What is searched: the settings of each part of the model, and what the part is judged by.

The parts are fitted and searched one at a time, because each decides something of its own: KNN with
baseline the predicted score of ``order=score``, affinity the ranking of ``order=match``, taste the
predicted score shown with it. Sizes (neighbours kept, factors) are no part of it: more is never
worse, and what they cost is the operator's choice.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.recommender import SortOrder
from model_build.train.hyperparameters import Hyperparameters
from model_build.util.errors import InputError

if TYPE_CHECKING:
    import optuna  # takes a second, which who only reads options need not take

ERROR_METRICS = ("rmse", "mae")
RANKING_METRICS = (
    "ndcg@10",
    "ndcg@20",
    "recall@10",
    "recall@20",
    "map@10",
    "map@20",
    "new_ndcg@10",
    "coverage",
)
OBJECTIVE_METRICS = ERROR_METRICS + RANKING_METRICS
FRANCHISE_METRIC = "new_ndcg@10"
"""What cannot be measured without the franchises of a catalogue."""
CROSS_VALIDATED = ("k", "shrinkage", "min_support")
SEARCHED_BY_DEFAULT = ("k", "shrinkage")


@dataclass(frozen=True, slots=True)
class ParameterRange:
    """Values from ``low`` to ``high``; whole ones if both are. ``log``: drawn evenly in log."""

    low: float
    high: float
    log: bool = False

    def suggest(self, trial: optuna.Trial, name: str) -> float | int:
        """Ask the sampler for a trial's value."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(name, self.low, self.high, log=self.log)
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    def rvs(self, random_state: np.random.RandomState) -> float | int:
        """Draw a value, as a distribution of scipy does for `RandomizedSearchCV`."""
        whole = isinstance(self.low, int) and isinstance(self.high, int)
        low, high = (self.low - 0.5, self.high + 0.5) if whole else (self.low, self.high)
        if self.log:
            drawn = float(np.exp(random_state.uniform(np.log(low), np.log(high))))
        else:
            drawn = float(random_state.uniform(low, high))
        return round(drawn) if whole else drawn


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """One part: the order it is ranked in, its objectives, and the ranges of its settings."""

    order: SortOrder
    default_objective: str
    objectives: tuple[str, ...]
    ranges: dict[str, ParameterRange]


SEARCH_SPACES = {
    "knn": SearchSpace(
        SortOrder.SCORE,
        "rmse",
        OBJECTIVE_METRICS,
        {
            "k": ParameterRange(5, 300, log=True),
            "shrinkage": ParameterRange(10.0, 3000.0, log=True),
            "min_support": ParameterRange(1, 20),
            "reg_user": ParameterRange(1.0, 50.0, log=True),
            "reg_item": ParameterRange(1.0, 50.0, log=True),
        },
    ),
    "affinity": SearchSpace(
        SortOrder.MATCH,
        "ndcg@10",
        RANKING_METRICS,
        {
            "affinity_ridge": ParameterRange(10.0, 3000.0, log=True),
            "affinity_dropout": ParameterRange(0.01, 4.0, log=True),
            "affinity_popularity": ParameterRange(0.0, 0.4),
        },
    ),
    "taste": SearchSpace(
        SortOrder.MATCH,
        "rmse",
        ERROR_METRICS,
        {"taste_shrinkage": ParameterRange(5.0, 1000.0, log=True)},
    ),
}


def select_spaces(
    parts: str, objective: str | None, only: Collection[str] = ()
) -> list[tuple[str, str, SearchSpace]]:
    """Part, objective and space of each search; ``parts`` is one of `SEARCH_SPACES` or ``all``.

    With ``all`` the objective goes to the parts whose own is of its kind (error or ranking). With
    ``only`` no other settings are searched.

    Raises
    ------
    InputError
        There is no such objective or setting, or none of these parts has it.
    """
    if objective and objective not in OBJECTIVE_METRICS:
        raise InputError(
            f"--objective {objective}: expected one of {', '.join(OBJECTIVE_METRICS)}."
        )
    searches = []
    wanted = set(only or [name for space in SEARCH_SPACES.values() for name in space.ranges])
    for part, space in SEARCH_SPACES.items():
        if parts not in (part, "all"):
            continue
        judged_by = objective or space.default_objective
        if parts == "all" and (judged_by in ERROR_METRICS) != (
            space.default_objective in ERROR_METRICS
        ):
            judged_by = space.default_objective
        if judged_by not in space.objectives:
            raise InputError(
                f"--objective {judged_by}: {part} does not decide it; expected "
                f"{', '.join(space.objectives)}."
            )
        ranges = {name: values for name, values in space.ranges.items() if name in wanted}
        if ranges:
            searches.append(
                (part, judged_by, SearchSpace(space.order, judged_by, (judged_by,), ranges))
            )
    found = {name for _, _, space in searches for name in space.ranges}
    missing = sorted(set(only) - found)
    if missing:
        names = [name for p, s in SEARCH_SPACES.items() if parts in (p, "all") for name in s.ranges]
        raise InputError(
            f"--only {missing[0]}: not a setting that --parts {parts} searches; expected some of "
            f"{', '.join(names)}."
        )
    return searches


def default_hyperparameters(space: SearchSpace) -> dict[str, float | int]:
    """Return the settings that a search starts from."""
    return {name: getattr(Hyperparameters(), name) for name in space.ranges}


def search_ranges(only: Sequence[str]) -> dict[str, ParameterRange]:
    """Return the ranges of the settings searched: k and shrinkage, or ``only`` those named.

    Raises
    ------
    InputError
        One of them is not searched by cross validation.
    """
    for name in only:
        if name not in CROSS_VALIDATED:
            raise InputError(
                f"--only {name}: not a setting that --folds searches; expected some of "
                f"{', '.join(CROSS_VALIDATED)}."
            )
    ranges = SEARCH_SPACES["knn"].ranges
    return {name: ranges[name] for name in CROSS_VALIDATED if name in (only or SEARCHED_BY_DEFAULT)}
