"""Collect the lists of many users from a service, to train on.

    python -m model_build collect kitsu --users 5000 --out kitsu
    python -m model_build collect myanimelist --usernames names.txt --out lists
    python -m model_build train --ratings kitsu/ratings.parquet --out model

Kitsu's users are drawn from random pages of all users, and sorted into the segments Low, Medium and
High by how much they do. Lists on MyAnimeList are those of the users whose names stand in a file.
Names are not kept. Raw answers are kept in DIR/raw: a collection that was stopped, however, goes on
where it was when it is run again. Base addresses and keys are those of the app (docs/settings.md).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from app.recommender.atomic_writes import write_text_atomically
from model_build.collect.segments import ACTIVITY_SEGMENTS, parse_segments
from model_build.commands.arguments import non_negative_int, positive_int

HELP = "collect users' lists from Kitsu or MyAnimeList"
SOURCES = ("myanimelist", "anilist", "kitsu", "shikimori", "jikan")
MIN_RATE, MAX_RATE = 0.01, 100.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    services = parser.add_subparsers(dest="service", required=True, metavar="SERVICE")
    kitsu = services.add_parser("kitsu", help="users from random pages, their libraries")
    kitsu.add_argument("--users", type=positive_int, required=True, metavar="N", help="how many")
    kitsu.add_argument("--seed", type=non_negative_int, default=0, metavar="N", help="of the pages")
    kitsu.add_argument(
        "--segments",
        type=_parse_segments,
        default=ACTIVITY_SEGMENTS,
        metavar="NAMES",
        help="whose interactions are written: some of Low,Medium,High (default: all); to choose "
        "others later, run again, nothing is fetched for that",
    )
    kitsu.add_argument(
        "--catalogue",
        type=Path,
        metavar="FILE",
        help="knows MyAnimeList's ids where Kitsu does not",
    )
    kitsu.add_argument(
        "--rate",
        type=_parse_rate,
        metavar="R",
        help="requests a second at most, 0: no limit (default: 2)",
    )
    names = services.add_parser("myanimelist", help="the lists of users by name")
    names.add_argument(
        "--usernames", type=Path, required=True, metavar="FILE", help="names, one a line"
    )
    names.add_argument(
        "--source",
        choices=SOURCES,
        default="myanimelist",
        help="where these users are (default: myanimelist)",
    )
    for each in (kitsu, names):
        each.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder")
        each.add_argument(
            "--patience",
            type=positive_int,
            default=1800,
            metavar="S",
            help="seconds to wait for one answer while the service asks for rest (default: 1800)",
        )
        each.add_argument("--quiet", action="store_true", help="no progress bar")


def run(arguments: argparse.Namespace) -> None:
    # Here, so that the other commands start without what asks services and draws charts.
    from model_build.collect.runner import collect_from_kitsu, collect_from_myanimelist
    from model_build.reporting.collection_page import collection_report_page

    if arguments.service == "myanimelist":
        collect_from_myanimelist(arguments)
        return
    found = collect_from_kitsu(arguments)
    page = collection_report_page(found.users, found.interactions, found.report)
    write_text_atomically(arguments.out / "report.html", page)


def _parse_segments(text: str) -> tuple[str, ...]:
    try:
        return parse_segments(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _parse_rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if rate != 0 and not MIN_RATE <= rate <= MAX_RATE:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number from {MIN_RATE:g} to {MAX_RATE:g}, or 0"
        )
    return rate
