"""Finds anime by title: romanised or English, beginnings, any word order, typos forgiven."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable

from rapidfuzz import fuzz, process

from app.catalogue import Catalogue

LONGEST = 100
"""Letters of a search that are read."""

_APART = re.compile(r"[\W_]+")
_CUTOFF = 72.0
_CONTAINED, _BEGINS, _SAME = 90.0, 96.0, 106.0
_CANDIDATES = 200
# A title known to ten times as many fans makes up for this much likeness.
_FAME = 3.0


class TitleIndex:
    """The titles of a catalogue, ready to be searched."""

    def __init__(self, catalogue: Catalogue, anime_ids: Iterable[int]) -> None:
        ids = list(anime_ids)
        columns = [catalogue.column(name, ids) for name in ("title", "title_english", "members")]
        self._titles: list[str] = []
        self._ids: list[int] = []
        self._fame: list[float] = []
        for anime_id, romaji, english, members in zip(ids, *columns, strict=True):
            fame = _FAME * math.log10((members or 0) + 1)
            for title in dict.fromkeys((plain(romaji or ""), plain(english or ""))):
                if title:
                    self._titles.append(title)
                    self._ids.append(anime_id)
                    self._fame.append(fame)

    def search(self, text: str, limit: int) -> list[int]:
        """Ids of the anime that are meant, the likeliest first."""
        wanted = plain(text[:LONGEST])
        if not wanted:
            return []
        likeness = self._alike(wanted) | self._containing(wanted)
        best: dict[int, float] = {}
        for row, alike in likeness.items():
            anime_id, total = self._ids[row], alike + self._fame[row]
            best[anime_id] = max(total, best.get(anime_id, 0.0))
        return sorted(best, key=lambda anime_id: (-best[anime_id], anime_id))[:limit]

    def _alike(self, wanted: str) -> dict[int, float]:
        """How much titles are like the search, typos and word order forgiven."""
        found = process.extract(
            wanted,
            self._titles,
            scorer=fuzz.WRatio,
            score_cutoff=_CUTOFF,
            limit=_CANDIDATES,
        )
        # A title far shorter than the search is alike to some part of anything.
        return {row: float(score) for title, score, row in found if 2 * len(title) >= len(wanted)}

    def _containing(self, wanted: str) -> dict[int, float]:
        """Titles in which the search stands as it is, at the beginning of a word."""
        found: dict[int, float] = {}
        inside = f" {wanted}"
        for row, title in enumerate(self._titles):
            if title == wanted:
                found[row] = _SAME
            elif title.startswith(wanted):
                found[row] = _BEGINS
            elif inside in title:
                found[row] = _CONTAINED
        return found


def plain(text: str) -> str:
    """Letters and digits only, in one case, without accents, words parted by single blanks."""
    text = text.casefold()
    if not text.isascii():
        parts = unicodedata.normalize("NFKD", text)
        text = "".join(letter for letter in parts if not unicodedata.combining(letter))
    return _APART.sub(" ", text).strip()
