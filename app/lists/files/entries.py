"""Rows of files in one form, whatever their site calls things: ids, title, status, score."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from app.lists import anilist, kitsu, shikimori
from app.lists.files.scores import Score, parse_score
from app.lists.normalize import is_anime_id, normalize_title
from app.recommender.watch_status import WatchStatus

SLUG: Final = "export"
"""The source of a list that was brought as a file, unless it is of a site that Hakken links to."""
MAX_ENTRIES: Final = 20_000
_MAX_USERNAME_LENGTH = 100

_STATUS_WORDS: Final[Mapping[str, WatchStatus]] = {
    word: status
    for status, words in {
        WatchStatus.WATCHING: "watching current currentlywatching inprogress started ongoing",
        WatchStatus.COMPLETED: "completed complete watched finished seen done rewatching rewatched "
        "repeating rereading",
        WatchStatus.ON_HOLD: "onhold hold paused pause stalled",
        # Anime-Planet's and Simkl's words for what somebody is not going to watch.
        WatchStatus.DROPPED: "dropped abandoned wontwatch notinteresting notinterested",
        WatchStatus.PLAN_TO_WATCH: "plantowatch planned planning ptw wanttowatch backlog watchlist "
        "towatch",
    }.items()
    for word in words.split()
}
"""Every spelling of every site, without blanks and punctuation."""
MAL_CODES: Final[Mapping[str, WatchStatus]] = {
    **{str(status.value): status for status in WatchStatus},
    "23": WatchStatus.COMPLETED,  # MALSync: watching again
}
ANILIST_CODES: Final[Mapping[str, WatchStatus]] = {
    "0": WatchStatus.WATCHING,
    "1": WatchStatus.PLAN_TO_WATCH,
    "2": WatchStatus.COMPLETED,
    "3": WatchStatus.DROPPED,
    "4": WatchStatus.ON_HOLD,
    "5": WatchStatus.COMPLETED,
}
HIANIME_CODES: Final[Mapping[str, WatchStatus]] = {
    "1": WatchStatus.WATCHING,
    "2": WatchStatus.ON_HOLD,
    "3": WatchStatus.PLAN_TO_WATCH,
    "4": WatchStatus.DROPPED,
    "5": WatchStatus.COMPLETED,
}
TAIGA_CODES: Final[Mapping[str, WatchStatus]] = {**MAL_CODES, "5": WatchStatus.PLAN_TO_WATCH}

_FIELD_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "mal_id": (
        *("seriesanimedbid", "animeanimedbid", "animedbid", "malid", "idmal", "mal"),
        *("myanimelistid", "animeid"),
    ),
    "anilist_id": ("anilistid", "idanilist", "anilist", "alid"),
    "kitsu_id": ("kitsuid", "idkitsu", "kitsu"),
    "title": ("seriestitle", "animetitle", "targettitle", "title", "name", "showtitle"),
    "other_title": (
        *("titleenglish", "englishtitle", "animetitleeng", "titleromaji", "romaji", "english"),
        *("originaltitle", "alternativetitle"),
    ),
    "type": ("seriestype", "animetype", "animemediatypestring", "mediatype", "kind", "type"),
    "year": ("year", "releaseyear", "startyear", "seasonyear"),
    "status": (
        *("shikistatus", "mystatus", "userstatus", "liststatus", "watchingstatus", "watchlist"),
        *("status", "state"),
    ),
    "score": ("myscore", "userrating", "userscore", "myrating", "score", "rating"),
    "rewatching": ("myrewatching", "isrewatching", "rewatching", "reconsuming"),
    "link": ("link", "url", "siteurl", "animeurl"),
}
"""What a row may call each of its fields, the likelier first, without case and punctuation."""
_LINKS: Final = {
    "mal_id": re.compile(
        r"myanimelist\.net/anime(?:/|\.php\?id=)([0-9]+)|shikimori\.\w+/animes/[a-z]*([0-9]+)"
    ),
    "anilist_id": re.compile(r"anilist\.co/anime/([0-9]+)"),
    "kitsu_id": re.compile(r"kitsu\.(?:app|io)/anime/([0-9]+)"),
}
_ID = re.compile(r"[0-9]{1,9}")
_YEAR = re.compile(r"(?:19|20)[0-9]{2}")
_NOT_ANIME: Final = frozenset(
    (
        *("manga", "novel", "lightnovel", "oneshot", "manhwa", "manhua", "doujin"),
        *("book", "comic", "game", "season", "episode"),
    )
)


@dataclass(frozen=True, slots=True)
class FileFormat:
    """How files of a site are read: what their numbers for a status mean, and their scales.

    ``tops`` are what the best score may be, the usual first. ``source`` is the site to link to.
    """

    name: str
    source: str = SLUG
    tops: tuple[int, ...] = (10, 100)
    status_codes: Mapping[str, WatchStatus] = field(default_factory=lambda: MAL_CODES)


MYANIMELIST = FileFormat("MyAnimeList")
SHIKIMORI = FileFormat(shikimori.NAME, shikimori.SLUG, (10,))
TAIGA = FileFormat("Taiga", tops=(100, 10), status_codes=TAIGA_CODES)
HIANIME = FileFormat("HiAnime", status_codes=HIANIME_CODES)
ANILIST = FileFormat(anilist.NAME, anilist.SLUG, (100, 10, 5, 3), ANILIST_CODES)
KITSU = FileFormat(kitsu.NAME, kitsu.SLUG, (20,))
ANIME_PLANET = FileFormat("Anime-Planet", tops=(5,))
SIMKL = FileFormat("Simkl", tops=(10,))
YAMTRACK = FileFormat("Yamtrack", tops=(10,))
MALSYNC = FileFormat("MALSync", tops=(10,))
TABLE = FileFormat("table", tops=(10, 100, 5, 3))
"""What names its columns plainly."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One row. Ids are None where it has none that could be one; a score is on the file's scale."""

    title: str | None
    other_title: str | None
    status: WatchStatus
    score: Score | None
    mal_id: int | None = None
    anilist_id: int | None = None
    kitsu_id: int | None = None
    type: str | None = None
    year: int | None = None


@dataclass(frozen=True, slots=True)
class FileList:
    """All rows of a file. With ``unsure_site`` it does not say if ids are AniList's or Kitsu's."""

    format: FileFormat
    entries: tuple[FileEntry, ...] = field(repr=False)
    username: str | None = None
    unsure_site: bool = False

    def __post_init__(self) -> None:
        """Cut a name that is too long."""
        name = normalize_title(self.username)
        object.__setattr__(self, "username", name and name[:_MAX_USERNAME_LENGTH])


def plain_name(text: str) -> str:
    """Return the name of a field or a status without case, blanks and punctuation."""
    return re.sub(r"[\W_]", "", text).casefold()


def read_entry(fields: Mapping[str, Any], layout: FileFormat) -> FileEntry | None:
    """Read a row whose fields have plain names; None for one that is no anime."""
    row = {name: _first(fields, names) for name, names in _FIELD_NAMES.items()}
    kind = plain_name(_text(row["type"]) or "")
    if kind in _NOT_ANIME:
        return None
    link = _text(row["link"]) or ""
    ids = {name: _parse_id(row[name]) or _linked_id(link, name) for name in _LINKS}
    year = _YEAR.fullmatch((_text(row["year"]) or "").removesuffix(".0"))
    return FileEntry(
        title=normalize_title(_text(row["title"])),
        other_title=normalize_title(_text(row["other_title"])),
        status=parse_status(row["status"], layout.status_codes, rewatching=row["rewatching"]),
        score=parse_score(row["score"]),
        type=kind or None,
        year=int(year[0]) if year else None,
        **ids,
    )


def has_entry_fields(names: Iterable[str]) -> bool:
    """Whether rows with fields of these plain names say which anime they are about."""
    known = {name for key in ("mal_id", "title") for name in _FIELD_NAMES[key]}
    told = {name for key in ("status", "score") for name in _FIELD_NAMES[key]}
    found = set(names)
    return not (known.isdisjoint(found) or told.isdisjoint(found))


def parse_status(
    value: Any, codes: Mapping[str, WatchStatus], *, rewatching: Any = None
) -> WatchStatus:
    """Read a status in words or numbers; who watches again has seen it."""
    if plain_name(_text(rewatching) or "") in {"1", "yes", "true"}:
        return WatchStatus.COMPLETED
    word = plain_name(_text(value) or "")
    return codes.get(word) or _STATUS_WORDS.get(word, WatchStatus.UNKNOWN)


def _first(fields: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((fields[name] for name in names if fields.get(name) not in (None, "")), None)


def _text(value: Any) -> str | None:
    return str(value).strip() if isinstance(value, str | int | float) else None


def _parse_id(value: Any) -> int | None:
    text = (_text(value) or "") if not isinstance(value, bool) else ""
    number = int(text) if _ID.fullmatch(text) else 0
    return number if is_anime_id(number) else None


def _linked_id(link: str, site: str) -> int | None:
    found = _LINKS[site].search(link[:200])
    return _parse_id(next(filter(None, found.groups()))) if found else None
