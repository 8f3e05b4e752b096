"""The words that say what an anime is about, in one spelling: genres, themes and demographics.

MyAnimeList's words of today. Those of AniList and the ones that MyAnimeList used before are other
names of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

GENRES = (
    *("Action", "Adventure", "Avant Garde", "Award Winning", "Boys Love", "Comedy", "Drama"),
    *("Ecchi", "Erotica", "Fantasy", "Girls Love", "Gourmet", "Hentai", "Horror", "Mystery"),
    *("Romance", "Sci-Fi", "Slice of Life", "Sports", "Supernatural", "Suspense"),
)
THEMES = (
    *("Adult Cast", "Anthropomorphic", "CGDCT", "Childcare", "Combat Sports", "Crossdressing"),
    *("Delinquents", "Detective", "Educational", "Gag Humor", "Gore", "Harem"),
    *("High Stakes Game", "Historical", "Idols (Female)", "Idols (Male)", "Isekai", "Iyashikei"),
    *("Love Polygon", "Love Status Quo", "Magical Sex Shift", "Mahou Shoujo", "Martial Arts"),
    *("Mecha", "Medical", "Military", "Music", "Mythology", "Organized Crime", "Otaku Culture"),
    *("Parody", "Performing Arts", "Pets", "Psychological", "Racing", "Reincarnation"),
    *("Reverse Harem", "Samurai", "School", "Showbiz", "Space", "Strategy Game", "Super Power"),
    *("Survival", "Team Sports", "Time Travel", "Urban Fantasy", "Vampire", "Video Game"),
    *("Villainess", "Visual Arts", "Workplace"),
)
DEMOGRAPHICS = ("Josei", "Kids", "Seinen", "Shoujo", "Shounen")
OTHER_NAMES = {
    "Cars": "Racing",
    "Cute Girls Doing Cute Things": "CGDCT",
    "Dementia": "Avant Garde",
    "Demons": "Mythology",
    "Detectives": "Detective",
    "Female Harem": "Harem",
    "Food": "Gourmet",
    "Game": "Strategy Game",
    "Gangs": "Organized Crime",
    "Mafia": "Organized Crime",
    "Male Harem": "Reverse Harem",
    "Mixed Gender Harem": "Harem",
    "Police": "Detective",
    "Science Fiction": "Sci-Fi",
    "Science-Fiction": "Sci-Fi",
    "Shoujo Ai": "Girls Love",
    "Shounen Ai": "Boys Love",
    "Teens' Love": "Erotica",
    "Thriller": "Suspense",
    "Vampires": "Vampire",
    "Video Games": "Video Game",
    "Yaoi": "Boys Love",
    "Yakuza": "Organized Crime",
    "Yuri": "Girls Love",
}
"""Words of other sites and times -> genres and themes."""
UNTOLD_TAGS = frozenset({"Advertisement", "Heterosexual", "Large Breasts", "Tanned Skin"})
"""Tags that tell nobody whether to watch something."""
WARNING_TAGS = frozenset(
    {
        *("Bullying", "Cannibalism", "Drugs", "Gore", "Incest", "Netorare", "Nudity", "Rape"),
        *("Slavery", "Suicide", "Torture", "Body Horror", "Animal Abuse", "Age Gap"),
    }
)
"""Tags that somebody may want to avoid: kept however few agree with them."""
MAX_TAGS = 12
_ABBREVIATIONS = {"Cgi": "CGI", "Full Cgi": "Full CGI", "Lgbtq+ Themes": "LGBTQ+ Themes"}
_FACETS = (GENRES, THEMES, DEMOGRAPHICS)
_LABEL_BY_WORD = {
    word.lower(): label
    for word, label in [
        *((label, label) for facet in _FACETS for label in facet),
        *OTHER_NAMES.items(),
    ]
}


def sort_labels(words: Iterable[str]) -> tuple[list[str], list[str], list[str]]:
    """Return the genres, themes and demographics among words; others are left out.

    >>> sort_labels(["Mecha", "Science Fiction", "shounen", "Coastal"])
    (['Sci-Fi'], ['Mecha'], ['Shounen'])
    """
    found = {_LABEL_BY_WORD[word.lower()] for word in words if word.lower() in _LABEL_BY_WORD}
    genres, themes, demographics = (sorted(found.intersection(facet)) for facet in _FACETS)
    return genres, themes, demographics


def select_tags(tags: Sequence[str], untold: Iterable[str] = ()) -> list[str]:
    """Return the tags that filters and pages show, of those in falling order of agreement.

    Words that are genres, themes or demographics are left to these.

    >>> select_tags(["Cgi", "Mecha", "Heterosexual", "Ninja"])
    ['CGI', 'Ninja']
    """
    told = [
        tag
        for tag in tags
        if tag.lower() not in _LABEL_BY_WORD and tag not in UNTOLD_TAGS and tag not in untold
    ]
    kept = [tag for at, tag in enumerate(told) if at < MAX_TAGS or tag in WARNING_TAGS]
    return [_ABBREVIATIONS.get(tag, tag) for tag in kept]


def spell_studios(lists: Sequence[str | None], known: Iterable[str] = ()) -> list[str | None]:
    """Spell every studio in one way: as in ``known`` or, but for case, points and blanks, first.

    >>> spell_studios(["J.C.Staff;OLM", "j.c. staff", None], ["Olm"])
    ['J.C.Staff;Olm', 'J.C.Staff', None]
    """
    spelling: dict[str, str] = {}

    def spell(name: str) -> str:
        key = re.sub("[^a-z0-9]", "", name.lower()) or name
        return spelling.setdefault(key, name)

    for name in known:
        spell(name)
    return [
        None if names is None else ";".join(spell(name) for name in names.split(";"))
        for names in lists
    ]
