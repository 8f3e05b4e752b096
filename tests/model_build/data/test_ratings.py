"""Ratings and list files: what is read from good ones, and what is said of bad ones."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from model_build.data.ratings import (
    Ratings,
    index_ratings,
    ratings_fingerprint,
    read_evaluation_ratings,
    read_ratings,
    read_user_list,
)
from model_build.util.errors import InputError
from tests.model_build.worlds import random_frame

HEADER = "user_id,anime_id,rating,status\n"
GOOD = HEADER + "1,10,7,2\n2,10,8,2\n2,20,0,6\n"


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def entries(ratings: Ratings) -> set[tuple[str, int, float, int]]:
    """What was read, without the numbering: (user, anime, rating, status)."""
    users = [str(user) for user in ratings.user_ids.to_list()]
    columns = (ratings.user, ratings.item, ratings.rating, ratings.status)
    return {
        (users[user], int(ratings.anime_ids[item]), rating, status)
        for user, item, rating, status in zip(*(c.tolist() for c in columns), strict=True)
    }


def test_every_kind_of_file_gives_the_same(tmp_path: Path) -> None:
    frame = random_frame(1, 30, 20, 0.4, step=0.25)
    text = frame.write_csv()
    frame.write_parquet(tmp_path / "ratings.parquet")
    read = [
        read_ratings([path])
        for path in (
            written(tmp_path / "ratings.csv", text),
            written(tmp_path / "ratings.csv.gz", gzip.compress(text.encode())),
            written(tmp_path / "windows.csv", "\ufeff" + text.replace("\n", "\r\n")),
            tmp_path / "ratings.parquet",
        )
    ]
    expected = {(str(user), *rest) for user, *rest in frame.iter_rows()}
    assert [entries(ratings) for ratings in read] == [expected] * len(read)
    assert len({ratings_fingerprint(ratings) for ratings in read}) == 1


def test_a_fingerprint_is_of_the_ratings_and_not_of_their_order() -> None:
    frame = random_frame(1, 12, 20, 0.4).cast({"anime_id": pl.Int32})
    whole = index_ratings(frame)
    # Models that were published know their ratings by this.
    in_order = hashlib.sha256("\n".join(map(str, range(1, 13))).encode())
    for array in (whole.anime_ids, whole.user, whole.item, whole.rating, whole.status):
        in_order.update(array.tobytes())
    as_they_come = np.random.default_rng(0).permutation(12).astype(np.int32)
    numbers = np.argsort(as_they_come).astype(np.int32)
    renumbered = replace(
        whole, user=numbers[whole.user], user_ids=whole.user_ids.gather(as_they_come)
    )
    same = (whole, index_ratings(frame.sample(fraction=1, shuffle=True, seed=2)), renumbered)
    assert {ratings_fingerprint(ratings) for ratings in same} == {in_order.hexdigest()}
    swapped = replace(whole, rating=whole.rating[::-1].copy())
    others = (swapped, index_ratings(frame[1:]), replace(whole, user_ids=whole.user_ids + 1))
    assert len({ratings_fingerprint(ratings) for ratings in (whole, *others)}) == 4


def test_indices_are_dense_and_ids_ascend(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "user_id,anime_id,rating\n9,500,1\n-3,7,10\n9,7,4.5\n")
    ratings = read_ratings([path])
    assert ratings.user_ids.to_list() == [-3, 9]
    assert ratings.anime_ids.tolist() == [7, 500]
    assert ratings.user.tolist() == [1, 0, 1]
    assert ratings.item.tolist() == [1, 0, 0]
    assert ratings.status.tolist() == [0, 0, 0]
    assert ratings.rating.tolist() == [1, 10, 4.5]
    kinds = [a.dtype for a in (ratings.user, ratings.item, ratings.rating, ratings.status)]
    assert kinds == [np.int32, np.int32, np.float64, np.int8]
    assert len(ratings) == 3


def test_minus_one_and_zero_both_mean_not_scored(tmp_path: Path) -> None:
    texts = [HEADER + f"1,10,7,2\n2,10,8,2\n2,20,{silent},4\n" for silent in ("0", "-1", "0.0")]
    read = [read_ratings([written(tmp_path / "a.csv", text)]) for text in texts]
    assert entries(read[0]) == entries(read[1]) == entries(read[2])
    assert read[1].rated_mask.tolist() == [True, True, False]


def test_order_of_columns_and_further_columns_do_not_matter(tmp_path: Path) -> None:
    plain = read_ratings([written(tmp_path / "a.csv", GOOD)])
    moved = "note,rating,status,user_id,when,anime_id\n"
    moved += "x,7,2,1,2021,10\n,8,2,2,oops,10\ny,0,6,2,,20\n"
    assert entries(read_ratings([written(tmp_path / "b.csv", moved)])) == entries(plain)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_year_of_a_list_is_kept_and_may_be_missing(tmp_path: Path, kind: str) -> None:
    rows = "user_id,anime_id,rating,collected\n1,10,7,2021\n2,10,8,\n2,20,0,2026\n"
    path = written(tmp_path / "a.csv", rows)
    if kind == "parquet":
        pl.read_csv(path).write_parquet(tmp_path / "a.parquet")
    assert read_ratings([tmp_path / f"a.{kind}"]).collected.tolist() == [2021, 0, 2026]
    assert read_ratings([written(tmp_path / "b.csv", GOOD)]).collected.tolist() == [0, 0, 0]


def test_users_may_have_names(tmp_path: Path) -> None:
    rows = "".join(f"{number},10,7,2\n" for number in range(300))  # a name only comes late
    ratings = read_ratings([written(tmp_path / "a.csv", HEADER + rows + "Ana-María,10,3,2\n")])
    assert ("Ana-María", 10, 3.0, 2) in entries(ratings)
    assert len(ratings.user_ids) == 301


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_names_of_digits_are_names(tmp_path: Path, kind: str) -> None:
    """As numbers, 7 and 007 would be one user."""
    frame = pl.DataFrame({"user_id": ["007", "7", "8"], "anime_id": [1, 1, 1], "rating": [7, 8, 9]})
    file = tmp_path / f"names.{kind}"
    getattr(frame, f"write_{kind}")(file)
    assert read_ratings([file]).user_ids.to_list() == ["007", "7", "8"]


def test_numbers_and_names_of_users_may_be_mixed_across_files(tmp_path: Path) -> None:
    numbers = written(tmp_path / "numbers.csv", HEADER + "1,10,7,2\n2,10,8,2\n")
    names = written(tmp_path / "names.csv", HEADER + "bob,10,5,2\n1,20,6,2\n")
    read = entries(read_ratings([numbers, names]))
    assert read == {("1", 10, 7, 2), ("2", 10, 8, 2), ("bob", 10, 5, 2), ("1", 20, 6, 2)}


def test_a_file_without_statuses_goes_with_one_that_has_them(tmp_path: Path) -> None:
    first = written(tmp_path / "a.csv", "user_id,anime_id,rating\n5,10,9\n")
    second = written(tmp_path / "b.csv", GOOD)
    assert ("5", 10, 9, 0) in entries(read_ratings([first, second]))


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("rating", "six", "'six'"),
        ("rating", "7;5", "'7;5'"),
        ("rating", "0.5", "0.5"),
        ("rating", "10.5", "10.5"),
        ("rating", "11", "11"),
        ("rating", "-2", "-2"),
        ("rating", "nan", "nan"),
        ("rating", "inf", "inf"),
        ("rating", "", "an empty cell"),
        ("anime_id", "1.5", "1.5"),
        ("anime_id", "0", "0"),
        ("anime_id", "-4", "-4"),
        ("anime_id", "99999999999", "99999999999"),
        ("anime_id", "Cowboy Bebop", "'Cowboy Bebop'"),
        ("anime_id", "", "an empty cell"),
        ("status", "5", "5"),
        ("status", "7", "7"),
        ("status", "completed", "'completed'"),
        ("status", "", "an empty cell"),
        ("user_id", "", "an empty cell"),
    ],
)
def test_a_bad_cell_is_named(tmp_path: Path, column: str, cell: str, said: str) -> None:
    values = {"user_id": "3", "anime_id": "20", "rating": "6", "status": "2", column: cell}
    path = written(tmp_path / "bad.csv", GOOD + ",".join(values.values()) + "\n4,20,6,2\n")
    for read in (lambda: read_ratings([path]), lambda: read_evaluation_ratings(path)):
        with pytest.raises(InputError) as caught:
            read()
        told = str(caught.value)
        assert told.startswith(f"{path}, row 5, column {column}: ")
        assert said in told
        assert "expected" in told


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("rating", [7.0, None]),
        ("rating", [7.0, float("nan")]),
        ("rating", [7.0, 11.0]),
        ("rating", ["7", "good"]),
        ("anime_id", [10.0, 10.5]),
        ("anime_id", [10, -1]),
        ("anime_id", [10, 2**40]),
        ("status", [2, 5]),
        ("user_id", [1, None]),
        ("user_id", [1.0, 2.5]),
    ],
)
def test_a_bad_value_in_parquet_is_named(tmp_path: Path, column: str, values: list[Any]) -> None:
    good = {"user_id": [1, 2], "anime_id": [10, 10], "rating": [7, 8], "status": [2, 2]}
    path = tmp_path / "bad.parquet"
    pl.DataFrame({**good, column: values}, strict=False).write_parquet(path)
    with pytest.raises(InputError) as caught:
        read_ratings([path])
    assert str(caught.value).startswith(f"{path}, row 2, column {column}: ")


@pytest.mark.parametrize("column", ["user_id", "anime_id", "rating"])
@pytest.mark.parametrize("values", [[[1], [2]], [{"a": 1}, {"a": 2}], [b"\xff", b"2"]])
def test_a_column_of_something_else_is_refused(
    tmp_path: Path, column: str, values: list[Any]
) -> None:
    good = {"user_id": [1, 2], "anime_id": [10, 10], "rating": [7, 8]}
    path = tmp_path / "bad.parquet"
    pl.DataFrame({**good, column: values}).write_parquet(path)
    with pytest.raises(InputError, match=column) as caught:
        read_ratings([path])
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("column", ["user_id", "anime_id", "rating"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_missing_column_is_named(tmp_path: Path, column: str, kind: str) -> None:
    frame = random_frame(1, 5, 5, 0.5).drop(column)
    path = tmp_path / f"bad.{kind}"
    (frame.write_csv if kind == "csv" else frame.write_parquet)(path)
    with pytest.raises(InputError, match=f"column {column} is missing") as caught:
        read_ratings([path])
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", "", "the file is empty"),
        ("header.csv", HEADER, "no rows"),
        ("user.csv", HEADER + "1,10,7,2\n1,20,8,2\n", "all rows are of one user"),
        ("silent.csv", HEADER + "1,10,0,2\n2,20,-1,2\n", "no row has a score"),
        ("wide.csv", HEADER + "1,10,7,2,9\n", "cannot be read"),
        ("latin.csv", (HEADER + "josé,10,7,2\n").encode("latin-1"), "cannot be read"),
        ("cut.csv.gz", gzip.compress(GOOD.encode(), mtime=0)[:-9], "not a readable CSV"),
        ("text.parquet", GOOD, "not a readable Parquet"),
        ("empty.parquet", "", "not a readable Parquet"),
    ],
)
def test_a_file_of_no_use_is_refused(
    tmp_path: Path, name: str, content: str | bytes, said: str
) -> None:
    path = written(tmp_path / name, content)
    with pytest.raises(InputError, match=said) as caught:
        read_ratings([path])
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["none.csv", "none.csv.gz", "none.parquet"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="no such file") as caught:
        read_ratings([tmp_path / name])
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("name", ["folder", "folder.parquet"])
@pytest.mark.parametrize("filled", [False, True])
def test_a_directory_is_refused(tmp_path: Path, name: str, filled: bool) -> None:
    folder = tmp_path / name
    folder.mkdir()
    if filled:
        written(folder / "good.csv", GOOD)
        random_frame(1, 5, 5, 0.5).write_parquet(folder / "good.parquet")
    with pytest.raises(InputError) as caught:
        read_ratings([folder])
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_brackets_and_stars_in_a_name_stand_for_themselves(tmp_path: Path, kind: str) -> None:
    for name in ("part1", "part[1]"):
        frame = pl.read_csv(GOOD.encode()).with_columns(rating=pl.lit(len(name)))
        path = tmp_path / f"{name}.{kind}"
        (frame.write_csv if kind == "csv" else frame.write_parquet)(path)
    assert set(read_ratings([tmp_path / f"part[1].{kind}"]).rating) == {7.0}
    with pytest.raises(InputError, match="no such file"):
        read_ratings([tmp_path / f"part*.{kind}"])


def test_an_anime_twice_on_a_list_is_named_with_both_places(tmp_path: Path) -> None:
    path = written(tmp_path / "twice.csv", GOOD + "1,20,3,2\n2,10,8,2\n")
    with pytest.raises(InputError, match="user_id 2 and anime_id 10") as caught:
        read_ratings([path])
    assert str(caught.value).startswith(f"{path}, row 6: ")
    assert f"{path}, row 3" in str(caught.value)


def test_an_anime_twice_across_files_is_named_with_both_files(tmp_path: Path) -> None:
    first = written(tmp_path / "a.csv", GOOD)
    second = tmp_path / "b.parquet"
    pl.DataFrame({"user_id": ["bob", "2"], "anime_id": [10, 20], "rating": [3, 4]}).write_parquet(
        second
    )
    with pytest.raises(InputError, match="user_id 2 and anime_id 20") as caught:
        read_ratings([first, second])
    assert str(caught.value).startswith(f"{second}, row 2: ")
    assert f"{first}, row 4" in str(caught.value)


def test_a_list_file_needs_no_user(tmp_path: Path) -> None:
    path = written(tmp_path / "list.csv", "rating,anime_id\n7,10\n-1,20\n")
    found = read_user_list(path)
    rows = zip(found.anime_id.tolist(), found.score.tolist(), found.status.tolist(), strict=True)
    assert list(rows) == [(10, 7.0, 0), (20, 0.0, 0)]


def test_a_list_file_names_an_anime_that_stands_there_twice(tmp_path: Path) -> None:
    path = written(tmp_path / "list.csv", "anime_id,rating\n10,7\n20,3\n10,7\n")
    with pytest.raises(InputError, match=r"row 4: anime_id 10 .* row 2"):
        read_user_list(path)
