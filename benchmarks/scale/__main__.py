"""Measure how time and memory of prepare and train grow with ratings, fans and anime.

Each size is a made-up dump in the format of 2020, prepared and trained on in processes of their
own, one after the other. Results are kept in docs/scale.json; the tables of docs/scale.md and the
plot docs/scale.svg are made from it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.scale.cases import SERIES, ScalingCase
from benchmarks.scale.measure import ROOT, parse_step_seconds, run_measured
from benchmarks.scale.page import write_scale_page
from benchmarks.scale.plot import write_plot

RESULTS = ROOT / "docs" / "scale.json"


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
    for case in () if arguments.dry_run else chosen.values():
        with tempfile.TemporaryDirectory(dir=arguments.work) as folder:
            results[case.name] = _measure_case(case, Path(folder))
        RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", "utf-8")
        print(case.name, json.dumps(results[case.name]), flush=True)
    write_scale_page(results)
    write_plot(results)


def _measure_case(case: ScalingCase, folder: Path) -> dict[str, Any]:
    dump = folder / "dump"
    rows, fans, anime = case.size
    amounts = ("--ratings", rows, "--fans", fans, "--anime", anime)
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


if __name__ == "__main__":
    main()
