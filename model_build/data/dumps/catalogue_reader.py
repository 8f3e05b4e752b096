"""Read a dump's catalogue file into the columns that a model's catalogue has."""

from __future__ import annotations

import html
from collections.abc import Mapping

import polars as pl

from app.catalogue import COLUMN_DEFAULTS
from model_build.data.dumps.formats import CATALOGUE_COLUMNS, DumpFormat
from model_build.data.dumps.source import CsvSource
from model_build.util.errors import InputError

YEAR_PATTERN = r"\b(19[0-9]{2}|20[0-9]{2})\b"
SEASON_PATTERN = r"\b(winter|spring|summer|fall)\b"
ADULT_RATING, ADULT_GENRE = "Rx", "Hentai"


def read_dump_catalogue(source: CsvSource, dump: DumpFormat) -> pl.DataFrame:
    """Read one row an anime, as `app.catalogue.COLUMN_DEFAULTS`; the first of each id counts."""
    with source.open_stream() as stream:
        data = stream.read()
    try:
        table = pl.read_csv(data, infer_schema=False)
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        words = str(error).strip().splitlines()[0]
        raise InputError(f"{source}: cannot be read as a catalogue ({words}).") from None
    frame = _cast_columns(_select_cells(table, dump.columns(table.columns)))
    frame = frame.filter(pl.col("anime_id") > 0, pl.col("title").is_not_null())
    if frame.is_empty():
        raise InputError(f"{source}: no row has an id and a title.")
    return frame.unique("anime_id", keep="first", maintain_order=True).sort("anime_id")


def _select_cells(table: pl.DataFrame, columns: Mapping[str, str]) -> pl.DataFrame:
    """Return the cells of each fact as text, null where nothing is known."""
    nothing = pl.lit(None, pl.String)
    return table.select(
        (_null_if_unknown(columns[name]) if name in columns else nothing).alias(name)
        for name in dict.fromkeys((*COLUMN_DEFAULTS, *CATALOGUE_COLUMNS.values()))
    )


def _null_if_unknown(column: str) -> pl.Expr:
    cell = pl.col(column).str.strip_chars()
    return pl.when(cell.str.to_lowercase().is_in(["", "unknown"])).then(None).otherwise(cell)


def _cast_columns(cells: pl.DataFrame) -> pl.DataFrame:
    def number(name: str) -> pl.Expr:
        return pl.col(name).cast(pl.Float64, strict=False)

    def whole(name: str) -> pl.Expr:
        return number(name).cast(pl.Int64, strict=False)

    def found(pattern: str, *names: str) -> pl.Expr:
        return pl.coalesce(pl.col(name).str.extract(pattern) for name in names)

    genres = pl.col("genres").str.replace_all(r"\s*,\s*", ";").fill_null("")
    adult = pl.col("age_rating").str.starts_with(ADULT_RATING).fill_null(False)
    return cells.select(
        whole("anime_id"),
        _unescape_html(cells["title"]),
        _unescape_html(cells["title_english"]),
        "type",
        whole("episodes"),
        pl.col("premiered").str.to_lowercase().str.extract(SEASON_PATTERN).alias("season"),
        found(YEAR_PATTERN, "premiered", "aired").cast(pl.Int64).alias("year"),
        genres.alias("genres"),
        number("mean"),
        whole("members"),
        "picture",
        "source",
        (adult | genres.str.contains(ADULT_GENRE, literal=True)).alias("adult"),
    )


def _unescape_html(titles: pl.Series) -> pl.Series:
    """Without entities such as ``&#039;``, which one of the dumps has in its titles."""
    return pl.Series(
        titles.name, [html.unescape(title) if title else None for title in titles], pl.String
    )
