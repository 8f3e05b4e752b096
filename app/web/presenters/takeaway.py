"""Recommendations as other programs read them: what feeds and XML need, and a calendar.

The same list and the same model give the same bytes: dates are those of the model, ids those of
the page and the anime, so that nobody is told of a pick twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from markupsafe import Markup

from app.catalogue import Anime
from app.schemas.recommendations import RecommendationSchema
from app.translation import in_english
from app.web.presenters.text import describe_anime
from app.web.requests.query import Season

_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LINE_OCTETS: Final = 75
_NO_EVENT: Final = (
    *("BEGIN:VTIMEZONE", "TZID:UTC", "BEGIN:STANDARD", "DTSTART:19700101T000000"),
    *("TZOFFSETFROM:+0000", "TZOFFSETTO:+0000", "END:STANDARD", "END:VTIMEZONE"),
)
"""A calendar must hold something, and some that read it refuse one that does not."""
_FIRST_MONTHS: Final = {season: 1 + 3 * place for place, season in enumerate(Season)}


@dataclass(frozen=True, slots=True)
class FeedPlace:
    """Where a feed or calendar is from: whose picks, on which page, of when the data are."""

    owner: str
    page_url: str
    path: str
    created: datetime

    @property
    def feed_id(self) -> str:
        """The id of the feed of this page, always the same."""
        return uuid5(NAMESPACE_URL, f"hakken:{self.path}").urn

    def entry_id(self, anime_id: int) -> str:
        """Return the id of a pick on this page, always the same."""
        return uuid5(NAMESPACE_URL, f"hakken:{self.path}#{anime_id}").urn


def printable(text: str) -> str:
    """Return text without the characters that XML may not have."""
    return _NOT_IN_XML.sub("", text)


def cdata(text: str) -> Markup:
    """Write text as a section of XML that needs no escaping."""
    return Markup(f"<![CDATA[{printable(text).replace(']]>', ']]]]><![CDATA[>')}]]>")  # noqa: S704


XML_FILTERS = {"printable": printable, "cdata": cdata}


@in_english()
def to_calendar(
    picks: Iterable[tuple[RecommendationSchema, Anime]], place: FeedPlace, *, personal: bool
) -> str:
    """Write when picks begin as a calendar (RFC 5545).

    The catalogue knows seasons and no days, so each stands on the first day of its season.
    """
    lines = [
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Hakken//Picks//EN", "CALSCALE:GREGORIAN"),
        f"X-WR-CALNAME:{_ical(f'Picks for {place.owner}')}",
    ]
    for pick, anime in picks:
        begins = _first_day(anime)
        if begins is None:
            continue
        why = summarize_pick(pick, personal=personal)
        said = f"{why} It begins this season; the day is not known."
        lines += [
            "BEGIN:VEVENT",
            f"UID:{place.entry_id(pick.anime_id)}",
            f"DTSTAMP:{place.created:%Y%m%dT%H%M%SZ}",
            f"DTSTART;VALUE=DATE:{begins:%Y%m%d}",
            f"DTEND;VALUE=DATE:{begins + timedelta(1):%Y%m%d}",
            f"SUMMARY:{_ical(pick.title)}",
            f"DESCRIPTION:{_ical(said)}",
            f"URL:{pick.url}",
            "TRANSP:TRANSPARENT",
            "END:VEVENT",
        ]
    if "BEGIN:VEVENT" not in lines:
        lines += _NO_EVENT
    return "".join(f"{_fold(line)}\r\n" for line in [*lines, "END:VCALENDAR"])


def summarize_pick(pick: RecommendationSchema, *, personal: bool) -> str:
    """Say in two sentences what it is and why."""
    told = ", ".join(describe_anime(pick))
    liked = f" Because of {', '.join(each.title for each in pick.because)}." if pick.because else ""
    who = "You" if personal else "A typical fan"
    return f"{told + '. ' if told else ''}{who} would give it {pick.expected_score:.1f}.{liked}"


def _first_day(anime: Anime) -> date | None:
    if not anime.year or anime.season not in tuple(Season):
        return None
    return date(anime.year, _FIRST_MONTHS[Season(anime.season)], 1)


def _ical(text: str) -> str:
    """Escape text; control characters go."""
    plain = printable(text)
    for mark in ("\\", ";", ","):
        plain = plain.replace(mark, f"\\{mark}")
    return " ".join(plain.split())


def _fold(line: str) -> str:
    """Part a line that is too long, never within a letter."""
    parts, size = [""], 0
    for letter in line:
        octets = len(letter.encode("utf-8", "replace"))
        if size + octets > _LINE_OCTETS - (len(parts) > 1):
            parts.append("")
            size = 0
        parts[-1] += letter
        size += octets
    return "\r\n ".join(parts)
