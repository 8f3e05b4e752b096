"""The search for settings of a part of the model; `search_spaces` has what is searched.

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

from model_build.train.hyperparameters import Hyperparameters
from model_build.tuning.holdout_benchmark import HoldoutBenchmark
from model_build.tuning.search_spaces import ERROR_METRICS, SearchSpace, default_hyperparameters
from model_build.util.errors import InputError

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
