"""Fit the numbers that serving blends and orders with (`app.recommender.parameters`).

Users are taken out of the ratings and a model is trained on the rest, once. Then one parameter
after another is moved within its range to where the held-out users' hidden scores are predicted
best (RMSE) or found best (NDCG@10), in rounds, as long as a round brings something. Every user is
measured with the whole list and with the list cut short, for which some parameters are there. At
the end come the curves of `model_build.train.match_curves`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from annotated_types import Ge, Le
from scipy.optimize import minimize_scalar

from app.recommender import SortOrder
from app.recommender.parameters import Objective, ParameterProvenance, ServingParameters
from model_build.data.holdout import truncate_history
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.match_curves import fit_match_curves
from model_build.train.model_arrays import build_timestamp
from model_build.tuning.holdout_benchmark import HoldoutBenchmark
from model_build.util.errors import InputError

SHORT_LENGTHS = (5, 20)
"""Entries that lists are cut to, beside whole ones."""
MODEL_PART = "taste"
"""What best matches and their predicted scores are made of."""
MATCH_CURVES = "match_curves"
"""Fitted at the end, whatever else is: they are of what the other parameters give."""
MIN_GAIN = 1e-4
"""Share of the value so far that a change must bring to be kept."""
LOG_SCALE_RATIO = 100.0
"""A range whose ends are further apart than this is searched on a logarithmic scale."""


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """A parameter that is fitted: its range, and what it is judged by."""

    name: str
    low: float
    high: float
    objective: Objective

    def search(self, loss: Callable[[float], float], steps: int) -> float:
        """The value within the range with the smallest loss found (Brent's bounded search)."""
        log = self.low > 0 and self.high / self.low >= LOG_SCALE_RATIO
        encode, decode = (np.log, np.exp) if log else (float, float)
        found = minimize_scalar(
            lambda x: loss(self.within_range(decode(x))),
            bounds=(encode(self.low), encode(self.high)),
            method="bounded",
            options={"maxiter": steps},
        )
        return self.within_range(decode(found.x))

    def within_range(self, x: float) -> float:
        """Return the number, or the end of the range that rounding took it past."""
        return min(max(float(x), self.low), self.high)


def fitted_parameters(names: Sequence[str] = ()) -> list[ParameterSpec]:
    """Return the parameters that a metric decides, or those of them that are named."""
    specs = {}
    for name, field in ServingParameters.model_fields.items():
        if isinstance(extra := field.json_schema_extra, dict):
            low = next(rule.ge for rule in field.metadata if isinstance(rule, Ge))
            high = next(rule.le for rule in field.metadata if isinstance(rule, Le))
            specs[name] = ParameterSpec(
                name,
                float(low),  # type: ignore[arg-type]
                float(high),  # type: ignore[arg-type]
                extra["objective"],  # type: ignore[arg-type]
            )
    unknown = next((name for name in names if name not in {*specs, MATCH_CURVES}), None)
    if unknown is not None:
        expected = ", ".join((*specs, MATCH_CURVES))
        raise InputError(f"--only {unknown}: expected some of {expected}.")
    return [specs[name] for name in names or specs if name in specs]


def calibrate(
    benchmark: HoldoutBenchmark,
    start: ServingParameters,
    specs: Sequence[ParameterSpec],
    *,
    hyperparameters: Hyperparameters | None = None,
    rounds: int = 2,
    steps: int = 12,
    short_lengths: Sequence[int] = SHORT_LENGTHS,
    split: str = "",
    log: Callable[[str], object] = lambda _: None,
) -> ServingParameters:
    """Fit parameters on the users of a benchmark, from ``start``.

    ``steps`` is how often each is tried in a round; lists are measured whole and cut to
    ``short_lengths`` entries; ``split`` says for the provenance which users
    these are. The same input gives the same parameters.
    """
    settings = hyperparameters or Hyperparameters()
    model = benchmark.fit_part(MODEL_PART, settings)
    users = list(benchmark.users)
    for length in short_lengths:
        users += truncate_history(benchmark.users, length, seed=0)

    def loss(spec: ParameterSpec, parameters: ServingParameters) -> float:
        changed = model.with_parameters(parameters)
        found = float(benchmark.evaluate_model(changed, SortOrder.MATCH, users)[spec.objective])
        return found if spec.objective == "rmse" else -found

    best = start
    for _ in range(rounds):
        before_round = best
        for spec in specs:
            best = _fit_parameter(best, spec, loss, steps, log)
        if best == before_round:
            break
    curves = fit_match_curves(model.with_parameters(best), benchmark.users)
    log(f"{MATCH_CURVES} for lists of {', '.join(str(curve.length) for curve in curves)} entries")
    provenance = ParameterProvenance(
        command="python -m model_build calibrate",
        split=split,
        date=f"{build_timestamp():%Y-%m-%d}",
        dataset=benchmark.fingerprint,
    )
    return best.model_copy(update={MATCH_CURVES: curves, "provenance": provenance})


def _fit_parameter(
    parameters: ServingParameters,
    spec: ParameterSpec,
    loss: Callable[[ParameterSpec, ServingParameters], float],
    steps: int,
    log: Callable[[str], object],
) -> ServingParameters:
    """Move one parameter, if that brings enough."""

    def changed(value: float) -> ServingParameters:
        return parameters.model_copy(update={spec.name: value})

    before = loss(spec, parameters)
    value = spec.search(lambda x: loss(spec, changed(x)), steps)
    after = loss(spec, changed(value))
    if not after < before - MIN_GAIN * abs(before):
        value, after = getattr(parameters, spec.name), before
    log(f"{spec.name} {value:.5g}: {spec.objective} {abs(before):.5g} -> {abs(after):.5g}")
    return changed(value)
