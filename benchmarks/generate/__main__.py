"""Write a made-up dump in the format of a public one, at any size, the same for the same seed.

    scripts/generate --dataset hernan2020 --ratings 1000000 --fans 5000 --anime 8000 --out DIR

--ratings counts the rows of the file that holds the lists (animelist.csv for hernan2020, whose
rating_complete.csv gets the completed and scored half of them). A few rows are wrong on purpose, as
in the real dumps: repeated ones, stray status codes, scores out of range. How many of each is
printed as one JSON object.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import polars as pl

from app.recommender.atomic_writes import replace_directory
from benchmarks.arguments import positive_int
from benchmarks.generate.catalogue import make_catalogue
from benchmarks.generate.formats import FORMATS
from benchmarks.generate.population import SyntheticPopulation, generate_lists, make_population


def main() -> None:
    """Generate a world and write its files."""
    parser = argparse.ArgumentParser(
        prog="scripts/generate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--dataset", choices=tuple(FORMATS), required=True)
    for name, what in (("ratings", "rows"), ("fans", "fans"), ("anime", "anime")):
        parser.add_argument(f"--{name}", type=positive_int, required=True, metavar="N", help=what)
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder")
    arguments = parser.parse_args()
    if arguments.out.exists():
        sys.exit(f"scripts/generate: {arguments.out} exists; name a new folder with --out")
    try:
        world = make_population(arguments.ratings, arguments.fans, arguments.anime, arguments.seed)
        with replace_directory(arguments.out) as new:
            done = write_dump(world, arguments.dataset, new)
    except (ValueError, OSError) as error:
        sys.exit(f"scripts/generate: {error}")
    print(json.dumps(done))


def write_dump(world: SyntheticPopulation, dataset: str, folder: Path) -> dict[str, int]:
    """Write all files of a dump; returns how many rows each has and how many flaws there are."""
    kind = FORMATS[dataset]
    done: Counter[str] = Counter()
    name, rows = make_catalogue(world, dataset)
    (folder / name).write_bytes(_to_csv(rows, header=True))
    done[name] = len(rows)
    with ExitStack() as stack:
        files = {file: stack.enter_context((folder / file).open("wb")) for file in kind.files}
        for chunk in generate_lists(world, os.cpu_count() or 1):
            entries = kind.make_rows(world, chunk)
            done.update(entries.flaw_counts)
            for file, made in kind.files.items():
                rows = made(world, entries)
                files[file].write(_to_csv(rows, header=not files[file].tell()))
                done[file] += len(rows)
    return dict(done)


def _to_csv(rows: pl.DataFrame, *, header: bool) -> bytes:
    out = io.BytesIO()
    rows.write_csv(out, include_header=header, quote_style="never")
    return out.getvalue()


if __name__ == "__main__":
    main()
