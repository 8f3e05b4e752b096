"""The one shape that every list source produces, and how far reading it has come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from app.recommender.watch_status import WatchStatus


@dataclass(frozen=True, slots=True)
class ListEntry:
    """One anime on a user's list.

    ``anime_id`` is MyAnimeList's id. ``score`` is 1..10 (fractions allowed), None for none.
    ``title`` is what the source calls it, if it says.
    """

    anime_id: int
    status: WatchStatus
    score: float | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class StreamingLink:
    """A site that shows an anime, and the address there."""

    site: str
    url: str


@dataclass(frozen=True, slots=True)
class AnimeDetails:
    """What a page shows of an anime beside the catalogue's facts: public, about nobody.

    ``trailer`` is the address of one; ``streaming`` is where it can be watched, None where nobody
    was asked for that, and so for no trailer either.
    """

    anime_id: int
    picture: str | None = None
    synopsis: str | None = None
    trailer: str | None = None
    streaming: tuple[StreamingLink, ...] | None = None


class ListChannel(StrEnum):
    """What of a site a list was read from."""

    API = "api"
    LIST_PAGES = "list_pages"
    JIKAN = "jikan"


@dataclass(frozen=True, slots=True)
class AnimeList:
    """A whole list as fetched or uploaded.

    ``unmapped`` counts entries that have no MyAnimeList id and so cannot be used. ``favourites``
    are the ids of those that the user calls so, best first, where the source says.
    ``details`` are those that came along with the list. ``age`` is how many seconds ago the list
    was read, when it had to come from memory because the service is down; 0 for a list that is
    current. ``channel`` is None where the list was not read from a site. Of a file ``file_format``
    says what it was read as, ``unplaced_titles`` are a few of the unmapped. ``is_partial`` is as in
    `app.recommender.user_list.UserList`. ``is_private``: read with a token of its owner, and for
    nobody else.
    """

    source: str
    username: str | None
    entries: tuple[ListEntry, ...] = field(repr=False)
    unmapped: int = 0
    favourites: tuple[int, ...] = field(default=(), repr=False)
    details: tuple[AnimeDetails, ...] = field(default=(), repr=False)
    age: int = 0
    channel: ListChannel | None = None
    unplaced_titles: tuple[str, ...] = field(default=(), repr=False)
    file_format: str | None = None
    is_partial: bool = False
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """``page`` (from 1) is being asked for, and ``entries`` titles came with those before it.

    ``queued``: somebody else is reading from the same place, and is waited for.
    """

    page: int = 1
    entries: int = 0
    queued: bool = False


ListProgressCallback = Callable[[FetchProgress], None]
"""Called in the thread that reads; must return at once."""


def ignore_progress(_progress: FetchProgress) -> None:
    """For those who do not want to know."""
