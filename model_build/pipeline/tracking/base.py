"""What a tracker is told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

Parameters = Mapping[str, str | int | float | bool]
MetricValues = Mapping[str, float]


class ExperimentTracker(Protocol):
    """One run, from its begin to its end."""

    def start_run(self, parameters: Parameters) -> None:
        """A run starts, with what was configured."""

    def log_metrics(self, metrics: MetricValues) -> None:
        """What was measured."""

    def log_file(self, path: Path) -> None:
        """A file that belongs to the run."""

    def log_model(self, folder: Path, version: str, settings: Parameters) -> None:
        """The model that was made, and what it was made with."""

    def end_run(self, *, succeeded: bool) -> None:
        """The run is over."""


class FailSafeTracker:
    """A tracker whose failures are told once, on standard error, and never passed on.

    It is opened when there is something to tell.
    """

    def __init__(self, name: str, open_tracker: Callable[[], ExperimentTracker]) -> None:
        self._name, self._open, self._failed = name, open_tracker, False
        self._tracker: ExperimentTracker | None = None

    def call_safely(self, action: Callable[[ExperimentTracker], None]) -> None:
        """Do something with the tracker, unless it failed before."""
        if self._failed:
            return
        try:
            if self._tracker is None:
                self._tracker = self._open()
            action(self._tracker)
        except Exception as error:  # whatever a tracker does, the build goes on
            self._failed = True
            words = " ".join(str(error).split()) or type(error).__name__
            print(f"{self._name}: {words[:300]}; the build goes on untracked.", file=sys.stderr)


class TrackerGroup:
    """All trackers of a run; it begins with the first thing that is told."""

    def __init__(self, trackers: Sequence[FailSafeTracker]) -> None:
        self._trackers = trackers
        self.began = False

    def start_run(self, parameters: Parameters) -> None:
        """Start the run, unless it has begun."""
        if not self.began:
            self.began = True
            self._call_each(lambda tracker: tracker.start_run(parameters))

    def log_metrics(self, metrics: MetricValues) -> None:
        """Tell what was measured."""
        self._call_each(lambda tracker: tracker.log_metrics(metrics))

    def log_file(self, path: Path) -> None:
        """Hand a file over."""
        self._call_each(lambda tracker: tracker.log_file(path))

    def log_model(self, folder: Path, version: str, settings: Parameters) -> None:
        """Tell of the model."""
        self._call_each(lambda tracker: tracker.log_model(folder, version, settings))

    def end_run(self, *, succeeded: bool) -> None:
        """End the run, if it has begun."""
        if self.began:
            self._call_each(lambda tracker: tracker.end_run(succeeded=succeeded))

    def _call_each(self, action: Callable[[ExperimentTracker], None]) -> None:
        for tracker in self._trackers:
            tracker.call_safely(action)
