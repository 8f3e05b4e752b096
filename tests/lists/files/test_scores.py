from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.lists.files.scores import decide_scale, parse_score, to_ten

ANY = (100, 10, 5, 3)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (8, (8.0, None)),
        ("8", (8.0, None)),
        ("7,5", (7.5, None)),
        (" 8 / 10 ", (8.0, 10)),
        ("80 %", (80.0, 100)),
        ("★★★★☆", (4.0, 5)),
        ("★★★½", (3.5, 5)),
        ("★★★★★★★☆☆☆", (7.0, 10)),
        (":)", (3.0, 3)),
        ("🙁", (1.0, 3)),
        *(
            (nothing, None)
            for nothing in (None, 0, "0", "", "-", "x", -3, True, float("inf"), 10**400, "٧")
        ),
    ],
)
def test_scores_are_read_as_sites_write_them(written: object, read: object) -> None:
    assert parse_score(written) == read


def decided(values: list[float], tops: tuple[int, ...] = ANY) -> int:
    return decide_scale([(value, None) for value in values], tops)


def test_the_file_decides_the_scale() -> None:
    assert decided([90, 75, 9, 60]) == 100
    assert decided([9, 8, 7.5]) == 10
    assert decided([5, 4.5, 3] * 4) == 5
    assert decided([5, 4.5, 3]) == 10  # too few to tell
    assert decided([4, 3, 2] * 4) == 10  # nobody gave the best
    assert decided([3, 2, 1] * 4) == 3
    assert decided([9, 8, 70], (10, 100)) == 10  # a slip
    assert decided([80, 85, 70, 9], (10, 100)) == 100
    assert decided([]) == 100
    assert decide_scale([(4.0, 5), (3.0, 5), (9.0, None)], ANY) == 5
    assert decided([90.0], (10,)) == 10


def test_scales_are_brought_to_ten() -> None:
    assert to_ten((85.0, None), 100) == 8.5
    assert to_ten((3.0, None), 100) == 1.0
    assert to_ten((17.0, None), 20) == 8.5
    assert to_ten((4.5, None), 5) == 9.0
    assert [to_ten((float(n), None), 3) for n in (1, 2, 3)] == [3.5, 6.0, 8.5]
    assert to_ten((11.0, None), 10) is None
    assert to_ten(None, 10) is None


@given(st.lists(st.floats(0.01, 100), max_size=30), st.sampled_from([ANY, (10, 100), (5,), (20,)]))
def test_one_scale_for_all_rows_keeps_their_order(
    values: list[float], tops: tuple[int, ...]
) -> None:
    top = decided(values, tops)
    assert top in tops or top == 10
    known = sorted((value, to_ten((value, None), top)) for value in values if value <= top)
    scored = [score for _, score in known if score is not None]
    assert scored == sorted(scored)
    assert all(1 <= score <= 10 for score in scored)
