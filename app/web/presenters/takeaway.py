"""Recommendations as other programs read them: MyAnimeList's XML, an Atom feed, a calendar.

The same list and the same model give the same bytes: dates are those of the model, ids those of
the page and the anime, so that nobody is told of a pick twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import NAMESPACE_URL, uuid5
from xml.sax.saxutils import escape, quoteattr

from app.catalogue import Anime
from app.schemas.anime import RankedAnime
from app.schemas.recommendations import RecommendationSchema
from app.translation import in_english
from app.web.presenters.text import describe_anime
from app.web.requests.query import Season
from app.web.services.showcase import SeasonOfYear

_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LINE_OCTETS: Final = 75
_FIRST_MONTHS: Final = {season: 1 + 3 * place for place, season in enumerate(Season)}


@dataclass(frozen=True, slots=True)
class FeedPlace:
    """Where a feed or calendar is from: whose picks, on which page, of when the data are."""

    owner: str
    page_url: str
    path: str
    created: datetime

    def entry_id(self, anime_id: int) -> str:
        """Return the id of a pick on this page, always the same."""
        return uuid5(NAMESPACE_URL, f"hakken:{self.path}#{anime_id}").urn


def parse_created(created: str) -> datetime:
    """Read when a model was made; its first second where only a day is known."""
    try:
        found = datetime.fromisoformat(created)
    except ValueError:
        return datetime(1970, 1, 1, tzinfo=UTC)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def to_mal_xml(picks: Sequence[RankedAnime]) -> str:
    """Write picks as a MyAnimeList export of what is planned, which every list site imports.

    What stands on the list already is not overwritten (``update_on_import``).
    """
    rows = "".join(
        "<anime>\n"
        f"<series_animedb_id>{each.anime_id}</series_animedb_id>\n"
        f"<series_title>{_cdata(each.title)}</series_title>\n"
        f"<series_type>{_xml(each.type or 'Unknown')}</series_type>\n"
        f"<series_episodes>{each.episodes or 0}</series_episodes>\n"
        "<my_id>0</my_id>\n<my_watched_episodes>0</my_watched_episodes>\n"
        "<my_start_date>0000-00-00</my_start_date>\n<my_finish_date>0000-00-00</my_finish_date>\n"
        "<my_score>0</my_score>\n<my_status>Plan to Watch</my_status>\n"
        "<my_times_watched>0</my_times_watched>\n<update_on_import>0</update_on_import>\n"
        "</anime>\n"
        for each in picks
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<myanimelist>\n<myinfo>\n'
        "<user_export_type>1</user_export_type>\n"
        f"<user_total_anime>{len(picks)}</user_total_anime>\n"
        f"<user_total_plantowatch>{len(picks)}</user_total_plantowatch>\n</myinfo>\n"
        f"{rows}</myanimelist>\n"
    )


@in_english()
def to_atom(picks: Iterable[RecommendationSchema], place: FeedPlace) -> str:
    """Write picks as an Atom feed (RFC 4287)."""
    updated = f"<updated>{place.created:%Y-%m-%dT%H:%M:%SZ}</updated>"
    entries = "".join(
        f"<entry>\n<id>{place.entry_id(each.anime_id)}</id>\n<title>{_xml(each.title)}</title>\n"
        f"{updated}\n<link href={quoteattr(each.url)}/>\n"
        f"<summary>{_xml(_summary(each))}</summary>\n</entry>\n"
        for each in picks
    )
    feed_id = uuid5(NAMESPACE_URL, f"hakken:{place.path}").urn
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">\n'
        f"<id>{feed_id}</id>\n<title>{_xml(f'Picks for {place.owner} – Hakken')}</title>\n"
        f"{updated}\n<author><name>Hakken</name></author>\n"
        f"<link href={quoteattr(place.page_url)}/>\n{entries}</feed>\n"
    )


@in_english()
def to_calendar(
    picks: Iterable[tuple[RecommendationSchema, Anime]], since: SeasonOfYear, place: FeedPlace
) -> str:
    """Write what of the picks begins in a season or later as a calendar (RFC 5545).

    The catalogue knows seasons and no days, so each stands on the first day of its season.
    """
    lines = [
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Hakken//Picks//EN", "CALSCALE:GREGORIAN"),
        f"X-WR-CALNAME:{_ical(f'Picks for {place.owner}')}",
    ]
    for pick, anime in picks:
        begins = _first_day(anime)
        if begins is None or begins < _first_day_of(since):
            continue
        said = f"{_summary(pick)} It begins this season; the day is not known."
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
    return "".join(f"{_fold(line)}\r\n" for line in [*lines, "END:VCALENDAR"])


def _summary(pick: RecommendationSchema) -> str:
    """Say in two sentences what it is and why."""
    told = ", ".join(describe_anime(pick))
    liked = f" Because of {', '.join(each.title for each in pick.because)}." if pick.because else ""
    return f"{told + '. ' if told else ''}You would give it {pick.expected_score:.1f}.{liked}"


def _first_day(anime: Anime) -> date | None:
    if not anime.year or anime.season not in tuple(Season):
        return None
    return _first_day_of(SeasonOfYear(anime.year, Season(anime.season)))


def _first_day_of(when: SeasonOfYear) -> date:
    return date(when.year, _FIRST_MONTHS[when.season], 1)


def _xml(text: str) -> str:
    return escape(_NOT_IN_XML.sub("", text))


def _cdata(text: str) -> str:
    return f"<![CDATA[{_NOT_IN_XML.sub('', text).replace(']]>', ']]]]><![CDATA[>')}]]>"


def _ical(text: str) -> str:
    """Escape text; control characters go."""
    plain = _NOT_IN_XML.sub("", text)
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
