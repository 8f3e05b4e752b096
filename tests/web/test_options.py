from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.recommender import Order
from app.web.options import MAX_TOP, BadQuery, Options, page_query, read_page_query

OPTIONS = st.builds(
    Options, top=st.integers(1, MAX_TOP), order=st.sampled_from(Order), adult=st.booleans()
)


@given(OPTIONS)
def test_an_address_says_all_and_no_more(options: Options) -> None:
    query = page_query(options)
    assert read_page_query(query) == options
    default = Options()
    changed = [n for n in Options.model_fields if getattr(options, n) != getattr(default, n)]
    assert len(query) == len(changed)


@given(st.dictionaries(st.sampled_from(["n", "order", "adult", "x"]), st.text(max_size=6)))
def test_any_query_is_read_or_refused(query: dict[str, str]) -> None:
    with suppress(BadQuery):
        assert 1 <= read_page_query(query).top <= MAX_TOP


def test_names_of_the_api_are_not_names_of_the_page() -> None:
    assert read_page_query({"top": "5"}) == Options()
    with pytest.raises(BadQuery, match="“n”"):
        read_page_query({"n": "five"})
