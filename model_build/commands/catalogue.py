"""Bring the table of anime facts up to date with a release of anime-offline-database.

Writes a Parquet table for train --catalogue. Example:

    python -m model_build catalogue --database anime-offline-database-minified.json.zst \\
        --catalogue anime.parquet --out anime-new.parquet
"""

from __future__ import annotations

import argparse
from pathlib import Path

from app.recommender.atomic_writes import write_atomically
from model_build.data.anime_database import read_anime_database, update_catalogue
from model_build.data.catalogue import read_catalogue

HELP = "bring the table of anime facts up to date"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--database", type=Path, required=True, metavar="FILE", help="the release")
    parser.add_argument("--catalogue", type=Path, metavar="FILE", help="the table so far")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="may be the table so far"
    )


def run(arguments: argparse.Namespace) -> None:
    before = read_catalogue(arguments.catalogue) if arguments.catalogue else None
    after = update_catalogue(before, read_anime_database(arguments.database))
    write_atomically(arguments.out, after.write_parquet)
    known = 0 if before is None else len(before)
    print(f"{len(after):,} anime, {len(after) - known:,} of them new: {arguments.out}")
