"""Numbers and facts in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.catalogue import Anime
from app.lists.progress import FetchProgress
from app.schemas.anime import AnimeSummary, RankedAnime


def clamp_percent(value: float) -> int:
    """Write a match or a chance: never quite certain, never quite impossible."""
    return min(99, max(1, round(value)))


def format_score(score: float) -> str:
    """Write a score without a needless digit."""
    return f"{score:.1f}".removesuffix(".0")


def count_noun(count: int, noun: str) -> str:
    """Write ``1 title``, ``2 titles``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def describe_anime(anime: Anime | AnimeSummary) -> tuple[str, ...]:
    """List type, year, length and age rating, as far as they are known."""
    length = f"{anime.episodes:,} episodes" if anime.episodes and anime.episodes > 1 else ""
    age = ""
    if isinstance(anime, Anime | RankedAnime) and anime.age_rating is not None:
        inferred = "probably " if anime.rating_inferred else ""
        age = f"{inferred}{anime.age_rating.description}"
    return tuple(filter(None, (anime.type or "", str(anime.year or ""), length, age)))


def describe_rating(anime: Anime | RankedAnime) -> str:
    """Write the age rating in plain words, and that it was inferred; empty where there is none."""
    if anime.age_rating is None:
        return ""
    told = f"{anime.age_rating.label}, {anime.age_rating.description}"
    return f"{told} (inferred)" if anime.rating_inferred else told


def continuation_text(relation: str | None) -> str:
    """Say what an anime is to one that was finished; its title follows."""
    return {"alternative": "Another version of", "summary": "Tells again:"}.get(
        relation or "", "Next after"
    )


def poster_initial(title: str) -> str:
    """Choose the letter that stands where a poster is missing."""
    return next((letter for letter in title if letter.isalnum()), "?").upper()


def progress_text(progress: FetchProgress, site: str) -> str:
    """Say how far reading a list has come."""
    if progress.queued:
        return f"Waiting for another visitor’s request to {site}…"
    if not progress.entries:
        return f"Asking {site} for the list…"
    titles = count_noun(progress.entries, "title")
    return f"Asking {site}… {titles} so far, page {progress.page}."


FILTERS: dict[str, Callable[..., Any]] = {
    "percent": clamp_percent,
    "score": format_score,
    "facts": describe_anime,
    "continuation": continuation_text,
    "age": describe_rating,
    "initial": poster_initial,
}
"""What templates may write after a ``|``."""
