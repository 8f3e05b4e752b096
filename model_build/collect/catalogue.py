"""`catalogue`: the table of anime facts brought up to date, from files and from AniList."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import polars as pl
import requests

import app
from app.lists.http_client import user_agent
from model_build.collect.runner import complete_from_anilist
from model_build.data.anime_database import read_anime_database, update_catalogue
from model_build.data.catalogue import check_table_name, read_catalogue, write_table
from model_build.data.config import CatalogueConfig
from model_build.data.facts import add_tables, fill_ids
from model_build.data.id_mapping import read_id_mapping
from model_build.data.relations import add_relations, read_anime_relations
from model_build.data.watch_order import add_series
from model_build.util.errors import InputError
from model_build.util.storage import is_url
from model_build.util.temporary_folders import temporary_folder

PATIENCE = 1800
"""Seconds to wait for one answer while AniList asks for rest."""
CONNECT_SECONDS, READ_SECONDS = 10.0, 60.0
MAX_RELEASE_BYTES = 500_000_000
"""A release has 70 MB, 10 MB with zstd."""


def write_catalogue(config: CatalogueConfig) -> str:
    """Write the new table; returns what is new in it, for people."""
    check_table_name(config.out)
    before = read_catalogue(config.catalogue) if config.catalogue else None
    if config.database:
        after = update_catalogue(before, _read_from(config.database, read_anime_database))
    elif before is not None:
        after = before
    else:
        raise InputError("give --database, --catalogue or both: there is no table to begin with.")
    after = add_tables(
        after,
        facts=config.facts,
        names=config.names,
        relations=[path for path in config.relations if path.suffix.lower() != ".txt"],
        any_licence=config.any_licence,
    )
    if config.ids:
        after = fill_ids(after, _read_from(config.ids, read_id_mapping))
    for path in config.relations:
        if path.suffix.lower() == ".txt":
            after = add_relations(after, read_anime_relations(path, after))
    if config.anilist:
        answers = config.answers or config.out.with_suffix(".anilist")
        after = complete_from_anilist(after, answers, config.anilist, patience=PATIENCE)
    after = add_series(after)
    write_table(config.out, after)
    known = 0 if before is None else len(before)
    series = after.filter(after["franchise_id"].is_not_null())
    return (
        f"{len(after):,} anime, {len(after) - known:,} of them new; {len(series):,} in "
        f"{series['franchise_id'].n_unique():,} series, {series['is_inferred'].sum():,} of them by "
        f"their titles: {config.out}"
    )


def _read_from(location: str, read: Callable[[Path], pl.DataFrame]) -> pl.DataFrame:
    if not is_url(location):
        return read(Path(location))
    with temporary_folder() as folder:
        file = folder / (Path(urlsplit(location).path).name or "release.json")
        _download(location, file)
        return read(file)


def _download(url: str, file: Path) -> None:
    try:
        with (
            requests.get(
                url,
                headers={"User-Agent": user_agent(app.VERSION, None)},
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                stream=True,
            ) as response,
            file.open("wb") as out,
        ):
            response.raise_for_status()
            for block in response.iter_content(1 << 20):
                out.write(block)
                if out.tell() > MAX_RELEASE_BYTES:
                    raise InputError(f"{url}: is larger than what was asked for can be.")
    except requests.RequestException as error:
        raise InputError(
            f"{url}: could not be downloaded ({error}); try again later, or name a file."
        ) from None
