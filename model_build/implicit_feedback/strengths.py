"""Learning what an entry's status is worth, instead of setting it.

A coordinate search on fans who are kept from training: first all strengths are scaled together,
which is what alpha does, then one kind after another is halved or doubled, as long as that finds
more of what was hidden (MAP@10). Every trial is a fit of its own. Fans that the search does not
look at tell what the result is worth.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace

import numpy as np

from app.recommender.engines.als import Strengths
from app.recommender.status import Status
from model_build.engines.als import Settings
from model_build.implicit_feedback.fitting import measured_once
from model_build.implicit_feedback.masking import Masked, Side

BY = "new_map@10"
GAIN = 0.001
"""Of the value so far: what a change must bring to be kept."""
STEP = 2.0
LONGEST = 10
"""Steps in one direction."""
STATUS = {
    "completed": (Status.COMPLETED, Status.UNKNOWN),
    "watching": (Status.WATCHING,),
    "planned": (Status.PLAN_TO_WATCH,),
    "on_hold": (Status.ON_HOLD,),
    "dropped": (Status.DROPPED,),
}


@dataclass(frozen=True, slots=True)
class Trial:
    """Strengths, and the MAP@10 of the fans that the search looks at."""

    strengths: Strengths
    value: float


def tell(trial: Trial) -> None:
    """A line on standard error."""
    worth = ", ".join(f"{name} {value:g}" for name, value in asdict(trial.strengths).items())
    print(f"MAP@10 {trial.value:.4f}  {worth}", file=sys.stderr, flush=True)


def halves(side: Side) -> tuple[Side, Side]:
    """Every other fan: those to search with, and those to judge the result by."""
    return _some(side, np.arange(0, len(side), 2)), _some(side, np.arange(1, len(side), 2))


def learn(
    masked: Masked,
    settings: Settings,
    validation: Side,
    told: Callable[[Trial], object] | None = None,
) -> Trial:
    """The best trial of the search, which begins with the strengths of ``settings``."""

    def tried(strengths: Strengths) -> Trial:
        changed = replace(settings, strengths=strengths)
        _, measured = measured_once(masked, changed, new=validation, known=False)
        trial = Trial(strengths, measured[BY])
        if told:
            told(trial)
        return trial

    best = tried(settings.strengths)
    kinds = _kinds(masked)
    for names in (tuple(asdict(settings.strengths)), *((name,) for name in kinds)):
        for factor in (1 / STEP, STEP):
            before = best
            best = _as_far_as_it_helps(best, names, factor, tried)
            if best is not before:
                break
    return best


def _as_far_as_it_helps(
    best: Trial, names: Iterable[str], factor: float, tried: Callable[[Strengths], Trial]
) -> Trial:
    names = tuple(names)
    for _ in range(LONGEST):
        changed = {name: getattr(best.strengths, name) * factor for name in names}
        trial = tried(replace(best.strengths, **changed))
        if trial.value <= best.value * (1 + GAIN):
            break
        best = trial
    return best


def _kinds(masked: Masked) -> list[str]:
    """The kinds of entries that there are, the most frequent first; the first sets the scale."""
    entries, favourite = masked.interactions.entries, masked.interactions.favourite
    count = {name: int(np.isin(entries.status, codes).sum()) for name, codes in STATUS.items()}
    count["favourite"] = int(favourite.sum())
    there = sorted((name for name in count if count[name]), key=lambda name: -count[name])
    return there[1:]


def _some(side: Side, fans: np.ndarray) -> Side:
    rows = np.split(side.rows, side.visible.indptr[1:-1])
    return Side(
        side.visible[fans], side.hidden[fans], np.concatenate([rows[fan] for fan in fans.tolist()])
    )
