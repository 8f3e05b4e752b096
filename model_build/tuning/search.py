"""What is searched: the settings of each part of the model, and what the part is judged by.

The parts are fitted and searched one at a time, because each decides something of its own: KNN with
baseline the predicted score of ``order=score``, affinity the ranking of ``order=match``, taste the
predicted score shown with it. Sizes (neighbours kept, factors) are no part of it: more is never
worse, and what they cost is the operator's choice.

A search can be killed at any time: every finished trial is on disk. Trials are proposed by a
tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011) seeded anew for each from the seed
and the number of finished trials, so a search that was interrupted goes on exactly as it would have
gone on.
"""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import sqlalchemy
import sqlalchemy.exc
from optuna.trial import FrozenTrial, TrialState

from app.recommender import SortOrder
from model_build.train.hyperparameters import Hyperparameters
from model_build.tuning.holdout_benchmark import HoldoutBenchmark
from model_build.util.errors import InputError

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
    parts: str, objective: str | None, only: list[str] | None
) -> list[tuple[str, str, SearchSpace]]:
    """Part, objective and space of each search; ``parts`` is one of `SEARCH_SPACES` or ``all``.

    With ``all`` the objective goes to the parts whose own is of its kind (error or ranking). With
    ``only`` no other settings are searched.
    """
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
    missing = sorted(set(only or ()) - found)
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


FINISHED_STATES = (TrialState.COMPLETE, TrialState.PRUNED)
RANDOM_TRIALS = 10
PRUNING_WARMUP_TRIALS = 5


@dataclass(frozen=True, slots=True)
class BestTrial:
    """The best trial: its settings, its value, and that of the defaults."""

    settings: dict[str, float | int]
    value: float
    default_value: float


def search_hyperparameters(
    benchmark: HoldoutBenchmark,
    part: str,
    objective: str,
    space: SearchSpace,
    *,
    study_file: Path,
    trials: int,
    seed: int,
    study_attributes: dict[str, Any],
    start_over: bool = False,
    on_improvement: Callable[[dict[str, float | int]], None],
    log: Callable[[str], None],
) -> BestTrial:
    """Search until the study has ``trials`` finished trials, the defaults being the first.

    ``study_attributes`` say what a value depends on: a study made for others is refused, or dropped
    with ``start_over``.
    ``on_improvement`` is given the best settings so far whenever they change, and those of a
    finished study; ``log`` a line a trial.
    """
    own = {"objective": objective, "order": space.order, "ranges": repr(space.ranges)}
    facts = {name: str(value) for name, value in (study_attributes | own).items()}
    with open_study_storage(study_file) as storage:
        open_study = partial(
            optuna.create_study,
            storage=storage,
            study_name=f"{part} {objective}",
            direction="minimize" if objective in ERROR_METRICS else "maximize",
            pruner=optuna.pruners.MedianPruner(PRUNING_WARMUP_TRIALS),
            load_if_exists=True,
        )
        study = open_study()
        if start_over and study.user_attrs.get("facts", facts) != facts:
            optuna.delete_study(study_name=study.study_name, storage=storage)
            study = open_study()
        _check_study_attributes(study, facts, study_file)
        for left in study.get_trials(states=(TrialState.RUNNING, TrialState.WAITING)):
            _mark_failed(study, left)
        done = study.get_trials(states=FINISHED_STATES)
        if done:
            log(f"{part}: {len(done)} trials were done before")
            on_improvement(_best_trial(study).params)
        for at in range(len(done), trials):
            start = time.perf_counter()
            if at == 0:
                study.enqueue_trial(default_hyperparameters(space))
            state = np.random.SeedSequence((seed, at)).generate_state(1)
            study.sampler = optuna.samplers.TPESampler(
                n_startup_trials=RANDOM_TRIALS, seed=int(state[0])
            )
            trial = study.ask()
            value = _run_trial(benchmark, part, objective, space, trial)
            study.tell(trial, value, state=None if value is not None else TrialState.PRUNED)
            best = _best_trial(study)
            if best.number == trial.number:
                on_improvement(best.params)
            shown = "given up early" if value is None else f"{value:.5g}"
            named = " ".join(f"{name}={x:.4g}" for name, x in trial.params.items())
            log(
                f"{part} {at + 1}/{trials}: {objective} {shown} (best {best.value:.5g})  {named}  "
                f"[{time.perf_counter() - start:.1f} s]"
            )
        best = _best_trial(study)
        first = study.get_trials(states=(TrialState.COMPLETE,))[0]
        return BestTrial(dict(best.params), float(best.value or 0.0), float(first.value or 0.0))


def _run_trial(
    benchmark: HoldoutBenchmark, part: str, objective: str, space: SearchSpace, trial: optuna.Trial
) -> float | None:
    """Return the value of a trial, None where some users, measured first, were worse than usual."""
    drawn = {name: values.suggest(trial, name) for name, values in space.ranges.items()}
    model = benchmark.fit_part(part, Hyperparameters().model_copy(update=drawn))
    if benchmark.pruning_users:
        early = benchmark.evaluate_model(model, space.order, benchmark.pruning_users)[objective]
        trial.report(early, 0)
        if trial.should_prune():
            return None
    value = float(benchmark.evaluate_model(model, space.order, benchmark.users)[objective])
    if math.isnan(value):
        raise InputError(f"{objective} cannot be measured on the fans drawn; ask for more --fans.")
    return value


def _best_trial(study: optuna.Study) -> FrozenTrial:
    """Return the best finished trial; of equal ones the first."""
    complete = study.get_trials(states=(TrialState.COMPLETE,))
    sign = 1 if study.direction == optuna.study.StudyDirection.MINIMIZE else -1
    return min(complete, key=lambda trial: (sign * (trial.value or 0.0), trial.number))


def _mark_failed(study: optuna.Study, trial: FrozenTrial) -> None:
    """Close what a killed process left undone."""
    if trial.state is TrialState.WAITING:
        study._storage.set_trial_state_values(trial._trial_id, state=TrialState.RUNNING)
    study.tell(trial.number, state=TrialState.FAIL)


def _check_study_attributes(
    study: optuna.Study, study_attributes: dict[str, str], study_file: Path
) -> None:
    known = study.user_attrs.get("facts")
    if known is None:
        study.set_user_attr("facts", study_attributes)
        return
    for name, value in study_attributes.items():
        if known.get(name) != value:
            raise InputError(
                f"{study_file}: holds a study with {name} {known.get(name)}, not {value}; "
                "name another --study, ask for the same, or add --start-over."
            )


@contextmanager
def open_study_storage(path: Path) -> Iterator[optuna.storages.RDBStorage]:
    """Open the SQLite file that holds the trials, made if need be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path)) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
        if tables and "studies" not in tables:
            raise InputError(f"{path}: is a database of something else; name another --study.")
        storage = optuna.storages.RDBStorage(
            sqlalchemy.URL.create("sqlite", database=str(path.absolute())).render_as_string()
        )
    except (sqlite3.Error, sqlalchemy.exc.SQLAlchemyError, RuntimeError) as error:
        first = str(error).strip().splitlines()[0]
        raise InputError(f"{path}: cannot be used as a study file ({first}).") from None
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()
