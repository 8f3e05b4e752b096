"""Learning what an entry's status is worth, instead of setting it.

A coordinate search on users who are not trained on: first all strengths are scaled together,
which is what alpha does, then one kind after another is halved or doubled, as long as that finds
more of what was hidden (MAP@10). Every trial is a fit of its own. Users that the search
does not measure show what the result is worth.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace

import numpy as np

from app.recommender.engines.als import ACTIVITY_STRENGTHS, InteractionStrengths
from app.recommender.watch_status import WatchStatus
from model_build.data.interactions import MaskedInteractions, MaskedUsers
from model_build.engines.als import AlsSettings
from model_build.evaluate.implicit import ImplicitMetrics, fit_and_evaluate
from model_build.util.errors import InputError

SELECTION_METRIC = "new_map@10"
MIN_GAIN = 0.001
"""Of the value so far: the gain that a change must bring."""
STEP_FACTOR = 2.0
FIRST_SHARE = 0.125
"""Of the strength of a completed anime: where the search for a strength that is 0 begins upwards.
Downwards it begins with half of that."""
MAX_STEPS = 10
"""Steps in one direction."""
STATUS_CODES = {
    "completed": (WatchStatus.COMPLETED, WatchStatus.UNKNOWN),
    "watching": (WatchStatus.WATCHING,),
    "planned": (WatchStatus.PLAN_TO_WATCH,),
    "on_hold": (WatchStatus.ON_HOLD,),
    "dropped": (WatchStatus.DROPPED,),
}


EVENT_NAMES = ("favourite", *ACTIVITY_STRENGTHS)
"""What a user may do about an entry beside giving it a status."""


@dataclass(frozen=True, slots=True)
class StrengthTrial:
    """Strengths, and the MAP@10 of the users that the search measures."""

    strengths: InteractionStrengths
    map_at_10: float


def print_trial(trial: StrengthTrial) -> None:
    """Return a line on standard error."""
    worth = ", ".join(f"{name} {value:g}" for name, value in asdict(trial.strengths).items())
    print(f"MAP@10 {trial.map_at_10:.4f}  {worth}", file=sys.stderr, flush=True)


def split_in_half(users: MaskedUsers) -> tuple[MaskedUsers, MaskedUsers]:
    """Every other user: those to search with, and those to measure the result by.

    Raises InputError: there are not two.
    """
    if len(users) < 2:
        raise InputError("too few fans: two kept from training are needed, to search and measure.")
    return users.select(np.arange(0, len(users), 2)), users.select(np.arange(1, len(users), 2))


def search_strengths(
    masked: MaskedInteractions,
    settings: AlsSettings,
    validation_users: MaskedUsers,
    on_trial: Callable[[StrengthTrial], object] | None = None,
) -> StrengthTrial:
    """Return the best trial of the search, which begins with the strengths of ``settings``.

    Raises InputError: there is nothing of the users that could be found.
    """
    evaluate = _trial_of(masked, settings, validation_users, on_trial)
    best = evaluate(settings.strengths)
    kinds = _strength_names(masked)
    for names in (tuple(asdict(settings.strengths)), *((name,) for name in kinds)):
        for factor in (1 / STEP_FACTOR, STEP_FACTOR):
            before = best
            best = _line_search(best, names, factor, evaluate)
            if best is not before:
                break
    return best


@dataclass(frozen=True, slots=True)
class EventValue:
    """What an event beside the status is worth.

    ``count`` entries have it; ``strength`` did best on the users that were searched with, and
    ``metrics`` are those of users that were not.
    """

    name: str
    count: int
    strength: float
    metrics: ImplicitMetrics


def measure_events(
    masked: MaskedInteractions,
    settings: AlsSettings,
    on_trial: Callable[[StrengthTrial], object] | None = None,
) -> list[EventValue]:
    """Measure ALS with statuses alone (``statuses``), each event beside them, and ``all``.

    The strength of each event is searched for on half of the new users, beginning with an eighth of
    a completed anime's, and everything is measured on the other half. Those of statuses are of
    ``settings``. Events that no entry has are left out.

    Raises InputError: there are events, and nothing of the first half that could be found.
    """
    validation, test = split_in_half(masked.new_users)
    alone = replace(settings.strengths, **dict.fromkeys(EVENT_NAMES, 0.0))

    def measure(name: str, count: int, strengths: InteractionStrengths) -> EventValue:
        changed = replace(settings, strengths=strengths)
        _, metrics = fit_and_evaluate(masked, changed, new_users=test, measure_known=False)
        return EventValue(name, count, getattr(strengths, name, 0.0), metrics)

    evaluate = _trial_of(masked, settings, validation, on_trial)
    start = evaluate(alone)
    values = [measure("statuses", len(masked.interactions), alone)]
    together = alone
    counts = _event_counts(masked)
    for name in EVENT_NAMES:
        if not counts[name]:
            continue
        best = _line_search(start, (name,), STEP_FACTOR, evaluate)
        if best is start:  # a smaller strength may still do
            best = _line_search(start, (name,), 1 / STEP_FACTOR, evaluate)
        together = replace(together, **{name: getattr(best.strengths, name)})
        values.append(measure(name, counts[name], best.strengths))
    return [*values, measure("all", len(masked.interactions), together)]


def _trial_of(
    masked: MaskedInteractions,
    settings: AlsSettings,
    users: MaskedUsers,
    on_trial: Callable[[StrengthTrial], object] | None,
) -> Callable[[InteractionStrengths], StrengthTrial]:
    """Return what fits with strengths and measures on ``users``."""

    def evaluate(strengths: InteractionStrengths) -> StrengthTrial:
        changed = replace(settings, strengths=strengths)
        _, measured = fit_and_evaluate(masked, changed, new_users=users, measure_known=False)
        trial = StrengthTrial(strengths, measured[SELECTION_METRIC])
        if on_trial:
            on_trial(trial)
        return trial

    return evaluate


def _line_search(
    best: StrengthTrial,
    names: Iterable[str],
    factor: float,
    evaluate: Callable[[InteractionStrengths], StrengthTrial],
) -> StrengthTrial:
    names = tuple(names)
    if math.isnan(best.map_at_10):
        raise InputError(
            "too few fans: nothing is hidden of the fans to search with that another has, too."
        )
    for _ in range(MAX_STEPS):
        changed = {name: getattr(best.strengths, name) * factor for name in names}
        if not any(changed.values()):
            # Nothing doubles to something: begin with a share of what a finished anime is worth.
            share = FIRST_SHARE * min(1.0, factor)
            changed = dict.fromkeys(names, share * best.strengths.completed)
        trial = evaluate(replace(best.strengths, **changed))
        if not trial.map_at_10 > best.map_at_10 * (1 + MIN_GAIN):
            break
        best = trial
    return best


def _strength_names(masked: MaskedInteractions) -> list[str]:
    """Return the kinds of entries there are, by frequency, but the status that sets the scale.

    That is the most frequent one; an event may have happened to more entries than any status has.
    """
    status = masked.interactions.entries.status
    count = {name: int(np.isin(status, codes).sum()) for name, codes in STATUS_CODES.items()}
    del count[max(count, key=lambda name: count[name])]
    count |= _event_counts(masked)
    return sorted((name for name in count if count[name]), key=lambda name: -count[name])


def _event_counts(masked: MaskedInteractions) -> dict[str, int]:
    """How many entries have each of `EVENT_NAMES`."""
    activity = masked.interactions.activity
    of_each = (
        masked.interactions.favourite,
        activity.commented,
        activity.reviewed,
        activity.hours > 0,
    )
    return {name: int(of.sum()) for name, of in zip(EVENT_NAMES, of_each, strict=True)}
