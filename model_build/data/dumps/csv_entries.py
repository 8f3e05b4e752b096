"""Stream the rows of a dump: CSV in, checked columns of numbers out, block by block.

pyarrow reads any stream (the member of a zip), keeps a few blocks in memory however long the file
is, and names the row that it cannot read. A row with an impossible value is dropped and counted; a
cell that is no number at all ends the reading: the file is not what it should be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from app.recommender.array_types import BoolArray, Int32Array, Int64Array
from app.recommender.watch_status import WatchStatus
from model_build.data.dumps.formats import RatingsFileFormat
from model_build.data.dumps.prepared import EntryArrays
from model_build.data.dumps.source import CsvSource, LastByteStream
from model_build.util.errors import InputError

CSV_BLOCK_BYTES = 4 << 20
MAX_ANIME_ID = (1 << 24) - 1
STATUS_CODES = np.array([int(status) for status in WatchStatus], np.int64)


@dataclass(slots=True)
class CleaningCounts:
    """What was read, and by reason entries and users dropped and entries repaired."""

    rows: int = 0
    entries: Counter[str] = field(default_factory=Counter)
    users: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)

    def add(self, other: CleaningCounts) -> None:
        """Add what was dropped of another part."""
        self.entries.update(other.entries)
        self.users.update(other.users)


def read_entry_blocks(
    source: CsvSource, file_format: RatingsFileFormat, user_ids: UserIdMap, counts: CleaningCounts
) -> Iterator[EntryArrays]:
    """Return the entries of a file, in its order; ``counts`` is added to on the way."""
    with source.open_stream() as stream:
        rows = _parquet_rows if source.is_parquet else _open_csv
        try:
            if source.is_parquet:
                user = pq.read_schema(source.path).field(file_format.user_column).type
                file_format = replace(file_format, users_by_name=_is_text(user))
            for batch in rows(stream, file_format):
                counts.rows += len(batch)
                yield _validated_block(batch, file_format, user_ids, counts)
        except (pa.ArrowInvalid, pa.ArrowKeyError, pa.ArrowNotImplementedError) as error:
            raise InputError(f"{source}: {_csv_error_message(error)}") from None
        if not source.is_parquet and stream.last_byte != b"\n":
            raise InputError(
                f"{source}, row {counts.rows + 1}: the last line has no end, so the file may "
                "be cut off; download it again, or end the line if nothing is missing."
            )


def _is_text(kind: Any) -> bool:
    """Whether a column of Parquet holds names: as numbers 7 and 007 would be one user."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _column_types(file_format: RatingsFileFormat) -> dict[str, Any]:
    user = pa.dictionary(pa.int32(), pa.string()) if file_format.users_by_name else pa.int64()
    types = {
        file_format.user_column: user,
        file_format.anime_column: pa.int64(),
        file_format.score_column: pa.float32(),
    }
    if file_format.status_column is not None:
        types[file_format.status_column] = pa.int64()
    return types


def _parquet_rows(stream: LastByteStream, file_format: RatingsFileFormat) -> Iterator[Any]:
    """Rows of a Parquet file, which has them in any types."""
    schema = pa.schema(list(_column_types(file_format).items()))
    # Parquet is read from its end, which no stream has: the file is small beside a dump.
    file = pq.ParquetFile(pa.BufferReader(stream.read()))
    for batch in file.iter_batches(columns=schema.names):
        yield pa.RecordBatch.from_arrays(
            [batch.column(name).cast(schema.field(name).type) for name in schema.names],
            schema=schema,
        )


def _open_csv(stream: LastByteStream, file_format: RatingsFileFormat) -> Any:
    return pa_csv.open_csv(
        pa.PythonFile(stream, mode="r"),
        # One thread is as fast, streaming, and only then rows are counted.
        read_options=pa_csv.ReadOptions(block_size=CSV_BLOCK_BYTES, use_threads=False),
        parse_options=pa_csv.ParseOptions(newlines_in_values=file_format.multiline_cells),
        convert_options=pa_csv.ConvertOptions(
            include_columns=list(file_format.columns), column_types=_column_types(file_format)
        ),
    )


def _csv_error_message(error: Exception) -> str:
    """One sentence from pyarrow's message, which has the row where it is known."""
    words = " ".join(str(error).split())
    if "UTF8" in words:
        return "a fan's name is not UTF-8 text, so encodings are mixed; convert the file to UTF-8."
    if words == "Empty CSV file":
        return "the file is empty; expected a header and rows."
    return f"cannot be read as the rows that its header announces ({words})."


def _validated_block(
    batch: Any, file_format: RatingsFileFormat, user_ids: UserIdMap, counts: CleaningCounts
) -> EntryArrays:
    """Drop the rows that cannot be used, one reason each, and repair stray codes.

    Half points round up.
    """
    columns = [batch.column(batch.schema.get_field_index(name)) for name in file_format.columns]
    user = columns[0]
    anime, rating = (pc.fill_null(c, 0).to_numpy(zero_copy_only=False) for c in columns[1:3])
    good = np.ones(len(batch), bool)

    def drop(why: str, wrong: BoolArray) -> None:
        counts.entries[why] += int((wrong & good).sum())
        good[wrong] = False

    drop("no fan", ~_has_user(user, named=file_format.users_by_name))
    drop("no anime, or an impossible number", (anime < 1) | (anime > MAX_ANIME_ID))
    rating = np.floor(rating + np.float32(0.5))
    drop("a score other than 1 to 10", ~((rating >= -1) & (rating <= 10)))
    status = _status_codes(columns[3] if len(columns) > 3 else None, file_format, good, counts)
    if not good.all():
        anime, rating, status = anime[good], rating[good], status[good]
        user = user.filter(pa.array(good))
    return EntryArrays(
        _map_users(user, user_ids, named=file_format.users_by_name),
        anime.astype(np.int32),
        np.maximum(rating, 0).astype(np.uint8),
        status.astype(np.uint8),
    )


def _has_user(column: Any, *, named: bool) -> BoolArray:
    known: BoolArray = pc.is_valid(column).to_numpy(zero_copy_only=False)
    if named:
        empty = pc.index(column.dictionary, "").as_py()
        if empty >= 0:
            known &= column.indices.to_numpy(zero_copy_only=False) != empty
    return known


def _map_users(column: Any, user_ids: UserIdMap, *, named: bool) -> Int32Array:
    if not named:
        return user_ids.map_array(column.to_numpy(zero_copy_only=False))
    number = user_ids.map_keys(column.dictionary.to_pylist())
    return np.asarray(number[column.indices.to_numpy(zero_copy_only=False)])


def _status_codes(
    column: Any, file_format: RatingsFileFormat, good: BoolArray, counts: CleaningCounts
) -> Int64Array:
    if column is None:
        return np.full(len(good), int(file_format.default_status), np.int64)
    status = pc.fill_null(column, 0).to_numpy(zero_copy_only=False)
    stray = ~np.isin(status, STATUS_CODES)
    if stray.any():
        counts.repaired["a stray status code, taken as not known"] += int((stray & good).sum())
        status = np.where(stray, int(WatchStatus.UNKNOWN), status)
    return np.asarray(status)


class UserIdMap:
    """Numbers users in the order in which they appear, from ``first`` on.

    The dump knows them by a number or a name; names are forgotten with this object. Memory grows
    with the users, not with their entries.
    """

    def __init__(self, first: int = 0) -> None:
        self._first = first
        self._user_id: dict[int | str, int] = {}

    def __len__(self) -> int:
        return len(self._user_id)

    def map_array(self, users: Int64Array) -> Int32Array:
        """Return the numbers of an array of users (n,)."""
        if not len(users):
            return np.empty(0, np.int32)
        # A user's rows are mostly adjacent: look up one of each run.
        heads = np.flatnonzero(np.concatenate([[True], users[1:] != users[:-1]]))
        runs = np.diff(np.append(heads, len(users)))
        distinct, first, inverse = np.unique(users[heads], return_index=True, return_inverse=True)
        appeared = np.argsort(first)
        number = np.empty(len(distinct), np.int32)
        number[appeared] = self.map_keys(distinct[appeared].tolist())
        return np.repeat(number[inverse], runs)

    def map_keys(self, users: Iterable[int | str]) -> Int32Array:
        """Return the numbers of a few users, in their order, (users,)."""
        known, first = self._user_id, self._first
        return np.array([known.setdefault(user, first + len(known)) for user in users], np.int32)
