"""Small readings that every source shares."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from app.lists.entry import AnimeList, ListEntry
from app.pictures import PICTURE_HOSTS
from app.recommender.watch_status import WatchStatus

MAX_ANIME_ID = 2**31 - 1
MAX_SCORE = 10.0
# Longer than any real title; keeps one silly row from filling memory or a page.
MAX_TITLE_LENGTH = 500
MAX_NAME_LENGTH = 100
MAX_SYNOPSIS_LENGTH = 10_000

# MyAnimeList's numbers and words for a status. Others have some of these words, too.
MAL_STATUS_CODES: Final = {status.value: status for status in WatchStatus}
MAL_STATUS_NAMES: Final = {status.slug: status for status in WatchStatus}

_PLAIN_ADDRESS = re.compile(r"https://(?:[a-z0-9-]+\.)+[a-z]{2,}(?:/[!#-;=?-\[\]_a-z~]*)?", re.I)
_ID_PATTERN = re.compile(r"[0-9]{1,10}")
_LINE_BREAK = re.compile(r"<br\s*/?>|</p>", re.I)
_HUGE_REFERENCE = re.compile(r"&#[0-9]{8,};?")
_HTML_TAG = re.compile(r"<[^>]{0,200}>")


def normalize_entry(
    anime_id: int,
    status: WatchStatus | None,
    score: float | None,
    title: str | None,
    *,
    rewatching: bool | None = False,
) -> ListEntry:
    """Return an entry as every source writes it; who watches again has seen it."""
    known = WatchStatus.COMPLETED if rewatching else status or WatchStatus.UNKNOWN
    return ListEntry(anime_id, known, normalize_score(score), normalize_title(title))


def bound_list(anime_list: AnimeList) -> AnimeList:
    """Leave out what cannot be: every list of a service goes through here before it is used.

    Entries whose ids are none are counted in ``unmapped``.
    """
    entries = tuple(e for e in anime_list.entries if is_anime_id(e.anime_id))
    return replace(
        anime_list,
        username=anime_list.username and anime_list.username[:MAX_NAME_LENGTH],
        entries=entries,
        unmapped=anime_list.unmapped + len(anime_list.entries) - len(entries),
        favourites=tuple(filter(is_anime_id, anime_list.favourites)),
        details=tuple(each for each in anime_list.details if is_anime_id(each.anime_id)),
    )


def is_anime_id(value: int) -> bool:
    """Whether a number can be an id of MyAnimeList's."""
    return 0 < value <= MAX_ANIME_ID


def parse_id(text: str) -> int | None:
    """Read an id; None for what is no number or far too large, and for digits of other scripts."""
    return int(text) if _ID_PATTERN.fullmatch(text) else None


def merge_split_titles(entries: Iterable[ListEntry]) -> dict[int, ListEntry]:
    """Return entries by id; of titles that MyAnimeList keeps as one the scored half speaks."""
    found: dict[int, ListEntry] = {}
    for entry in entries:
        known = found.get(entry.anime_id)
        if known is None or (known.score is None and entry.score is not None):
            found[entry.anime_id] = entry
    return found


def normalize_score(value: float | None) -> float | None:
    """Return a score on the 1..10 scale, or None when the user gave none.

    Every service writes 0 for "no score". AniList's 100-point scale allows less than 1 of 10, which
    is a real (very low) score and counts as 1. Above 10 the scale is unknown, so nothing is read.
    """
    if value is None or math.isnan(value) or value <= 0 or value > MAX_SCORE:
        return None
    return max(1.0, float(value))


def normalize_title(value: str | None) -> str | None:
    """Return a title without outer blanks, None when there is nothing left."""
    return (value or "").strip()[:MAX_TITLE_LENGTH] or None


def allowed_picture_url(value: str | None) -> str | None:
    """Return the address of a picture, None when our pages show none from its host."""
    if value is None or len(value) > MAX_TITLE_LENGTH:
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    return value if parts.scheme == "https" and parts.netloc in PICTURE_HOSTS else None


def safe_link(value: str | None) -> str | None:
    """Return an address that a page may link to: https, a host with a dot, and nothing hidden."""
    if value is None or len(value) > MAX_TITLE_LENGTH or not _PLAIN_ADDRESS.fullmatch(value):
        return None
    return value


def synopsis_text(value: str | None) -> str | None:
    """Return a synopsis as plain text with single blank lines between paragraphs."""
    text = _LINE_BREAK.sub("\n", (value or "")[:MAX_SYNOPSIS_LENGTH])
    text = html.unescape(_HUGE_REFERENCE.sub("", _HTML_TAG.sub("", text)))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return "\n\n".join(line for line in lines if line) or None
