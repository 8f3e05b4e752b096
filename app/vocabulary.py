"""What a catalogue calls kinds, genres, themes and sources of anime, as pages say it.

Tags and studios are named as the catalogue has them, in every language.
"""

from __future__ import annotations

from app.age_rating import AgeRating
from app.translation import gettext, mark

_KINDS = {
    *(mark("TV"), mark("Movie"), mark("OVA"), mark("ONA"), mark("Special"), mark("Music")),
    *(mark("TV special"), mark("Commercial"), mark("PV"), mark("CM")),
}
_SOURCES = {
    *(mark("Manga"), mark("Original"), mark("Other"), mark("Light Novel"), mark("Video Game")),
    *(mark("Web Manga"), mark("Visual Novel"), mark("4-koma Manga"), mark("Novel")),
    *(mark("Mixed Media"), mark("Card Game"), mark("Picture Book"), mark("Radio")),
    *(mark("Web Novel"), mark("Game"), mark("Book"), mark("Unknown")),
}
_GENRES = {
    *(mark("Action"), mark("Adventure"), mark("Avant Garde"), mark("Award Winning")),
    *(mark("Boys Love"), mark("Comedy"), mark("Drama"), mark("Ecchi"), mark("Erotica")),
    *(mark("Fantasy"), mark("Girls Love"), mark("Gourmet"), mark("Hentai"), mark("Horror")),
    *(mark("Mystery"), mark("Romance"), mark("Sci-Fi"), mark("Slice of Life"), mark("Sports")),
    *(mark("Supernatural"), mark("Suspense"), mark("Thriller"), mark("Magic"), mark("Demons")),
}
_THEMES = {
    *(mark("Adult Cast"), mark("Anthropomorphic"), mark("CGDCT"), mark("Childcare")),
    *(mark("Combat Sports"), mark("Crossdressing"), mark("Delinquents"), mark("Detective")),
    *(
        mark("Educational"),
        mark("Gag Humor"),
        mark("Gore"),
        mark("Harem"),
        mark("High Stakes Game"),
    ),
    *(mark("Historical"), mark("Idols (Female)"), mark("Idols (Male)"), mark("Isekai")),
    *(mark("Iyashikei"), mark("Love Polygon"), mark("Love Status Quo"), mark("Magical Sex Shift")),
    *(mark("Mahou Shoujo"), mark("Martial Arts"), mark("Mecha"), mark("Medical"), mark("Military")),
    *(mark("Mythology"), mark("Organized Crime"), mark("Otaku Culture"), mark("Parody")),
    *(mark("Performing Arts"), mark("Pets"), mark("Psychological"), mark("Racing")),
    *(mark("Reincarnation"), mark("Reverse Harem"), mark("Samurai"), mark("School")),
    *(mark("Showbiz"), mark("Space"), mark("Strategy Game"), mark("Super Power"), mark("Survival")),
    *(mark("Team Sports"), mark("Time Travel"), mark("Urban Fantasy"), mark("Vampire")),
    *(mark("Video Game"), mark("Villainess"), mark("Visual Arts"), mark("Workplace")),
}
_DEMOGRAPHICS = {mark("Kids"), mark("Shounen"), mark("Shoujo"), mark("Seinen"), mark("Josei")}
_SEASONS = {mark("Winter"), mark("Spring"), mark("Summer"), mark("Fall")}
_HEADINGS = {mark("Ratings"), mark("Facts about anime")}
"""What NOTICE names the sources of."""
_WORDS = _HEADINGS | _KINDS | _SOURCES | _GENRES | _THEMES | _DEMOGRAPHICS | _SEASONS

_SEASONS_OF_YEAR = {
    "winter": mark("Winter %(year)s"),
    "spring": mark("Spring %(year)s"),
    "summer": mark("Summer %(year)s"),
    "fall": mark("Fall %(year)s"),
}


def catalogue_word(word: str) -> str:
    """Say a kind, genre, theme, source or season; what is none of these stays as it is."""
    return gettext(word) if word in _WORDS else word


def season_text(season: str | None, year: int | None) -> str:
    """Write a season of a year; the year alone where that is all that is known."""
    message = _SEASONS_OF_YEAR.get(season or "")
    return gettext(message, year=year) if message and year else str(year or "")


def describe_rating(rating: AgeRating) -> str:
    """Write an age rating and what it means."""
    return f"{rating.label} ({gettext(rating.description)})"
