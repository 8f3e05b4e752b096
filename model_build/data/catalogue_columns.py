"""The columns of a table of anime: each as one type, whatever the file had, and within its range.

A table may come from anywhere. What is wrong in it is told by file, row, column and value, before
anything is made of it: later it would be a traceback, or a model that no server opens.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import polars as pl

from model_build.data.relations import decode_relations
from model_build.util.errors import InputError


class _Range(NamedTuple):
    low: int
    high: int
    kind: pl.DataType | type[pl.DataType] = pl.Int64

    def describe(self) -> str:
        if self.kind == pl.Boolean:
            return "true or false"
        what = "numbers" if self.kind == pl.Float64 else "whole numbers"
        end = f"{self.high:,}" if self.high == _MOST else str(self.high)
        return f"{what} from {self.low} to {end}"


_MOST = 2**31 - 1
_ID, _COUNT, _FLAG = _Range(1, _MOST), _Range(0, _MOST), _Range(0, 1, pl.Boolean)
_RANGES = {
    **dict.fromkeys(("anime_id", "anilist_id", "kitsu_id", "tvdb_id", "relation_id"), _ID),
    **dict.fromkeys(("episodes", "members", "scored_by", "watch_order"), _COUNT),
    **dict.fromkeys(("franchise_id", "franchise_hint"), _Range(-_MOST, _MOST)),
    **dict.fromkeys(("adult", "rating_inferred", "is_extra", "is_inferred"), _FLAG),
    "year": _Range(1000, 9999),
    "mean": _Range(0, 10, pl.Float64),
}
_TEXTS = {
    *("title", "title_english", "title_native", "synonyms", "type", "season", "genres", "themes"),
    *("demographics", "tags", "studios", "age_rating", "picture", "source", "relation_kind"),
    "relations",
}
_NEVER_EMPTY = {"anime_id", "title"}
_NUMBER_WORDS: dict[str, str | None] = {"": None, "unknown": None, "?": None}
"""What tables say in place of a number; dumps write so where nobody knows one."""
_FLAG_WORDS = {**_NUMBER_WORDS, "true": "1", "false": "0"}


def clean_columns(frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Cast the columns that Hakken reads; others stay as they are. Errors name ``path``."""
    cleaned = []
    for column in frame:
        bounds = _RANGES.get(column.name)
        if bounds is None and column.name not in _TEXTS:
            continue
        if column.dtype.is_nested():
            _refuse(column, column.is_not_null(), bounds.describe() if bounds else "text", path)
            column = pl.Series(column.name, [None] * len(column), pl.String)
        cleaned.append(_read_numbers(column, bounds, path) if bounds else _read_texts(column, path))
    known = frame.with_columns(cleaned)
    if "relations" in frame.columns:
        for anime_id, text in known.select("anime_id", "relations").iter_rows():
            try:
                decode_relations(anime_id, text)
            except InputError as error:
                raise InputError(f"{path}: {error}") from None
    return known


def _read_numbers(column: pl.Series, bounds: _Range, path: Path) -> pl.Series:
    given = column.fill_nan(None) if column.dtype.is_float() else column
    if column.dtype == pl.String:
        words = column.str.strip_chars().str.to_lowercase()
        given = words.replace(_FLAG_WORDS if bounds.kind == pl.Boolean else _NUMBER_WORDS)
    numbers = given.cast(pl.Float64, strict=False)
    fits = numbers.is_between(bounds.low, bounds.high).fill_null(value=False)
    if bounds.kind != pl.Float64:
        fits &= (numbers == numbers.round()).fill_null(value=False)
    may_be_empty = column.name not in _NEVER_EMPTY
    _refuse(column, ~fits & given.is_not_null() if may_be_empty else ~fits, bounds.describe(), path)
    return numbers.cast(bounds.kind)


def _read_texts(column: pl.Series, path: Path) -> pl.Series:
    texts = column.cast(pl.String, strict=False)
    if column.name in _NEVER_EMPTY:
        _refuse(column, texts.str.strip_chars().fill_null("") == "", "text", path)
    return texts


def _refuse(column: pl.Series, wrong: pl.Series, expected: str, path: Path) -> None:
    """Raise an error about the first row that is ``wrong``, if one is."""
    if not wrong.any():
        return
    at = wrong.arg_true()[0]
    found = column.to_list()[at]
    shown = "nothing" if found is None or found == "" else repr(found)[:60]
    raise InputError(
        f"{path}: row {at + 1}: column {column.name} must hold {expected}, not {shown}."
    )
