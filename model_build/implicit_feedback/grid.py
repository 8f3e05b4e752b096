"""Every combination of ALS's settings, measured on the same masked interactions.

Runs that differ in nothing but the number of iterations share one fit. The table is on disk after
every run, so a grid that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl

from app.recommender.engines.als import Strengths
from model_build.engines.als import Settings
from model_build.errors import InputError
from model_build.implicit_feedback.fitting import Measured, fit_and_measure
from model_build.implicit_feedback.masking import Masked
from model_build.whole_file import write_text, write_whole

FORMAT = 1
TABLE, STATE = "grid.csv", "grid.json"
BY = "map@10"

NAMED = ("factors", "regularization", "iterations")

Row = dict[str, float | int]
Place = tuple[int, float, int]


@dataclass(frozen=True, slots=True)
class Axes:
    """The values of every setting that are combined."""

    factors: tuple[int, ...] = (10, 20, 40, 80)
    regularization: tuple[float, ...] = (0.0, 1e-5, 1e-3, 1e-1)
    iterations: tuple[int, ...] = (10, 20, 30, 50)

    def __len__(self) -> int:
        return len(self.factors) * len(self.regularization) * len(self.iterations)


@dataclass(frozen=True, slots=True)
class Grid:
    """Runs measured so far, in ``folder``: as a table (CSV), and with what they depend on (JSON).

    ``masked`` is what is fitted and measured; ``settings`` is everything else that a run needs.
    """

    folder: Path
    masked: Masked
    settings: Settings
    axes: Axes = field(default_factory=Axes)

    def run(self, told: Callable[[Row], object] | None = None) -> list[Row]:
        """Measure what is not measured yet; all rows, in the order of the axes.

        ``told`` is given every new row as soon as it is on disk.

        Raises:
            InputError: the folder holds runs on something else.
        """
        rows = {_place(row): row for row in self._read()}
        for settings in self._fits():
            missing = [each for each in self.axes.iterations if _key(settings, each) not in rows]
            if not missing:
                continue

            def found(
                iteration: int, seconds: float, measured: Measured, settings: Settings = settings
            ) -> None:
                row = dict(zip(NAMED, _key(settings, iteration), strict=True))
                rows[_place(row)] = {**row, **measured, "fit_seconds": round(seconds, 2)}
                self._write(list(rows.values()))
                if told:
                    told(rows[_place(row)])

            fit_and_measure(self.masked, settings, missing, found)
        return [
            rows[_key(settings, each)] for settings in self._fits() for each in self.axes.iterations
        ]

    def _fits(self) -> Iterator[Settings]:
        for factors, regularization in product(self.axes.factors, self.axes.regularization):
            yield replace(self.settings, factors=factors, regularization=regularization)

    def _inputs(self) -> str:
        """A digest of all that the rows depend on, beside what they name themselves."""
        digest = hashlib.sha256(f"{FORMAT} {self.settings.alpha} {self.settings.seed}".encode())
        digest.update(str(sorted(asdict(self.settings.strengths).items())).encode())
        entries = self.masked.interactions.entries
        for array in (
            *(entries.user, entries.item, entries.status, self.masked.interactions.favourite),
            *(self.masked.anime_id, self.masked.known.rows, self.masked.new.rows),
        ):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def _read(self) -> list[Row]:
        path = self.folder / STATE
        if not path.exists():
            return []
        inputs, _, rows = _state(path)
        if inputs != self._inputs():
            raise InputError(
                f"{path}: these runs were made with other interactions, another seed, alpha or "
                "strengths; name another folder."
            )
        return rows

    def _write(self, rows: list[Row]) -> None:
        rows = sorted(rows, key=_place)
        state = {"inputs": self._inputs(), "settings": asdict(self.settings), "rows": rows}
        write_text(self.folder / STATE, json.dumps(state))
        write_whole(self.folder / TABLE, pl.DataFrame(rows).write_csv)


def read_rows(folder: Path) -> tuple[list[Row], Settings]:
    """The runs of a grid that are done, and the settings that they share.

    Raises:
        InputError: there are none.
    """
    _, settings, rows = _state(folder / STATE)
    return rows, settings


def best_of(rows: list[Row], shared: Settings) -> Settings:
    """The settings of the run with the highest MAP@10; of equal ones the first."""
    factors, regularization, iterations = _place(max(rows, key=lambda row: row[BY]))
    return replace(shared, factors=factors, regularization=regularization, iterations=iterations)


def _state(path: Path) -> tuple[str, Settings, list[Row]]:
    try:
        state = json.loads(path.read_text("utf-8"))
        rows = list(state["rows"])
        for row in rows:
            _place(row)
        named = {**state["settings"], "strengths": Strengths(**state["settings"]["strengths"])}
        return state["inputs"], Settings(**named), rows
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: not the runs of a grid ({error!r}); name the folder of one, or a new one."
        ) from None


def _key(settings: Settings, iterations: int) -> Place:
    return settings.factors, settings.regularization, iterations


def _place(row: Row) -> Place:
    return int(row["factors"]), float(row["regularization"]), int(row["iterations"])
