"""Measure how time and memory of prepare and train grow with ratings, fans and anime.

Each size is a made-up dump in the format of 2020, prepared and trained on in processes of their
own, one after the other. Results are kept in docs/scale.json; the tables of docs/scale.md and the
plot docs/scale.svg are made from it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parent.parent
RESULTS, PAGE, PLOT = (ROOT / "docs" / f"scale.{kind}" for kind in ("json", "md", "svg"))
COMPLETED_SHARE = 0.53
"""The share of list rows that the generator makes completed and scored."""
FULL_ANIME, FULL_RATINGS, FULL_USERS = 16_872, 57_633_278, 310_059
"""`rating_complete.csv` of the 2020 dump."""


@dataclass(frozen=True, slots=True)
class ScalingCase:
    """A dump of ``rows`` list rows; ``file`` is what is prepared, with ``ratings`` in it."""

    rows: int
    users: int
    anime: int
    file: str = "rating_complete.csv"

    @property
    def name(self) -> str:
        """The folder of the case's files."""
        return f"{self.file.split('.')[0]}-{self.rows}-{self.users}-{self.anime}"


def _rated_case(ratings: float, users: float, anime: int) -> ScalingCase:
    return ScalingCase(round(ratings / COMPLETED_SHARE), round(users), anime)


SERIES = {
    "growth": [
        _rated_case(FULL_RATINGS * share, FULL_USERS * share, FULL_ANIME)
        for share in (0.01, 0.0316, 0.1, 0.316, 1.0)
    ],
    "anime": [
        _rated_case(FULL_RATINGS / 10, FULL_USERS / 10, anime)
        for anime in (2_000, 4_000, 8_000, FULL_ANIME)
    ],
    "fans": [
        _rated_case(FULL_RATINGS / 10, fans, FULL_ANIME)
        for fans in (8_000, 16_000, FULL_USERS / 10, 64_000, 128_000)
    ],
    "full": [ScalingCase(109_224_747, 325_772, 17_562, file="animelist.csv")],
}
"""The middle of the first three is one and the same case."""
SERIES_TITLES = {
    "growth": "Ratings and fans grow together, as a dump does",
    "anime": "The same ratings of more anime",
    "fans": "The same ratings by more fans",
    "full": "All list rows of 2020",
}
TABLE_HEAD = (
    "| entries | fans | anime | CSV | prepare | train | both | processor | peak | load |",
    "|---|---|---|---|---|---|---|---|---|---|",
)
BEGIN_MARK, END_MARK = "<!-- measured -->", "<!-- /measured -->"
PLOT_PANELS = (
    ("growth", "entries", "ratings"),
    ("anime", "anime", "anime"),
    ("fans", "fans", "fans"),
)
PLOT_LINES = (
    ("cpu", "processor seconds", "#1f5fa8", "o", 1.0),
    ("wall", "seconds", "#b3471d", "D", 1.0),
    ("peak_mb", "peak memory, GiB", "#3b7d3a", "s", 1 / 1024),
)


def main() -> None:
    """Measure what is missing, and write the page."""
    parser = argparse.ArgumentParser(prog="scripts/scale", description=__doc__)
    parser.add_argument(
        "--only", choices=tuple(SERIES), action="append", help="measure this series"
    )
    parser.add_argument("--work", type=Path, metavar="DIR", help="where the dumps are written")
    parser.add_argument("--dry-run", action="store_true", help="only draw what was measured")
    arguments = parser.parse_args()
    results: dict[str, Any] = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    chosen = {case.name: case for name in arguments.only or SERIES for case in SERIES[name]}
    if arguments.work is not None:
        arguments.work.mkdir(parents=True, exist_ok=True)
    for case in () if arguments.dry_run else chosen.values():
        with tempfile.TemporaryDirectory(dir=arguments.work) as folder:
            results[case.name] = _measure_case(case, Path(folder))
        RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", "utf-8")
        print(case.name, json.dumps(results[case.name]), flush=True)
    PAGE.write_text(replace_tables(PAGE.read_text("utf-8"), results), "utf-8")
    write_plot(results)


def _measure_case(case: ScalingCase, folder: Path) -> dict[str, Any]:
    dump = folder / "dump"
    amounts = ("--ratings", case.rows, "--fans", case.users, "--anime", case.anime)
    run_measured(
        "benchmarks.generate", "--dataset", "hernan2020", *amounts, "--seed", 1, "--out", dump
    )
    file = dump / case.file
    prepared, model = folder / "prepared", folder / "model"
    ready, _ = run_measured(
        *("model_build", "prepare", "--dataset", "hernan2020"),
        *("--from", file, "--out", prepared, "--min-anime-entries", 1),
    )
    trained, printed = run_measured("model_build", "train", "--ratings", prepared, "--out", model)
    counts = json.loads((model / "manifest.json").read_text("utf-8"))["counts"]
    size = sum(part.stat().st_size for part in model.iterdir())
    return {
        "csv_mb": round(file.stat().st_size / 1e6, 1),
        "counts": counts,
        "prepare": ready,
        "train": trained,
        "steps": parse_step_seconds(printed),
        "model_mb": round(size / 1e6, 1),
    }


def run_measured(module: str, *arguments: object) -> tuple[dict[str, float], str]:
    """``python -m module arguments``; returns what it cost and what it printed.

    That is ``wall`` and processor seconds (``cpu``), the peak of resident memory (``peak_mb``), and
    the ``load`` when it began.

    Raises
    ------
    SystemExit
        It failed.
    """
    load = os.getloadavg()[0]
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        printed, errors = process.stdout.read(), process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        how = f"ended with status {process.returncode}"
        sys.exit(f"scripts/scale: {module} {arguments[0]} {how}\n{errors}")
    peak = used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    cost = {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak_mb": peak, "load": load}
    return {name: round(value, 2) for name, value in cost.items()}, printed


def parse_step_seconds(printed: str) -> dict[str, float]:
    """Return what `train` says of its steps, in seconds."""
    line = next(line for line in printed.splitlines() if line.startswith("seconds"))
    found = re.findall(r"([a-z][a-z ]*) ([0-9.]+)", line.removeprefix("seconds"))
    return {name: float(taken) for name, taken in found}


def replace_tables(text: str, results: dict[str, Any]) -> str:
    """Put tables of these results between the marks of a text."""
    before, _, rest = text.partition(BEGIN_MARK)
    _, _, after = rest.partition(END_MARK)
    lines = []
    for series, title in SERIES_TITLES.items():
        rows = series_results(results, series)
        if rows:
            lines += [f"**{title}**", "", *TABLE_HEAD, *map(_render_row, rows), ""]
    return "\n".join([before + BEGIN_MARK, "", *lines, END_MARK]) + after


def series_results(results: dict[str, Any], series: str) -> list[dict[str, Any]]:
    """Return what was measured of a series, in the order of its growth; nothing if some lacks."""
    found = [results[case.name] for case in SERIES[series] if case.name in results]
    return found if len(found) == len(SERIES[series]) else []


def total_cost(result: dict[str, Any], what: str) -> float:
    """Of prepare and train together: both times, the higher peak."""
    both = result["prepare"][what], result["train"][what]
    return float(max(both) if what == "peak_mb" else sum(both))


def _render_row(row: dict[str, Any]) -> str:
    counts = row["counts"]
    cells = (
        f"{counts['entries']:,}",
        f"{counts['fans']:,}",
        f"{counts['anime']:,}",
        f"{row['csv_mb']:,.0f} MB",
        f"{row['prepare']['wall']:,.0f} s",
        f"{row['train']['wall']:,.0f} s",
        f"{total_cost(row, 'wall'):,.0f} s",
        f"{total_cost(row, 'cpu'):,.0f} s",
        f"{total_cost(row, 'peak_mb') / 1024:.1f} GiB",
        f"{max(row['prepare']['load'], row['train']['load']):.1f}",
    )
    return "| " + " | ".join(cells) + " |"


def write_plot(results: dict[str, Any]) -> None:
    """Draw what was measured; the same measures always give the same bytes."""
    with mpl.rc_context({"svg.hashsalt": "scale", "svg.fonttype": "none", "font.size": 10}):
        drawn = [panel for panel in PLOT_PANELS if series_results(results, panel[0])]
        figure = Figure(figsize=(4 + 2 * len(drawn), 3.6), layout="constrained")
        FigureCanvasSVG(figure)
        (panels,) = figure.subplots(1, len(drawn), sharey=True, squeeze=False)
        for axes, (series, count, label) in zip(panels, drawn, strict=True):
            _draw_panel(axes, series_results(results, series), count, label)
        panels[0].set_ylabel("prepare and train together")
        panels[0].legend(frameon=False)
        figure.savefig(PLOT, format="svg", facecolor="white", metadata={"Date": None})


def _draw_panel(axes: Axes, rows: list[dict[str, Any]], count: str, label: str) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(label)
    axes.grid(visible=True, which="major", color="#dddddd", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    for what, name, colour, marker, unit in PLOT_LINES:
        axes.plot(
            [row["counts"][count] for row in rows],
            [total_cost(row, what) * unit for row in rows],
            color=colour,
            marker=marker,
            label=name,
        )


if __name__ == "__main__":
    main()
