"""Every combination of ALS's settings, measured on the same masked interactions.

Runs that differ in nothing but the number of iterations share one fit. The table is on disk after
every run, so a grid that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl

from app.recommender.atomic_writes import write_atomically, write_text_atomically
from app.recommender.engines.als import InteractionStrengths
from model_build.data.interactions import MaskedInteractions
from model_build.engines.als import AlsSettings
from model_build.evaluate.implicit import ImplicitMetrics, evaluate_iterations
from model_build.util.errors import InputError

STATE_FORMAT = 1
TABLE_FILE, STATE_FILE = "grid.csv", "grid.json"
SELECTION_METRIC = "map@10"

KEY_COLUMNS = ("factors", "regularization", "iterations")

GridRow = dict[str, float | int]
GridKey = tuple[int, float, int]


@dataclass(frozen=True, slots=True)
class ParameterGrid:
    """The values of every setting that are combined."""

    factors: tuple[int, ...] = (10, 20, 40, 80)
    regularization: tuple[float, ...] = (0.0, 1e-5, 1e-3, 1e-1)
    iterations: tuple[int, ...] = (10, 20, 30, 50)

    def __len__(self) -> int:
        return len(self.factors) * len(self.regularization) * len(self.iterations)


@dataclass(frozen=True, slots=True)
class GridSearch:
    """Runs measured so far, in ``folder``: as a table (CSV), and with what they depend on (JSON).

    ``masked`` is what is fitted and measured; ``settings`` is everything else that a run needs.
    With ``start_over`` runs on something else are dropped instead of refused.
    """

    folder: Path
    masked: MaskedInteractions
    settings: AlsSettings
    parameters: ParameterGrid = field(default_factory=ParameterGrid)
    start_over: bool = False

    def run(self, on_row: Callable[[GridRow], object] | None = None) -> list[GridRow]:
        """Measure what is not measured yet; all rows, in the order of the axes.

        ``on_row`` is given every new row as soon as it is on disk.
        """
        rows = {_row_key(row): row for row in self._read_rows()}
        grid = self.parameters
        for factors, regularization in product(grid.factors, grid.regularization):
            missing = [n for n in grid.iterations if (factors, regularization, n) not in rows]
            if not missing:
                continue

            def record(
                iteration: int,
                seconds: float,
                measured: ImplicitMetrics,
                shared: tuple[int, float] = (factors, regularization),
            ) -> None:
                key = (*shared, iteration)
                found = {"fit_seconds": round(seconds, 2)}
                rows[key] = {**dict(zip(KEY_COLUMNS, key, strict=True)), **measured, **found}
                self._write_rows(list(rows.values()))
                if on_row:
                    on_row(rows[key])

            settings = replace(self.settings, factors=factors, regularization=regularization)
            evaluate_iterations(self.masked, settings, missing, record)
        return [rows[key] for key in product(grid.factors, grid.regularization, grid.iterations)]

    def _input_digest(self) -> str:
        """Return a digest of all that the rows depend on, beside what they name themselves."""
        strengths = sorted(asdict(self.settings.strengths).items())
        said = f"{STATE_FORMAT} {self.settings.alpha} {self.settings.seed}{strengths}"
        digest = hashlib.sha256(said.encode())
        entries, masked = self.masked.interactions.entries, self.masked
        activity = masked.interactions.activity
        for array in (
            *(entries.user, entries.item, entries.status, masked.interactions.favourite),
            *(activity.commented, activity.reviewed, activity.hours),
            *(masked.anime_id, masked.known_users.visible_rows, masked.new_users.visible_rows),
        ):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def _read_rows(self) -> list[GridRow]:
        path = self.folder / STATE_FILE
        if not path.exists():
            return []
        inputs, _, rows = _read_state(path)
        if inputs != self._input_digest():
            if self.start_over:
                return []
            raise InputError(
                f"{path}: these runs were made with other interactions, another seed, alpha or "
                "strengths; name another folder, or add --start-over."
            )
        return rows

    def _write_rows(self, rows: list[GridRow]) -> None:
        rows = sorted(rows, key=_row_key)
        state = {"inputs": self._input_digest(), "settings": asdict(self.settings), "rows": rows}
        write_text_atomically(self.folder / STATE_FILE, json.dumps(state))
        write_atomically(self.folder / TABLE_FILE, pl.DataFrame(rows).write_csv)


def read_grid(folder: Path) -> tuple[list[GridRow], AlsSettings]:
    """Return the runs of a grid that are done, and the settings that they share."""
    _, settings, rows = _read_state(folder / STATE_FILE)
    return rows, settings


def best_settings(rows: list[GridRow], shared: AlsSettings) -> AlsSettings:
    """Return the settings of the run with the highest MAP@10; of equal ones the first."""
    factors, regularization, iterations = _row_key(max(rows, key=lambda row: row[SELECTION_METRIC]))
    return replace(shared, factors=factors, regularization=regularization, iterations=iterations)


def _read_state(path: Path) -> tuple[str, AlsSettings, list[GridRow]]:
    try:
        state = json.loads(path.read_text("utf-8"))
        rows = list(state["rows"])
        for row in rows:
            _row_key(row)
        named = {
            **state["settings"],
            "strengths": InteractionStrengths(**state["settings"]["strengths"]),
        }
        return state["inputs"], AlsSettings(**named), rows
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: not the runs of a grid ({error!r}); name the folder of one, or a new one."
        ) from None


def _row_key(row: GridRow) -> GridKey:
    return int(row["factors"]), float(row["regularization"]), int(row["iterations"])
