"""Finds anime by title: in any of its names, from its beginning or by its words, typos forgiven."""

from __future__ import annotations

from app.title_search.index import MAX_QUERY_LENGTH, TitleIndex
from app.title_search.normalize import normalize_text

__all__ = ["MAX_QUERY_LENGTH", "TitleIndex", "normalize_text"]
