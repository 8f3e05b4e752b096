"""Runs a collection as the command line says: settings, politeness, the files that are written."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
from tqdm import tqdm

import app
from app.lists import CacheTtl, ServiceClients, build_list_sources
from app.lists.http_client import create_session
from app.lists.registry import normalize_base_url
from app.lists.service_clients import RATE_LIMITS
from app.recommender.atomic_writes import write_atomically, write_text_atomically
from app.settings import AppSettings, SettingsError, load_settings
from app.source_config import build_source_settings
from app.upstream import BucketRateLimiter, RateLimit, SharedStorage
from model_build.collect.anilist_media import (
    add_pictures_and_relations,
    collect_media,
    order_by_need,
)
from model_build.collect.client import Backoff, JsonClient, RequestStats
from model_build.collect.config import KitsuConfig, MyAnimeListConfig, parse_segments
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
from model_build.util.errors import InputError
from model_build.util.temporary_folders import temporary_folder

RAW_FOLDER = "raw"


@dataclass(frozen=True, slots=True)
class KitsuCollection:
    """What was collected from Kitsu: all users but those skipped, what is written, the report."""

    users: pl.DataFrame
    interactions: pl.DataFrame
    report: dict[str, Any]


def collect_from_kitsu(config: KitsuConfig) -> KitsuCollection:
    """Collect users of Kitsu, and write their tables and the report."""
    catalogue = read_catalogue(config.catalogue) if config.catalogue else None
    start = time.perf_counter()
    with _open_collection(config.out) as (settings, responses, shared):
        address = normalize_base_url(str(settings.kitsu_url), "/api/edge")
        responses.check_plan({"service": "kitsu", "address": address, "seed": config.seed})
        stats = RequestStats()
        rate_limits = _rate_limits(config.rate, settings)
        throttle = BucketRateLimiter(shared, "kitsu-collect", rate_limits)
        log = _progress_logger(quiet=config.quiet)
        backoff = Backoff("Kitsu", stats, config.patience, log)
        client = _json_client("Kitsu", settings, throttle, backoff, stats)
        collected = collect_kitsu_users(
            KitsuApi(client, address, responses),
            config.users,
            seed=config.seed,
            skip=config.skip,
            kitsu_to_mal=_kitsu_to_mal(catalogue),
            make_progress_bar=progress_bar_factory(quiet=config.quiet),
            log=log,
            rate=min((limit.requests / limit.seconds for limit in rate_limits), default=None),
        )
        pages = {kind: responses.count(kind) for kind in ("users", "favourites", "library")}
        seconds = time.perf_counter() - start
        segments = parse_segments(config.segments)
        wanted = max(0, config.users - config.skip)
        report = build_kitsu_report(collected, wanted, segments, pages, stats, seconds)
        chosen = collected.users.filter(pl.col("segment").is_in(segments))
        interactions = collected.interactions.join(
            chosen, on="user_id", how="semi", maintain_order="left"
        )
        out = config.out
        _write_parquet(out / "users.parquet", collected.users)
        _write_parquet(out / "interactions.parquet", interactions)
        _write_parquet(out / "ratings.parquet", ratings_table(interactions))
        _write_report(out, report)
        return KitsuCollection(collected.users, interactions, report)


def collect_from_myanimelist(config: MyAnimeListConfig) -> dict[str, Any]:
    """Collect lists by name."""
    # Numbered by their place in the file, whichever of them are asked for.
    numbered = list(enumerate(read_usernames(config.usernames)))
    names = dict(numbered[config.skip : config.until])
    start = time.perf_counter()
    with _open_collection(config.out) as (settings, responses, shared):
        responses.check_plan({"service": config.source})
        # Nothing is remembered for later visitors: that would be lists by name.
        no_cache = CacheTtl(fresh=0, stale=0)
        sources = replace(build_source_settings(settings, app.VERSION, shared), cache_ttl=no_cache)
        if "mal_web" not in settings.model_fields_set:
            # Many lists are another matter than one that a fan asks for.
            sources = replace(sources, mal_web=False)
        services = ServiceClients(sources)
        stats = RequestStats()
        stats.count_responses(services.session)
        source = build_list_sources(services, anilist_to_mal={})[config.source]
        ratings, tally = collect_user_lists(
            source,
            names,
            responses,
            Backoff(source.name, stats, config.patience, _progress_logger(quiet=config.quiet)),
            progress_bar_factory(quiet=config.quiet),
        )
        # Of a part of the names there may be nothing to add: what comes after it goes on.
        if ratings.is_empty() and not (config.skip or config.until):
            raise InputError(
                f"{config.usernames}: no list came of any of these {len(names):,} names "
                f"({', '.join(f'{count:,} {what}' for what, count in tally.items())})."
            )
        _write_parquet(config.out / "ratings.parquet", ratings)
        seconds = time.perf_counter() - start
        report = build_lists_report(config.source, len(names), ratings, tally, stats, seconds)
        _write_report(config.out, report)
        return report


def complete_from_anilist(
    catalogue: pl.DataFrame, folder: Path, max_requests: int, *, patience: int
) -> pl.DataFrame:
    """Return the table with pictures and relations from AniList, whose answers are kept."""
    with _open_collection(folder) as (settings, responses, shared):
        url = str(settings.anilist_url)
        responses.check_plan({"service": "anilist-media", "address": url})
        public_url = str(settings.public_url) if settings.public_url else None
        stats = RequestStats()
        limits = RATE_LIMITS["anilist"] if settings.limits else ()
        throttle = BucketRateLimiter(shared, "anilist-media", limits) if limits else None
        backoff = Backoff("AniList", stats, patience, _progress_logger(quiet=False))
        media = collect_media(
            order_by_need(catalogue),
            _json_client("AniList", settings, throttle, backoff, stats),
            url,
            responses,
            max_requests=max_requests,
            public_url=public_url,
        )
        return add_pictures_and_relations(catalogue, media)


@contextmanager
def _open_collection(out: Path) -> Iterator[tuple[AppSettings, ResponseCache, SharedStorage]]:
    """Yield the app's settings, the stored responses, and storage for this run."""
    try:
        settings = load_settings()
    except SettingsError as error:
        raise InputError(str(error)) from None
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; expected a folder, or a name for a new one.")
    responses = ResponseCache(out / RAW_FOLDER)
    with responses.lock(), temporary_folder() as folder:
        yield settings, responses, SharedStorage(folder)


def _json_client(
    source: str,
    settings: AppSettings,
    throttle: BucketRateLimiter | None,
    backoff: Backoff,
    stats: RequestStats,
) -> JsonClient:
    session = create_session(app.VERSION, str(settings.public_url) if settings.public_url else None)
    stats.count_responses(session)
    return JsonClient(source, session, throttle, backoff)


def _rate_limits(rate: float | None, settings: AppSettings) -> tuple[RateLimit, ...]:
    """Return the limits of requests; the usual limits unless they are switched off."""
    if rate is not None:
        return (RateLimit(1, 1 / rate),) if rate else ()
    return RATE_LIMITS["kitsu"] if settings.limits else ()


def _progress_logger(*, quiet: bool) -> Callable[[str], None]:
    """Says things on standard error, and not into the middle of a progress bar."""
    return (lambda _: None) if quiet else partial(tqdm.write, file=sys.stderr)


def _kitsu_to_mal(catalogue: pl.DataFrame | None) -> dict[int, int]:
    if catalogue is None or "kitsu_id" not in catalogue.columns:
        return {}
    ids = catalogue.select(pl.col("kitsu_id", "anime_id").cast(pl.Int64, strict=False)).drop_nulls()
    return dict(ids.iter_rows())


def _write_parquet(path: Path, frame: pl.DataFrame) -> None:
    write_atomically(path, frame.write_parquet)


def _write_report(out: Path, report: dict[str, Any]) -> None:
    text = render_report(report)
    write_text_atomically(out / "report.json", json.dumps(report, indent=2) + "\n")
    write_text_atomically(out / "report.txt", text)
