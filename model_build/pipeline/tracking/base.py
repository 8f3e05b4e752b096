"""What a tracker is told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

Parameters = Mapping[str, str | int | float | bool]
Metrics = Mapping[str, float]


class Tracker(Protocol):
    """One run, from its begin to its end."""

    def begin(self, parameters: Parameters) -> None:
        """A run starts, with what was configured."""

    def metrics(self, metrics: Metrics) -> None:
        """What was measured."""

    def file(self, path: Path) -> None:
        """A file that belongs to the run."""

    def model(self, folder: Path, version: str, settings: Parameters) -> None:
        """The model that was made, and what it was made with."""

    def end(self, *, well: bool) -> None:
        """The run is over."""


class Guarded:
    """A tracker whose failures are told once, on standard error, and never passed on.

    It is opened when there is something to tell.
    """

    def __init__(self, name: str, open_tracker: Callable[[], Tracker]) -> None:
        self._name, self._open, self._failed = name, open_tracker, False
        self._tracker: Tracker | None = None

    def call(self, what: Callable[[Tracker], None]) -> None:
        """Do something with the tracker, unless it failed before."""
        if self._failed:
            return
        try:
            if self._tracker is None:
                self._tracker = self._open()
            what(self._tracker)
        except Exception as error:  # whatever a tracker does, the build goes on
            self._failed = True
            words = " ".join(str(error).split()) or type(error).__name__
            print(f"{self._name}: {words[:300]}; the build goes on untracked.", file=sys.stderr)


class Tracking:
    """All trackers of a run; it begins with the first thing that is told."""

    def __init__(self, trackers: Sequence[Guarded]) -> None:
        self._trackers = trackers
        self.began = False

    def begin(self, parameters: Parameters) -> None:
        """Start the run, unless it has begun."""
        if not self.began:
            self.began = True
            self._each(lambda tracker: tracker.begin(parameters))

    def metrics(self, metrics: Metrics) -> None:
        """Tell what was measured."""
        self._each(lambda tracker: tracker.metrics(metrics))

    def file(self, path: Path) -> None:
        """Hand a file over."""
        self._each(lambda tracker: tracker.file(path))

    def model(self, folder: Path, version: str, settings: Parameters) -> None:
        """Tell of the model."""
        self._each(lambda tracker: tracker.model(folder, version, settings))

    def end(self, *, well: bool) -> None:
        """End the run, if it has begun."""
        if self.began:
            self._each(lambda tracker: tracker.end(well=well))

    def _each(self, what: Callable[[Tracker], None]) -> None:
        for tracker in self._trackers:
            tracker.call(what)
