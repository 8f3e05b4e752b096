"""DataFrames of pandas and polars, in and out: inside, everything is polars.

What comes in is checked as a file is; what goes out is of the library that came in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Literal, TypeVar

import narwhals as nw
import polars as pl

from app.recommender import UserList, WatchStatus
from model_build.data.ratings import check_ratings_frame, user_list_of_frame
from model_build.util.errors import InputError

T = TypeVar("T")
Library = Literal["pandas", "polars"]
LIBRARIES: tuple[Library, ...] = ("pandas", "polars")
STATUS_CODES = {status.slug: int(status) for status in WatchStatus}
SCORE_COLUMNS = ("score", "rating")


def default_library() -> Library:
    """Return pandas where it is installed, else polars."""
    return "pandas" if find_spec("pandas") else "polars"


def library_of(frame: object) -> Library:
    """Return whose DataFrame this is."""
    module = type(frame).__module__.partition(".")[0]
    for library in LIBRARIES:
        if module == library and type(frame).__name__ == "DataFrame":
            return library
    raise InputError(
        f"expected a DataFrame of {' or '.join(LIBRARIES)}, not {type(frame).__name__}."
    )


def to_frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], library: Library) -> Any:
    """Return rows as a DataFrame of a library; a value that a row does not have is missing."""
    table = {name: [row.get(name) for row in rows] for name in columns}
    return nw.from_dict(table, backend=library).to_native()


def read_list(frame: Any) -> UserList:
    """One user's entries, from columns ``anime_id``, ``score`` (or ``rating``) and ``status``."""
    return _checked(frame, ("anime_id",), user_list_of_frame)


def read_ratings_table(data: Any) -> pl.DataFrame:
    """Many users' entries, as `read_list` with a column ``user_id``, or from Surprise.

    A ``surprise.Dataset`` or ``Trainset`` has scores without statuses.
    """
    if type(data).__module__.partition(".")[0] == "surprise":
        return _check_ratings(_surprise_entries(data))
    return _checked(data, ("user_id", "anime_id"), _check_ratings)


def _check_ratings(table: pl.DataFrame) -> pl.DataFrame:
    if table.is_empty():
        raise InputError("there are no ratings in it, so there is nothing to learn.")
    return check_ratings_frame(table)


def _checked(frame: Any, keys: Sequence[str], check: Callable[[pl.DataFrame], T]) -> T:
    """Check the entries of a DataFrame; an error calls the column of scores what it calls it."""
    table, score = _entries(frame, keys)
    try:
        return check(table)
    except InputError as error:
        raise InputError(re.sub(r"\brating\b", score, str(error))) from None


@contextmanager
def _no_native_trouble() -> Iterator[None]:
    try:
        yield
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"the DataFrame cannot be read ({line}).") from None


def _entries(frame: Any, keys: Sequence[str]) -> tuple[pl.DataFrame, str]:
    """Return the columns of entries, with ``rating`` for scores and codes for statuses.

    Beside it stands what the DataFrame itself calls its scores.
    """
    if library_of(frame) == "pandas":
        for name in keys:
            if name in frame.index.names and name not in frame.columns:
                raise InputError(
                    f"the DataFrame has {name} as its index; make it a column by reset_index()."
                )
    with _no_native_trouble():
        # Only what is looked at: other columns may hold what no other library knows.
        names = ("user_id", "anime_id", *SCORE_COLUMNS, "status", "collected")
        native = nw.from_native(frame, eager_only=True)
        known = [name for name in names if name in native.columns]
        table: pl.DataFrame = native.select(*known).to_polars()
    given = [name for name in SCORE_COLUMNS if name in table.columns]
    if len(given) > 1:
        raise InputError("the DataFrame has both score and rating; drop one of them.")
    if given:
        table = table.rename({given[0]: "rating"})
        kind, score = table["rating"].dtype, pl.col("rating")
        with _no_native_trouble():
            if kind.is_numeric() or kind == pl.Null:
                table = table.with_columns(score.cast(pl.Float64).fill_nan(None).fill_null(0.0))
            elif not kind.is_nested():  # text, as which a column of objects comes
                table = table.with_columns(score.cast(pl.String).fill_null("0"))
    if "status" in table.columns:
        table = table.with_columns(_status_codes(table["status"]).alias("status"))
    return table, given[0] if given else SCORE_COLUMNS[0]


def _status_codes(status: pl.Series) -> pl.Series:
    """Return codes; words as MyAnimeList and the API write them are taken, too."""
    if status.dtype.is_numeric() or status.dtype == pl.Null:
        filled = status.fill_nan(None) if status.dtype.is_float() else status
        return filled.cast(pl.Float64).fill_null(0.0)
    words = status.cast(pl.String).str.strip_chars()
    slugs = words.str.to_lowercase().str.replace_all(r"[\s\-]+", "_").fill_null("unknown")
    codes = {slug: str(code) for slug, code in STATUS_CODES.items()}
    codes |= {"onhold": codes["on_hold"], "planned": codes["plan_to_watch"], "": "0"}
    return slugs.replace(codes)


def _surprise_entries(data: Any) -> pl.DataFrame:
    """Return the ratings of a ``Dataset`` or ``Trainset`` of Surprise by their own ids."""
    if hasattr(data, "raw_ratings"):
        rows = [row[:3] for row in data.raw_ratings]
    elif hasattr(data, "all_ratings"):
        rows = [
            (data.to_raw_uid(user), data.to_raw_iid(item), rating)
            for user, item, rating in data.all_ratings()
        ]
    else:
        raise InputError(
            f"expected a Dataset or a Trainset of Surprise, not {type(data).__name__}."
        )
    users, items, scores = zip(*rows, strict=True) if rows else ((), (), ())
    return pl.DataFrame(
        {
            "user_id": pl.Series([str(user) for user in users], dtype=pl.String),
            "anime_id": pl.Series([str(item) for item in items], dtype=pl.String),
            "rating": pl.Series(scores, dtype=pl.Float64),
        }
    )
