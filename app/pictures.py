"""Where pictures of anime may be from: hosts, and how their addresses are kept in a catalogue."""

from __future__ import annotations

import re
from typing import Final

MAL_PICTURE_BASE: Final = "https://cdn.myanimelist.net/images/anime/"
ANILIST_PICTURE_BASE: Final = "https://s4.anilist.co/file/anilistcdn/media/anime/cover/medium/"
PICTURE_HOSTS: Final = ("cdn.myanimelist.net", "s4.anilist.co")
"""Pages show pictures of these only; the content policy names them."""

# How an address may be written -> where the picture has the size of our cards, about 230 pixels
# wide. MyAnimeList marks other sizes by a letter (138006l.jpg), or by a folder (/r/50x70/).
_SPELLINGS: Final = (
    (
        re.compile(
            r"https?://(?:cdn\.)?myanimelist\.net(?:/r/[0-9]+x[0-9]+)?"
            r"/images/anime/([0-9]+/[0-9]+)[a-z]?(\.(?:jpe?g|png|webp))(?:\?.*)?"
        ),
        MAL_PICTURE_BASE,
    ),
    (
        re.compile(
            r"https?://s4\.anilist\.co/file/anilistcdn/media/anime/cover/(?:small|medium|large)/"
            r"([\w-]+)(\.(?:jpe?g|png|webp))",
            re.ASCII,
        ),
        ANILIST_PICTURE_BASE,
    ),
)
# Most are MyAnimeList's, and written without a mark.
_SHORT_BASES: Final = (("a/", ANILIST_PICTURE_BASE), ("", MAL_PICTURE_BASE))


def standard_picture_url(url: str | None) -> str | None:
    """Return the address of a picture in the size of a card; None if it is none that pages show.

    >>> standard_picture_url("https://myanimelist.net/images/anime/1314/108941l.jpg")
    'https://cdn.myanimelist.net/images/anime/1314/108941.jpg'
    """
    for pattern, base in _SPELLINGS:
        if found := pattern.fullmatch(url or ""):
            return f"{base}{found[1]}{found[2]}"
    return None


def shorten_picture_url(url: str) -> str:
    """Return a standard address without its base, as a catalogue keeps it."""
    short, base = next(each for each in _SHORT_BASES if url.startswith(each[1]))
    return short + url.removeprefix(base)


def expand_picture_url(short: str) -> str:
    """Return the address that `shorten_picture_url` shortened."""
    mark, base = next(each for each in _SHORT_BASES if short.startswith(each[0]))
    return base + short.removeprefix(mark)
