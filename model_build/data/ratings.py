"""Reading ratings and list files: CSV and Parquet in, checked columns out.

Every file is checked whole before anything is computed. The first error is reported with its file,
row and column; rows are counted as a spreadsheet shows them (in a CSV the header is row 1).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from polars.datatypes import DataTypeClass

from app.recommender import UserList
from app.recommender.array_types import BoolArray, Float64Array, Int8Array, Int16Array, Int32Array
from app.recommender.watch_status import WatchStatus
from model_build.data.dumps.prepared import (
    is_prepared_dataset,
    open_prepared_dataset,
    read_partitions,
)
from model_build.util.errors import InputError
from model_build.util.threads import available_cpus

ENTRY_SCHEMA: dict[str, DataTypeClass] = {
    "anime_id": pl.Int32,
    "rating": pl.Float64,
    "status": pl.Int8,
    "collected": pl.Int16,
}
OPTIONAL_COLUMNS = ("status", "collected")
STATUS_CODES = sorted(int(status) for status in WatchStatus)
DATA_FRAME = Path("the DataFrame")
"""Stands in messages for the file that entries came in; its rows are counted from 0."""
UNRATED_VALUES = (0.0, -1.0)
EXPECTED_VALUES = {
    "anime_id": "a whole number above 0",
    "rating": "1 to 10, or 0 or -1 for not scored",
    "status": "one of " + ", ".join(map(str, STATUS_CODES)),
    "collected": "a year",
    "user_id": "a number or a name",
}


@dataclass(frozen=True, slots=True)
class Ratings:
    """List entries of many users as parallel arrays (n_entries,).

    ``user`` and ``item`` are dense indices into ``user_ids`` and ``anime_ids`` (ascending);
    ``rating`` is 1 to 10, or 0 for "on the list, not scored"; ``status`` is a `WatchStatus`.
    ``collected`` is the year in which the list was read, 0 where nobody knows.
    """

    user: Int32Array
    item: Int32Array
    rating: Float64Array
    status: Int8Array
    user_ids: pl.Series
    anime_ids: Int32Array
    collected: Int16Array

    @property
    def rated_mask(self) -> BoolArray:
        """True for the entries that carry a score, (entries,)."""
        return self.rating > 0

    @property
    def user_collected(self) -> Int16Array:
        """The year in which each user's list was read, 0 where nobody knows, (users,)."""
        year = np.zeros(len(self.user_ids), np.int16)
        np.maximum.at(year, self.user, self.collected)
        return year

    def __len__(self) -> int:
        return len(self.rating)


def read_ratings(paths: Sequence[Path]) -> Ratings:
    """Read files of ``user_id, anime_id, rating[, status, collected]`` into one set of ratings.

    Or one folder that ``prepare`` wrote.
    """
    folders = [path for path in paths if is_prepared_dataset(path)]
    if folders and len(paths) > 1:
        raise InputError(
            f"{folders[0]}: prepared ratings are read alone; name nothing beside them."
        )
    ratings = (
        _read_prepared_ratings(folders[0]) if folders else index_ratings(read_ratings_frame(paths))
    )
    names = ", ".join(path.name for path in paths)
    if len(ratings.user_ids) < 2:
        raise InputError(f"{names}: all rows are of one user; a model needs at least two.")
    if not ratings.rated_mask.any():
        raise InputError(f"{names}: no row has a score from 1 to 10, so there is nothing to learn.")
    return ratings


def _read_prepared_ratings(folder: Path) -> Ratings:
    """Copy partitions into arrays of their final size, one after the other."""
    prepared = open_prepared_dataset(folder)
    rows = sum(partition.rows for partition in prepared.partitions)
    user, item = np.empty(rows, np.int32), np.empty(rows, np.int32)
    rating, status = np.empty(rows), np.empty(rows, np.int8)
    user_ids: list[Int32Array] = []
    first = n_users = 0
    for part in read_partitions(folder, prepared, available_cpus()):
        rows_of_part = slice(first, first + len(part))
        new = np.concatenate([[True], part.user_id[1:] != part.user_id[:-1]])
        user[rows_of_part] = n_users - 1 + np.cumsum(new)
        item[rows_of_part] = part.anime_id
        rating[rows_of_part], status[rows_of_part] = part.rating, part.status
        user_ids.append(part.user_id[new])
        first, n_users = first + len(part), n_users + len(user_ids[-1])
    listed = np.zeros(int(item.max(initial=0)) + 1, bool)
    listed[item] = True
    anime_ids = np.flatnonzero(listed).astype(np.int32)
    dense_index = np.cumsum(listed, dtype=np.int32) - 1
    np.take(dense_index, item, out=item)
    ids = np.concatenate([np.empty(0, np.int32), *user_ids])
    collected = np.zeros(rows, np.int16)
    return Ratings(user, item, rating, status, pl.Series(ids), anime_ids, collected)


def read_evaluation_ratings(path: Path) -> Ratings:
    """Read a file of many users' entries for evaluation, where one user or no scores will do."""
    return index_ratings(read_ratings_frame([path]))


def read_ratings_frame(paths: Sequence[Path]) -> pl.DataFrame:
    """Read files of many users' entries, concatenated; scores are not needed."""
    return _read_frames(paths, keys=("user_id", "anime_id"))


def read_user_list(path: Path) -> UserList:
    """Read one user's list: ``anime_id, rating[, status]`` (columns as in a ratings file)."""
    return _to_user_list(_read_frames([path], keys=("anime_id",)))


def check_ratings_frame(frame: pl.DataFrame) -> pl.DataFrame:
    """Check rows of ``user_id, anime_id, rating[, status, collected]`` as a file of them is."""
    checked = _check_frame(frame, ("user_id", "anime_id"))
    if checked["user_id"].n_unique() < 2:
        raise InputError(f"{DATA_FRAME}: all rows are of one user; a model needs at least two.")
    return checked


def user_list_of_frame(frame: pl.DataFrame) -> UserList:
    """Check one user's rows of ``anime_id, rating[, status]``, as a list; there may be none."""
    return _to_user_list(_check_frame(frame, ("anime_id",)))


def _to_user_list(entries: pl.DataFrame) -> UserList:
    return UserList(
        entries["anime_id"].to_numpy().astype(np.int64),
        entries["rating"].to_numpy(),
        entries["status"].to_numpy(),
    )


def _check_frame(frame: pl.DataFrame, keys: tuple[str, ...]) -> pl.DataFrame:
    wanted = _wanted_columns(DATA_FRAME, frame.columns, keys)
    checked = _validated(DATA_FRAME, frame.select(wanted), keys)
    _validate_unique(checked, [checked], [DATA_FRAME], keys)
    return checked


def ratings_fingerprint(ratings: Ratings) -> str:
    """Return a sha256 of the ratings themselves, whatever kind of file they came in.

    Entries count in the order of users' ids and of anime, so the order of rows does not.
    """
    user_ids, user, item = ratings.user_ids, ratings.user, ratings.item
    if not user_ids.is_sorted():  # prepared ratings number users as they come
        rank = user_ids.rank("ordinal").cast(pl.Int32).to_numpy() - 1
        user_ids, user = user_ids.sort(), rank[user].astype(np.int32)
    ascends = (user[1:] > user[:-1]) | ((user[1:] == user[:-1]) & (item[1:] > item[:-1]))
    # Most files are in this order, and sorting 100 million rows takes memory and minutes.
    order = slice(None) if ascends.all() else np.lexsort((item, user))
    digest = hashlib.sha256()
    digest.update("\n".join(map(str, user_ids.to_list())).encode())
    digest.update(np.ascontiguousarray(ratings.anime_ids).data)
    for column in (user, item, ratings.rating, ratings.status):
        digest.update(np.ascontiguousarray(column[order]).data)
    return digest.hexdigest()


def dataset_fingerprint(paths: Sequence[Path], ratings: Ratings | None = None) -> str:
    """Return what a manifest calls the ratings in files, or in a folder that `prepare` wrote."""
    if is_prepared_dataset(paths[0]):
        return open_prepared_dataset(paths[0]).fingerprint()
    return ratings_fingerprint(read_ratings(paths) if ratings is None else ratings)


def index_ratings(frame: pl.DataFrame) -> Ratings:
    """Index checked rows of ``user_id, anime_id, rating, status[, collected]``, in their order."""

    def dense_codes(column: str) -> Int32Array:
        return (frame[column].rank("dense") - 1).cast(pl.Int32).to_numpy()

    return Ratings(
        user=dense_codes("user_id"),
        item=dense_codes("anime_id"),
        rating=frame["rating"].to_numpy(),
        status=frame["status"].to_numpy(),
        user_ids=frame["user_id"].unique().sort(),
        anime_ids=frame["anime_id"].unique().sort().to_numpy(),
        collected=(
            frame["collected"].to_numpy()
            if "collected" in frame.columns
            else np.zeros(len(frame), np.int16)
        ),
    )


def _read_frames(paths: Sequence[Path], keys: tuple[str, ...]) -> pl.DataFrame:
    frames = [_read_validated(path, keys) for path in paths]
    if len({frame["user_id"].dtype for frame in frames if "user_id" in frame.columns}) > 1:
        frames = [frame.with_columns(pl.col("user_id").cast(pl.String)) for frame in frames]
    frame = pl.concat(frames)
    _validate_unique(frame, frames, paths, keys)
    return frame


def _read_validated(path: Path, keys: tuple[str, ...]) -> pl.DataFrame:
    frame = _read_columns(path, _wanted_columns(path, _column_names(path), keys))
    if frame.is_empty():
        raise InputError(f"{path}: the file has no rows below its header.")
    return _validated(path, frame, keys)


def _wanted_columns(path: Path, columns: Sequence[str], keys: tuple[str, ...]) -> list[str]:
    required = [*keys, "rating"]
    missing = [name for name in required if name not in columns]
    if missing:
        raise InputError(
            f"{path}: column {', '.join(missing)} is missing (found: {', '.join(columns)}); "
            f"expected {', '.join(required)} and optionally {' and '.join(OPTIONAL_COLUMNS)}."
        )
    return [*required, *(name for name in OPTIONAL_COLUMNS if name in columns)]


def _validated(path: Path, frame: pl.DataFrame, keys: tuple[str, ...]) -> pl.DataFrame:
    """Rows of a file, or of `DATA_FRAME`, cast and checked; optional columns are filled."""
    optional = [name for name in OPTIONAL_COLUMNS if name in frame.columns]
    frame = _cast_columns(path, frame)
    frame = frame.with_columns(
        pl.lit(0, dtype=ENTRY_SCHEMA[name]).alias(name)
        for name in OPTIONAL_COLUMNS
        if name not in optional
    )
    _validate_ranges(path, frame)
    return frame.with_columns(
        pl.when(pl.col("rating") > 0).then(pl.col("rating")).otherwise(0.0).alias("rating")
    ).select([*keys, "rating", *OPTIONAL_COLUMNS])


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() in {".parquet", ".pq"}


def _column_names(path: Path) -> list[str]:
    try:
        if _is_parquet(path):
            return list(pl.scan_parquet(path, glob=False).collect_schema())
        return pl.read_csv(path, n_rows=0, infer_schema=False, glob=False).columns
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except pl.exceptions.NoDataError:
        raise InputError(
            f"{path}: the file is empty; expected a header and at least one row."
        ) from None
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        kind = "Parquet" if _is_parquet(path) else "CSV"
        raise InputError(
            f"{path}: not a readable {kind} file ({_first_error_line(error)})."
        ) from None


def _read_columns(path: Path, wanted: list[str]) -> pl.DataFrame:
    try:
        if _is_parquet(path):
            return pl.read_parquet(path, columns=wanted, glob=False)
        types = {name: kind for name, kind in ENTRY_SCHEMA.items() if name in wanted}
        try:
            frame = pl.read_csv(path, columns=wanted, schema_overrides=types, glob=False)
            if "user_id" not in frame.columns or not frame["user_id"].dtype.is_integer():
                return frame
            as_text = pl.read_csv(path, columns=["user_id"], infer_schema=False, glob=False)
            return frame.with_columns(as_text) if _has_leading_zeros(as_text["user_id"]) else frame
        except pl.exceptions.ComputeError:
            # Some cell does not fit: read text, so that _cast_columns can name the row.
            return pl.read_csv(path, columns=wanted, infer_schema=False, glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{path}: cannot be read ({_first_error_line(error)}).") from None


def _cast_columns(path: Path, frame: pl.DataFrame) -> pl.DataFrame:
    """Cast to the column types; a cell that does not fit is named."""
    for name in frame.columns:
        column = frame[name]
        if column.dtype.is_nested() or column.dtype == pl.Binary:
            raise InputError(
                f"{path}, column {name}: holds {column.dtype} where {EXPECTED_VALUES[name]} was "
                "expected."
            )
        kind = ENTRY_SCHEMA.get(name) or _user_id_type(column)
        cast = column.str.strip_chars() if column.dtype == pl.String else column
        cast = cast.cast(kind, strict=False)
        if column.dtype.is_float() and kind.is_integer():
            cast = cast.set(column != column.floor(), None)  # 3.7 is no id
        if name == "collected":
            cast = cast.set(column.is_null() | (column.cast(pl.String) == ""), 0)
        bad = cast.is_null()
        if bad.any():
            row = int(bad.arg_max() or 0)
            raise InputError(
                f"{_row_location(path, row)}, column {name}: {_format_cell(column[row])} where "
                f"{EXPECTED_VALUES[name]} was expected."
            )
        frame = frame.with_columns(cast.alias(name))
    return frame


def _user_id_type(column: pl.Series) -> DataTypeClass:
    if column.dtype.is_numeric():
        return pl.Int64
    text = column.cast(pl.String)
    numeric = text.cast(pl.Int64, strict=False)
    is_number = numeric.null_count() == column.null_count() and not _has_leading_zeros(text)
    return pl.Int64 if is_number else pl.String


def _has_leading_zeros(text: pl.Series) -> bool:
    """Whether these are names: as numbers 7 and 007 would be the same."""
    return bool(text.str.contains(r"^\s*[+-]?0[0-9]").any())


def _validate_ranges(path: Path, frame: pl.DataFrame) -> None:
    rating = pl.col("rating")
    allowed = {
        "anime_id": pl.col("anime_id") > 0,
        "rating": rating.is_between(1, 10) | rating.is_in(UNRATED_VALUES),
        "status": pl.col("status").is_in(STATUS_CODES),
        "collected": pl.col("collected") >= 0,
    }
    for name, condition in allowed.items():
        wrong = frame.select((~condition).alias("wrong"))["wrong"]
        if wrong.any():
            row = int(wrong.arg_max() or 0)
            raise InputError(
                f"{_row_location(path, row)}, column {name}: {_format_cell(frame[name][row])} is "
                f"out of range; expected {EXPECTED_VALUES[name]}."
            )


def _validate_unique(
    frame: pl.DataFrame,
    frames: Sequence[pl.DataFrame],
    paths: Sequence[Path],
    keys: tuple[str, ...],
) -> None:
    if frame.select(pl.struct(keys).n_unique()).item() == len(frame):
        return
    numbered = frame.select(keys).with_row_index("row")
    repeats = numbered.filter(pl.struct(keys).is_duplicated())
    later = repeats.filter(~pl.struct(keys).is_first_distinct()).row(0, named=True)
    first = repeats.filter(pl.all_horizontal(pl.col(key) == later[key] for key in keys))["row"][0]

    def row_location(row: int) -> str:
        for path, part in zip(paths, frames, strict=True):
            if row < len(part):
                return _row_location(path, row)
            row -= len(part)
        raise AssertionError("row beyond the last file")

    what = " and ".join(f"{key} {later[key]}" for key in keys)
    raise InputError(
        f"{row_location(later['row'])}: {what} stand there again, first in {row_location(first)}; "
        "expected each anime once a fan."
    )


def _row_location(path: Path, row: int) -> str:
    if path is DATA_FRAME:
        return f"{path}, row {row}"
    return f"{path}, row {row + (1 if _is_parquet(path) else 2)}"


def _format_cell(value: object) -> str:
    return "an empty cell" if value is None else repr(value)


def _first_error_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
