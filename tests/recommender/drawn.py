"""Lists that Hypothesis draws."""

from __future__ import annotations

from hypothesis import strategies as st

from app.recommender import Model, UserList, WatchStatus

Entry = tuple[int, float | None, int]


def entry_lists(model: Model, most: int = 30) -> st.SearchStrategy[list[Entry]]:
    """Entries of a fan: known and unknown anime, each once, any score and status."""
    anime = st.one_of(st.sampled_from(model.anime_id.tolist()), st.integers(10**6, 10**6 + 50))
    score = st.one_of(st.none(), st.integers(2, 20).map(lambda half: half / 2))
    entry = st.tuples(anime, score, st.sampled_from([int(status) for status in WatchStatus]))
    return st.lists(entry, max_size=most, unique_by=lambda drawn: drawn[0])


def lists(model: Model, most: int = 30) -> st.SearchStrategy[UserList]:
    return st.builds(
        lambda entries, is_partial: UserList.from_entries(entries, is_partial=is_partial),
        entry_lists(model, most),
        st.booleans(),
    )
