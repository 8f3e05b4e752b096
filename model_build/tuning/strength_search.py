"""Learning what an entry's status is worth, instead of setting it.

A coordinate search on users who are not trained on: first all strengths are scaled together,
which is what alpha does, then one kind after another is halved or doubled, as long as that finds
more of what was hidden (MAP@10). Every trial is a fit of its own. Users that the search
does not measure show what the result is worth.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace

import numpy as np

from app.recommender.engines.als import InteractionStrengths
from app.recommender.watch_status import WatchStatus
from model_build.data.masking import MaskedInteractions, MaskedUsers
from model_build.engines.als import AlsSettings
from model_build.evaluate.implicit import fit_and_evaluate

SELECTION_METRIC = "new_map@10"
MIN_GAIN = 0.001
"""Of the value so far: the gain that a change must bring."""
STEP_FACTOR = 2.0
MAX_STEPS = 10
"""Steps in one direction."""
STATUS_CODES = {
    "completed": (WatchStatus.COMPLETED, WatchStatus.UNKNOWN),
    "watching": (WatchStatus.WATCHING,),
    "planned": (WatchStatus.PLAN_TO_WATCH,),
    "on_hold": (WatchStatus.ON_HOLD,),
    "dropped": (WatchStatus.DROPPED,),
}


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
    """Every other user: those to search with, and those to measure the result by."""
    return users.select(np.arange(0, len(users), 2)), users.select(np.arange(1, len(users), 2))


def search_strengths(
    masked: MaskedInteractions,
    settings: AlsSettings,
    validation_users: MaskedUsers,
    on_trial: Callable[[StrengthTrial], object] | None = None,
) -> StrengthTrial:
    """Return the best trial of the search, which begins with the strengths of ``settings``."""

    def evaluate(strengths: InteractionStrengths) -> StrengthTrial:
        changed = replace(settings, strengths=strengths)
        _, measured = fit_and_evaluate(
            masked, changed, new_users=validation_users, measure_known=False
        )
        trial = StrengthTrial(strengths, measured[SELECTION_METRIC])
        if on_trial:
            on_trial(trial)
        return trial

    best = evaluate(settings.strengths)
    kinds = _strength_names(masked)
    for names in (tuple(asdict(settings.strengths)), *((name,) for name in kinds)):
        for factor in (1 / STEP_FACTOR, STEP_FACTOR):
            before = best
            best = _line_search(best, names, factor, evaluate)
            if best is not before:
                break
    return best


def _line_search(
    best: StrengthTrial,
    names: Iterable[str],
    factor: float,
    evaluate: Callable[[InteractionStrengths], StrengthTrial],
) -> StrengthTrial:
    names = tuple(names)
    for _ in range(MAX_STEPS):
        changed = {name: getattr(best.strengths, name) * factor for name in names}
        trial = evaluate(replace(best.strengths, **changed))
        if trial.map_at_10 <= best.map_at_10 * (1 + MIN_GAIN):
            break
        best = trial
    return best


def _strength_names(masked: MaskedInteractions) -> list[str]:
    """Return the kinds of entries there are, by frequency, but the first, which sets the scale."""
    entries, favourite = masked.interactions.entries, masked.interactions.favourite
    count = {
        name: int(np.isin(entries.status, codes).sum()) for name, codes in STATUS_CODES.items()
    }
    count["favourite"] = int(favourite.sum())
    there = sorted((name for name in count if count[name]), key=lambda name: -count[name])
    return there[1:]
