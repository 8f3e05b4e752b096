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
from app.lists import CacheTtl, ServiceClients, build_list_sources
from app.lists.http_client import create_session
from app.lists.registry import normalize_base_url
from app.lists.service_clients import RATE_LIMITS
from app.settings import AppSettings, SettingsError, load_settings
from app.source_config import build_source_settings
from app.upstream import BucketRateLimiter, RateLimit, SharedStorage
from model_build.collect.client import Backoff, JsonClient, RequestStats
from model_build.collect.kitsu.api import KitsuApi
from model_build.collect.kitsu.collection import (
    collect_kitsu_users,
    progress_bar_factory,
    ratings_table,
)
from model_build.collect.report import build_kitsu_report, build_lists_report, render_report
from model_build.collect.response_cache import ResponseCache
from model_build.collect.usernames import collect_user_lists, read_usernames
from model_build.data.catalogue import read_catalogue
from model_build.reporting.collection_page import collection_report_page
from model_build.util.atomic_writes import write_atomically, write_text_atomically
from model_build.util.errors import InputError

RAW_FOLDER = "raw"


def collect_from_kitsu(arguments: argparse.Namespace) -> None:
    """Collect users of Kitsu.

    Raises:
        InputError: see `collect`; or the folder or the settings cannot be used.
    """
    catalogue = read_catalogue(arguments.catalogue) if arguments.catalogue else None
    with _open_collection(arguments) as (settings, answers, shared):
        _collect_kitsu(arguments, settings, answers, shared, _kitsu_to_mal(catalogue))


def collect_from_myanimelist(arguments: argparse.Namespace) -> None:
    """Collect lists by name.

    Raises:
        InputError: see `collect_lists`; or the folder or the settings cannot be used.
    """
    names = read_usernames(arguments.usernames)
    with _open_collection(arguments) as (settings, answers, shared):
        _collect_lists(arguments, settings, answers, shared, names)


@contextmanager
def _open_collection(
    arguments: argparse.Namespace,
) -> Iterator[tuple[AppSettings, ResponseCache, SharedStorage]]:
    """The app's settings, the folder of answers, and a place for what is only needed meanwhile."""
    try:
        settings = load_settings()
    except SettingsError as error:
        raise InputError(str(error)) from None
    out: Path = arguments.out
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; expected a folder, or a name for a new one.")
    answers = ResponseCache(out / RAW_FOLDER)
    with answers.lock(), TemporaryDirectory(prefix="hakken-collect-") as folder:
        yield settings, answers, SharedStorage(Path(folder))


def _collect_kitsu(
    arguments: argparse.Namespace,
    settings: AppSettings,
    answers: ResponseCache,
    shared: SharedStorage,
    kitsu_to_mal: dict[int, int],
) -> None:
    start = time.perf_counter()
    address = normalize_base_url(str(settings.kitsu_url), "/api/edge")
    answers.check_plan({"service": "kitsu", "address": address, "seed": arguments.seed})
    traffic = RequestStats()
    session = create_session(app.VERSION, str(settings.public_url) if settings.public_url else None)
    traffic.count_responses(session)
    paces = _rate_limits(arguments.rate, settings)
    turn = BucketRateLimiter(shared, "kitsu-collect", paces) if paces else None
    say = _progress_logger(arguments)
    patience = Backoff("Kitsu", traffic, arguments.patience, say)
    asker = JsonClient("Kitsu", session, turn, patience)
    collected = collect_kitsu_users(
        KitsuApi(asker, address, answers),
        arguments.users,
        seed=arguments.seed,
        kitsu_to_mal=kitsu_to_mal,
        make_progress_bar=progress_bar_factory(quiet=arguments.quiet),
        log=say,
        rate=min((pace.requests / pace.seconds for pace in paces), default=None),
    )
    pages = {kind: answers.count(kind) for kind in ("users", "favourites", "library")}
    seconds = time.perf_counter() - start
    report = build_kitsu_report(
        collected, arguments.users, arguments.segments, pages, traffic, seconds
    )
    chosen = collected.users.filter(pl.col("segment").is_in(arguments.segments))
    interactions = collected.interactions.join(
        chosen, on="user_id", how="semi", maintain_order="left"
    )
    out: Path = arguments.out
    write_text_atomically(
        out / "report.html", collection_report_page(collected.users, interactions, report)
    )
    _write_parquet(out / "users.parquet", collected.users)
    _write_parquet(out / "interactions.parquet", interactions)
    _write_parquet(out / "ratings.parquet", ratings_table(interactions))
    _write_report(out, report)


def _collect_lists(
    arguments: argparse.Namespace,
    settings: AppSettings,
    answers: ResponseCache,
    shared: SharedStorage,
    names: list[str],
) -> None:
    start = time.perf_counter()
    answers.check_plan({"service": arguments.source})
    # Nothing is remembered for later visitors: that would be lists by name.
    spans = CacheTtl(fresh=0, stale=0)
    services = ServiceClients(
        replace(build_source_settings(settings, app.VERSION, shared), cache_ttl=spans)
    )
    traffic = RequestStats()
    traffic.count_responses(services.session)
    source = build_list_sources(services, anilist_to_mal={})[arguments.source]
    ratings, tally = collect_user_lists(
        source,
        names,
        answers,
        Backoff(source.name, traffic, arguments.patience, _progress_logger(arguments)),
        progress_bar_factory(quiet=arguments.quiet),
    )
    if ratings.is_empty():
        raise InputError(
            f"{arguments.usernames}: no list came of any of these {len(names):,} names "
            f"({', '.join(f'{count:,} {what}' for what, count in tally.items())})."
        )
    _write_parquet(arguments.out / "ratings.parquet", ratings)
    seconds = time.perf_counter() - start
    _write_report(
        arguments.out,
        build_lists_report(arguments.source, len(names), ratings, tally, traffic, seconds),
    )


def _rate_limits(rate: float | None, settings: AppSettings) -> tuple[RateLimit, ...]:
    """What spaces requests; the usual limits unless they are switched off."""
    if rate is not None:
        return (RateLimit(1, 1 / rate),) if rate else ()
    return RATE_LIMITS["kitsu"] if settings.limits else ()


def _progress_logger(arguments: argparse.Namespace) -> Callable[[str], None]:
    """Says things on standard error, and not into the middle of a progress bar."""
    return (lambda _: None) if arguments.quiet else partial(tqdm.write, file=sys.stderr)


def _kitsu_to_mal(catalogue: pl.DataFrame | None) -> dict[int, int]:
    if catalogue is None or "kitsu_id" not in catalogue.columns:
        return {}
    ids = catalogue.select(pl.col("kitsu_id", "anime_id").cast(pl.Int64, strict=False)).drop_nulls()
    return dict(ids.iter_rows())


def _write_parquet(path: Path, frame: pl.DataFrame) -> None:
    write_atomically(path, frame.write_parquet)


def _write_report(out: Path, report: dict[str, object]) -> None:
    text = render_report(report)
    write_text_atomically(out / "report.json", json.dumps(report, indent=2) + "\n")
    write_text_atomically(out / "report.txt", text)
    print(text, end="")
