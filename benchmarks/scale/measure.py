"""Run a command as a process of its own; say how long it took and how much memory it had."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


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
