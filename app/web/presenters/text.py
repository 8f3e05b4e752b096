"""Numbers and facts in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from app.catalogue import Anime, TitleLanguage
from app.lists.entry import FetchProgress
from app.schemas.anime import AnimeSummary, RankedAnime
from app.translation import gettext, mark, ngettext
from app.vocabulary import catalogue_word, season_text
from app.web.services.showcase import SeasonOfYear

_CONTINUATIONS = {
    "alternative": mark("Another version of %(title)s"),
    "summary": mark("Tells again: %(title)s"),
}

_TITLE_LABELS = {
    TitleLanguage.ROMAJI: mark("Romaji titles"),
    TitleLanguage.ENGLISH: mark("English titles"),
    TitleLanguage.NATIVE: mark("Japanese titles"),
}
_JAPANESE_LETTERS = re.compile("[々぀-ヿ㐀-鿿ｦ-ﾟ]")


def clamp_percent(value: float) -> int:
    """Write a match or a chance: never quite certain, never quite impossible."""
    return min(99, max(1, round(value)))


def format_score(score: float) -> str:
    """Write a score without a needless digit."""
    return f"{score:.1f}".removesuffix(".0")


def count_titles(count: int) -> str:
    """Write ``1 title``, ``2 titles``."""
    return ngettext("%(count)s title", "%(count)s titles", count)


def _season_of(when: Anime | SeasonOfYear) -> str:
    return season_text(when.season, when.year)


def capital(text: str) -> str:
    """Begin with a capital letter, and leave the rest."""
    return type(text)(text[:1].upper()) + text[1:]


def describe_anime(anime: Anime | AnimeSummary) -> tuple[str, ...]:
    """List type, year, length and age rating, as far as they are known."""
    length = (
        ngettext("%(count)s episode", "%(count)s episodes", anime.episodes)
        if anime.episodes and anime.episodes > 1
        else ""
    )
    age = ""
    if isinstance(anime, Anime | RankedAnime) and anime.age_rating is not None:
        age = gettext(anime.age_rating.description)
        if anime.rating_inferred:
            age = gettext("probably %(age)s", age=age)
    kind = catalogue_word(anime.type or "")
    return tuple(filter(None, (kind, str(anime.year or ""), length, age)))


def describe_rating(anime: Anime | RankedAnime) -> str:
    """Write the age rating in plain words, and that it was inferred; empty where there is none."""
    if anime.age_rating is None:
        return ""
    told = gettext(", ").join((anime.age_rating.label, gettext(anime.age_rating.description)))
    return gettext("%(rating)s (inferred)", rating=told) if anime.rating_inferred else told


def continuation_text(relation: str | None) -> str:
    """Return the message that says what an anime is to one that was finished."""
    return _CONTINUATIONS.get(relation or "", mark("Next after %(title)s"))


def other_title_languages(current: TitleLanguage) -> list[tuple[TitleLanguage, str]]:
    """List what else anime can be called by, and the words for it."""
    return [(each, gettext(label)) for each, label in _TITLE_LABELS.items() if each is not current]


def title_attributes(title: str) -> Markup:
    """Return the attributes of the element that holds a title: which way and how it is read."""
    is_japanese = _JAPANESE_LETTERS.search(title)
    return Markup('dir="auto" lang="ja"') if is_japanese else Markup('dir="auto"')


def poster_initial(title: str) -> str:
    """Choose the letter that stands where a poster is missing."""
    return next((letter for letter in title if letter.isalnum()), "?").upper()


def list_progress_text(progress: FetchProgress, site: str) -> str:
    """Say how far reading a list has come."""
    if progress.queued:
        return gettext("Waiting for another visitor’s request to %(site)s…", site=site)
    if not progress.entries:
        return gettext("Asking %(site)s for the list…", site=site)
    return ngettext(
        "Asking %(site)s… %(count)s title so far, page %(page)s.",
        "Asking %(site)s… %(count)s titles so far, page %(page)s.",
        progress.entries,
        site=site,
        page=progress.page,
    )


FILTERS: dict[str, Callable[..., Any]] = {
    "percent": clamp_percent,
    "score": format_score,
    "facts": describe_anime,
    "continuation": continuation_text,
    "age": describe_rating,
    "season": _season_of,
    "word": catalogue_word,
    "capital": capital,
    "initial": poster_initial,
    "title_attributes": title_attributes,
}
"""What templates may write after a ``|``."""
