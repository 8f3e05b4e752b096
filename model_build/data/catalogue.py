"""Reads a table of anime, and encodes it as the catalogue of a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from app.catalogue import COLUMN_DEFAULTS, Catalogue, serialize_catalogue
from app.pictures import shorten_picture_url, standard_picture_url
from app.recommender.array_types import Int32Array
from app.recommender.artifact import ArtifactError
from app.recommender.atomic_writes import write_atomically
from model_build.data.age_ratings import EXPLICIT_TAGS, rate_catalogue
from model_build.data.catalogue_columns import clean_columns
from model_build.data.labels import select_tags
from model_build.data.watch_order import ensure_series
from model_build.util.errors import InputError

ANIME_TYPE_NAMES = {
    "TV": "TV",
    "OVA": "OVA",
    "ONA": "ONA",
    "MOVIE": "Movie",
    "SPECIAL": "Special",
    "TV SPECIAL": "TV special",
    "MUSIC": "Music",
    "CM": "Commercial",
    "PV": "Trailer",
}
SOURCE_NAMES: dict[str | None, str | None] = {
    "4 Koma Manga": "4-koma Manga",
    "Book": "Novel",
    "Game": "Video Game",
    "Unknown": None,
}
"""Source material in one spelling."""
REQUIRED_COLUMNS = ("anime_id", "title")
PARQUET_SUFFIXES = (".parquet", ".pq")
TABLE_SUFFIXES = (".csv", *PARQUET_SUFFIXES)


def read_catalogue(path: Path) -> pl.DataFrame:
    """Read a CSV or Parquet table of anime, its columns as `clean_columns` leaves them."""
    frame = clean_columns(read_table(path, REQUIRED_COLUMNS, "a catalogue"), path)
    ids = frame["anime_id"]
    if ids.n_unique() < len(ids):
        twice = ids.filter(ids.is_duplicated())[0]
        raise InputError(f"{path}: anime_id {twice} stands there more than once.")
    return with_standard_pictures(frame)


def with_standard_pictures(frame: pl.DataFrame) -> pl.DataFrame:
    """Write the addresses of pictures as `standard_picture_url` does; none of other hosts stay."""
    if "picture" not in frame.columns:
        return frame
    urls = [standard_picture_url(url) for url in frame["picture"].to_list()]
    return frame.with_columns(pl.Series("picture", urls, pl.String))


def read_table(path: Path, required: Sequence[str], what: str) -> pl.DataFrame:
    """Read a CSV or Parquet table with the ``required`` columns; errors call it ``what``."""
    try:
        frame = (
            pl.read_parquet(path, glob=False)
            if path.suffix.lower() in PARQUET_SUFFIXES
            else pl.read_csv(path, infer_schema_length=None, glob=False)
        )
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: cannot be read as {what} ({reason}).") from None
    for name in required:
        if name not in frame.columns:
            raise InputError(
                f"{path}: column {name} is missing (found: {', '.join(frame.columns)})."
            )
    return frame


def check_table_name(path: Path) -> None:
    """Refuse a file to write whose name does not say which of `TABLE_SUFFIXES` it is to be."""
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise InputError(
            f"{path}: a table is written as CSV or Parquet; end its name in "
            f"{', '.join(TABLE_SUFFIXES[:-1])} or {TABLE_SUFFIXES[-1]}."
        )


def write_table(path: Path, frame: pl.DataFrame) -> None:
    """Write a table as its name says, so that `read_table` reads it again."""
    is_parquet = path.suffix.lower() in PARQUET_SUFFIXES
    try:
        write_atomically(path, frame.write_parquet if is_parquet else frame.write_csv)
    except pl.exceptions.ComputeError as error:  # lists, which no cell of a CSV can be
        raise InputError(f"{path}: cannot be written ({error}); name a .parquet file.") from None


def encode_catalogue(frame: pl.DataFrame | None, anime_ids: Int32Array) -> bytes:
    """Encode the catalogue of a model of ``anime_ids`` (n_items,); titles are ids without a table.

    Of the table the columns of `app.catalogue.COLUMN_DEFAULTS` are taken; its series are found
    where they were not before. What the app would not open is refused.
    """
    if frame is None:
        numbers = anime_ids.tolist()
        titles = [f"Anime {number}" for number in numbers]
        frame = pl.DataFrame({"anime_id": numbers, "title": titles})
    frame = ensure_series(frame).sort("anime_id")
    columns: dict[str, list[Any]] = {}
    for name, empty in COLUMN_DEFAULTS.items():
        column = frame[name] if name in frame.columns else pl.Series(name, [None] * len(frame))
        values = [None if isinstance(v, float) and v != v else v for v in column.to_list()]
        columns[name] = [empty if value is None else value for value in values]
    columns["type"] = [
        ANIME_TYPE_NAMES.get(str(kind).upper()) if kind else None for kind in columns["type"]
    ]
    rated = rate_catalogue(frame)
    columns["age_rating"] = [each.rating for each in rated]
    columns["rating_inferred"] = [int(each.is_inferred) for each in rated]
    columns["adult"] = [int(each.is_adult) for each in rated]
    columns["tags"] = [
        ";".join(select_tags(tags.split(";"), EXPLICIT_TAGS)) if tags else ""
        for tags in columns["tags"]
    ]
    for name in ("is_extra", "is_inferred"):
        columns[name] = [int(flag) for flag in columns[name]]
    columns["source"] = [SOURCE_NAMES.get(name, name) for name in columns["source"]]
    pictures = map(standard_picture_url, columns["picture"])
    columns["picture"] = [shorten_picture_url(url) if url else None for url in pictures]
    packed = serialize_catalogue(columns)
    try:
        Catalogue.parse(packed, "the table of anime")
    except ArtifactError as error:
        raise InputError(f"no model can have this catalogue: {error}") from None
    return packed
