"""Runs a collection as the command line says: settings, politeness, the files that are written."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from tqdm import tqdm

import app
from app.lists import Services, Spans, build_sources
from app.lists.http import make_session
from app.lists.registry import base_address
from app.lists.services import PACES
from app.services import source_settings
from app.settings import Settings, SettingsError, load_settings
from app.upstream import Pace, Shared, Throttle
from model_build.catalogue import read_catalogue
from model_build.collecting.answers import Answers
from model_build.collecting.asking import Asker
from model_build.collecting.kitsu.collection import collect, silent_unless_asked
from model_build.collecting.kitsu.site import Site
from model_build.collecting.kitsu.tables import ratings_table
from model_build.collecting.patience import Patience, Traffic
from model_build.collecting.report import in_words, kitsu_report, lists_report
from model_build.collecting.usernames import collect_lists, read_usernames
from model_build.errors import InputError
from model_build.reporting.collected import collected_page
from model_build.whole_file import write_text, write_whole

RAW = "raw"


def run_kitsu(arguments: argparse.Namespace) -> None:
    """Collect users of Kitsu.

    Raises:
        InputError: see `collect`; or the folder or the settings cannot be used.
    """
    catalogue = read_catalogue(arguments.catalogue) if arguments.catalogue else None
    with _opened(arguments) as (settings, answers, shared):
        _kitsu(arguments, settings, answers, shared, _kitsu_to_mal(catalogue))


def run_myanimelist(arguments: argparse.Namespace) -> None:
    """Collect lists by name.

    Raises:
        InputError: see `collect_lists`; or the folder or the settings cannot be used.
    """
    names = read_usernames(arguments.usernames)
    with _opened(arguments) as (settings, answers, shared):
        _names(arguments, settings, answers, shared, names)


@contextmanager
def _opened(arguments: argparse.Namespace) -> Iterator[tuple[Settings, Answers, Shared]]:
    """The app's settings, the folder of answers, and a place for what is only needed meanwhile."""
    try:
        settings = load_settings()
    except SettingsError as error:
        raise InputError(str(error)) from None
    out: Path = arguments.out
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; expected a folder, or a name for a new one.")
    answers = Answers(out / RAW)
    with answers.alone(), TemporaryDirectory(prefix="hakken-collect-") as folder:
        yield settings, answers, Shared(Path(folder))


def _kitsu(
    arguments: argparse.Namespace,
    settings: Settings,
    answers: Answers,
    shared: Shared,
    kitsu_to_mal: dict[int, int],
) -> None:
    start = time.perf_counter()
    address = base_address(str(settings.kitsu_url), "/api/edge")
    answers.follow({"service": "kitsu", "address": address, "seed": arguments.seed})
    traffic = Traffic()
    session = make_session(app.VERSION, str(settings.public_url) if settings.public_url else None)
    traffic.listen(session)
    paces = _paces(arguments.rate, settings)
    turn = Throttle(shared, "kitsu-collect", paces) if paces else None
    say = _teller(arguments)
    patience = Patience("Kitsu", traffic, arguments.patience, say)
    asker = Asker("Kitsu", session, turn, patience)
    collected = collect(
        Site(asker, address, answers),
        arguments.users,
        seed=arguments.seed,
        kitsu_to_mal=kitsu_to_mal,
        bar=silent_unless_asked(quiet=arguments.quiet),
        say=say,
        rate=min((pace.requests / pace.seconds for pace in paces), default=None),
    )
    pages = {kind: answers.count(kind) for kind in ("users", "favourites", "library")}
    seconds = time.perf_counter() - start
    report = kitsu_report(collected, arguments.users, arguments.segments, pages, traffic, seconds)
    chosen = collected.users.filter(pl.col("segment").is_in(arguments.segments))
    interactions = collected.interactions.join(
        chosen, on="user_id", how="semi", maintain_order="left"
    )
    out: Path = arguments.out
    write_text(out / "report.html", collected_page(collected.users, interactions, report))
    _write(out / "users.parquet", collected.users)
    _write(out / "interactions.parquet", interactions)
    _write(out / "ratings.parquet", ratings_table(interactions))
    _tell(out, report)


def _names(
    arguments: argparse.Namespace,
    settings: Settings,
    answers: Answers,
    shared: Shared,
    names: list[str],
) -> None:
    start = time.perf_counter()
    answers.follow({"service": arguments.source})
    # Nothing is remembered for later visitors: that would be lists by name.
    spans = Spans(fresh=0, stale=0)
    services = Services(replace(source_settings(settings, app.VERSION, shared), spans=spans))
    traffic = Traffic()
    traffic.listen(services.session)
    source = build_sources(services, anilist_to_mal={})[arguments.source]
    ratings, tally = collect_lists(
        source,
        names,
        answers,
        Patience(source.name, traffic, arguments.patience, _teller(arguments)),
        silent_unless_asked(quiet=arguments.quiet),
    )
    if ratings.is_empty():
        raise InputError(
            f"{arguments.usernames}: no list came of any of these {len(names):,} names "
            f"({', '.join(f'{count:,} {what}' for what, count in tally.items())})."
        )
    _write(arguments.out / "ratings.parquet", ratings)
    seconds = time.perf_counter() - start
    _tell(
        arguments.out, lists_report(arguments.source, len(names), ratings, tally, traffic, seconds)
    )


def _paces(rate: float | None, settings: Settings) -> tuple[Pace, ...]:
    """What spaces requests; the usual limits unless they are switched off."""
    if rate is not None:
        return (Pace(1, 1 / rate),) if rate else ()
    return PACES["kitsu"] if settings.limits else ()


def _teller(arguments: argparse.Namespace) -> Callable[[str], None]:
    """Says things on standard error, and not into the middle of a progress bar."""
    return (lambda _: None) if arguments.quiet else partial(tqdm.write, file=sys.stderr)


def _kitsu_to_mal(catalogue: pl.DataFrame | None) -> dict[int, int]:
    if catalogue is None or "kitsu_id" not in catalogue.columns:
        return {}
    ids = catalogue.select(pl.col("kitsu_id", "anime_id").cast(pl.Int64, strict=False)).drop_nulls()
    return dict(ids.iter_rows())


def _write(path: Path, frame: pl.DataFrame) -> None:
    write_whole(path, frame.write_parquet)


def _tell(out: Path, report: dict[str, object]) -> None:
    text = in_words(report)
    write_text(out / "report.json", json.dumps(report, indent=2) + "\n")
    write_text(out / "report.txt", text)
    print(text, end="")
