"""The inverted index of words, against looking through all anime."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.facets import Facet, slugify

WORDS = st.sampled_from(["Mecha", "mecha", "Slice of Life", "slice-of-life", "Été", "!!", "ア", ""])
COLUMN = st.lists(st.lists(WORDS, max_size=4), min_size=6, max_size=6)


@given(COLUMN, COLUMN)
def test_a_word_is_found_at_the_anime_that_have_it(
    genres: list[list[str]], themes: list[list[str]]
) -> None:
    columns = {"genres": genres, "themes": themes}
    facet = Facet.from_columns(columns, np.ones(6, np.int64))
    written = [
        (group, word) for group, column in columns.items() for words in column for word in words
    ]
    slugs = {slug for _, word in written if (slug := slugify(word))}
    assert facet.names.keys() == facet.groups.keys() == facet.row.keys() == slugs
    for slug in slugs:
        first = next((group, word) for group, word in written if slugify(word) == slug)
        assert (facet.groups[slug], facet.names[slug]) == first
        having = [
            at
            for at in range(6)
            if any(slugify(word) == slug for word in (*genres[at], *themes[at]))
        ]
        assert facet.positions(slug).tolist() == having
    times = [sum(slugify(word) == slug for _, word in written) for slug in facet.names]
    assert times == sorted(times, reverse=True)
    has_any = [any(map(slugify, (*genres[at], *themes[at]))) for at in range(6)]
    assert facet.is_offered == (sum(has_any) >= 3)
