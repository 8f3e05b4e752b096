"""Finds anime by title: romanised or English, beginnings, any word order, typos forgiven."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable

from rapidfuzz import fuzz, process

from app.catalogue import Catalogue

MAX_QUERY_LENGTH = 100
"""Letters of a search that are read."""

_NON_WORD = re.compile(r"[\W_]+")
_MIN_FUZZY_SCORE = 72.0
_WORD_START_SCORE, _PREFIX_SCORE, _EXACT_SCORE = 90.0, 96.0, 106.0
_MAX_CANDIDATES = 200
# A title known to ten times as many fans makes up for this much likeness.
_POPULARITY_WEIGHT = 3.0


class TitleIndex:
    """The titles of a catalogue, ready to be searched."""

    def __init__(self, catalogue: Catalogue, anime_ids: Iterable[int]) -> None:
        ids = list(anime_ids)
        columns = [
            catalogue.column_values(name, ids) for name in ("title", "title_english", "members")
        ]
        self._titles: list[str] = []
        self._ids: list[int] = []
        self._popularity_bonus: list[float] = []
        for anime_id, romaji, english, members in zip(ids, *columns, strict=True):
            popularity_bonus = _POPULARITY_WEIGHT * math.log10((members or 0) + 1)
            for title in dict.fromkeys(
                (normalize_text(romaji or ""), normalize_text(english or ""))
            ):
                if title:
                    self._titles.append(title)
                    self._ids.append(anime_id)
                    self._popularity_bonus.append(popularity_bonus)

    def search(self, query: str, limit: int) -> list[int]:
        """Ids of the anime that are meant, the likeliest first."""
        normalized = normalize_text(query[:MAX_QUERY_LENGTH])
        if not normalized:
            return []
        similarity = self._fuzzy_matches(normalized) | self._literal_matches(normalized)
        best: dict[int, float] = {}
        for row, match_score in similarity.items():
            anime_id, total = self._ids[row], match_score + self._popularity_bonus[row]
            best[anime_id] = max(total, best.get(anime_id, 0.0))
        return sorted(best, key=lambda anime_id: (-best[anime_id], anime_id))[:limit]

    def _fuzzy_matches(self, query: str) -> dict[int, float]:
        """How much titles are like the search, typos and word order forgiven."""
        found = process.extract(
            query,
            self._titles,
            scorer=fuzz.WRatio,
            score_cutoff=_MIN_FUZZY_SCORE,
            limit=_MAX_CANDIDATES,
        )
        # A title far shorter than the search is alike to some part of anything.
        return {row: float(score) for title, score, row in found if 2 * len(title) >= len(query)}

    def _literal_matches(self, query: str) -> dict[int, float]:
        """Titles in which the search stands as it is, at the beginning of a word."""
        found: dict[int, float] = {}
        inside = f" {query}"
        for row, title in enumerate(self._titles):
            if title == query:
                found[row] = _EXACT_SCORE
            elif title.startswith(query):
                found[row] = _PREFIX_SCORE
            elif inside in title:
                found[row] = _WORD_START_SCORE
        return found


def normalize_text(text: str) -> str:
    """Letters and digits only, in one case, without accents, words parted by single blanks."""
    text = text.casefold()
    if not text.isascii():
        # What is taken apart may hold capitals: 𝚨 becomes Α.
        parts = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
        text = "".join(letter for letter in parts if not unicodedata.combining(letter))
    return _NON_WORD.sub(" ", text).strip()
