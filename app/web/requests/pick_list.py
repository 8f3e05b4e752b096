"""Picks: a short list made by hand, kept in an address and nowhere else.

``1-9.19-10.20-0`` is anime 1 with score 9, anime 19 with score 10, and anime 20 without a score.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from app.catalogue import Catalogue
from app.lists.entry import AnimeList, ListEntry
from app.recommender import WatchStatus
from app.translation import gettext
from app.web.requests.values import InvalidQuery

PICKS_SLUG = "picks"
MAX_PICKS = 200
"""More would not fit into an address everywhere."""

_PICK_PATTERN = re.compile(r"([1-9][0-9]{0,8})-(10|[0-9])")


def parse_picks(text: str) -> dict[int, int]:
    """Read scores by anime id, 0 for none. Raises InvalidQuery: the text is not a list of picks."""
    picks: dict[int, int] = {}
    for part in text.split(".") if text else ():
        found = _PICK_PATTERN.fullmatch(part)
        if found is None:
            raise InvalidQuery(
                "picks", gettext("The picks in this address are damaged: start over.")
            )
        picks[int(found[1])] = int(found[2])
    return _check_count(picks)


def add_pick(
    picks: Mapping[int, int], catalogue: Catalogue, anime_id: str, score: str
) -> dict[int, int]:
    """Add a pick as it stands in an address.

    Raises InvalidQuery: Hakken does not know the anime, the score is none, or there are too many
    picks.
    """
    if not (_is_number(anime_id) and int(anime_id) in catalogue):
        raise InvalidQuery(
            "add", gettext("“add” should be the number of an anime that Hakken knows.")
        )
    if not (_is_number(score) and int(score) <= 10):
        raise InvalidQuery(
            "score", gettext("“score” should be a whole number from 1 to 10, or 0 for none.")
        )
    return _check_count({**picks, int(anime_id): int(score)})


def add_tapped_picks(
    picks: Mapping[int, int], catalogue: Catalogue, arguments: Mapping[str, str]
) -> dict[int, int]:
    """Add what was tapped on a wall of posters: ``t5=9`` is a 9 for anime 5.

    What is no number, or of no anime that Hakken knows, is left alone: there is no such poster.
    Raises InvalidQuery: there are too many picks.
    """
    found = dict(picks)
    for name, score in arguments.items():
        tapped = _PICK_PATTERN.fullmatch(f"{name.removeprefix('t')}-{score}")
        if name.startswith("t") and tapped and int(tapped[1]) in catalogue:
            found[int(tapped[1])] = int(score)
    return _check_count(found)


def format_picks(picks: Mapping[int, int]) -> str:
    """Write the picks as `parse_picks` reads them."""
    return ".".join(f"{anime_id}-{score}" for anime_id, score in picks.items())


def picks_to_anime_list(picks: Mapping[int, int]) -> AnimeList:
    """Turn the picks into a list."""
    entries = tuple(
        ListEntry(anime_id, WatchStatus.COMPLETED, float(score) or None)
        for anime_id, score in picks.items()
    )
    return AnimeList(PICKS_SLUG, None, entries, is_partial=True)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _check_count(picks: dict[int, int]) -> dict[int, int]:
    if len(picks) > MAX_PICKS:
        raise InvalidQuery(
            "picks",
            gettext("Up to %(count)s picks fit into an address: remove some.", count=MAX_PICKS),
        )
    return picks
