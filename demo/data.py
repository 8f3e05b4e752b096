"""Who has which list. The same fans are on every service."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import cache
from typing import TYPE_CHECKING

from app.recommender.watch_status import WatchStatus
from demo.faults import Fault

if TYPE_CHECKING:
    from demo.kitsu_users import KitsuUsers

HUGE_USER = "HugeFan"  # more titles than Hakken reads
EMPTY_USER = "EmptyFan"
LONG_USER = "LongFan"  # several pages on every service that has pages
TOO_LONG_COUNT, SEVERAL_PAGES_COUNT = 20_001, 1_250


class EntryKind(Enum):
    """What an entry in a library turns out to be."""

    ANIME = auto()
    DELETED = auto()  # the anime it points to is gone
    BARE = auto()  # points to nothing
    MANGA = auto()


@dataclass(frozen=True, slots=True)
class DemoEntry:
    """One anime on a list. ``score`` of ten, 0 for none; ``status`` in MyAnimeList's words.

    ``anime_id`` is MyAnimeList's, None for what only the other site knows; ``media_id`` is the
    other site's, when it is not the same. ``minutes`` are those of an episode. ``reacted`` and
    ``reviewed``: the fan wrote a line or a review.
    """

    anime_id: int | None
    score: float = 0
    status: str = "completed"
    rewatching: bool = False
    media_id: int | None = None
    name: str | None = None
    progress: int = 1
    episodes: int | None = None
    minutes: int | None = None
    reacted: bool = False
    reviewed: bool = False
    kind: EntryKind = EntryKind.ANIME

    @property
    def site_id(self) -> int:
        """The id on a site with ids of its own."""
        return self.media_id or self.anime_id or 0

    @property
    def title(self) -> str:
        """What the sites call it."""
        return self.name or f"Title {self.site_id}"


@cache
def numbered_entries(number: int) -> tuple[DemoEntry, ...]:
    """A list of the first so many ids."""
    return tuple(DemoEntry(n, score=5) for n in range(1, number + 1))


@dataclass(frozen=True, slots=True)
class DemoUser:
    """A user of all services."""

    name: str
    user_id: int
    entries: tuple[DemoEntry, ...]
    fault: Fault | None = None

    def page(self, start: int, size: int) -> tuple[DemoEntry, ...]:
        """Entries from a place on; whatever the place, the same ones of a list without end."""
        if self.fault is Fault.ENDLESS:
            return numbered_entries(size)
        return self.entries[start : start + size]


@dataclass(frozen=True, slots=True)
class SignInCode:
    """What a fan has allowed whom, good for one token; ``challenge`` is empty where none was."""

    user_name: str
    client_id: str
    redirect_uri: str
    challenge: str


@dataclass(slots=True)
class DemoData:
    """All fans, found in any case; ``synopses`` by MyAnimeList's id is what details know.

    ``relations`` are what AniList says of an anime: the relation, in its words, and the other's id.
    ``mal_ids`` has MyAnimeList's id by AniList's, where they differ. ``kitsu_users`` are all users
    of Kitsu, for those who collect; nobody else is there. ``codes`` are those of sign-ins under
    way, ``tokens`` the names of the fans whose lists they open.
    """

    users: dict[str, DemoUser] = field(default_factory=dict)
    synopses: dict[int, str] = field(default_factory=dict)
    relations: dict[int, list[tuple[str, int]]] = field(default_factory=dict)
    mal_ids: dict[int, int] = field(default_factory=dict)
    kitsu_users: KitsuUsers | None = None
    codes: dict[str, SignInCode] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.add_user(HUGE_USER, numbered_entries(TOO_LONG_COUNT))
        self.add_user(EMPTY_USER, ())
        self.add_user(LONG_USER, numbered_entries(SEVERAL_PAGES_COUNT))
        for fault in Fault:
            self.add_user(fault.value, [DemoEntry(1, score=7)], fault)

    def add_user(
        self, name: str, entries: Iterable[DemoEntry], fault: Fault | None = None
    ) -> DemoUser:
        """Give ``name`` a list, in place of the one there was."""
        fan = DemoUser(name, len(self.users) + 1, tuple(entries), fault)
        self.users[name.casefold()] = fan
        return fan

    def owner_of(self, authorization: str) -> DemoUser | None:
        """The fan whose token a request has."""
        return self.find_by_name(self.tokens.get(authorization.removeprefix("Bearer "), "\0"))

    def plan(self, user: DemoUser, entry: DemoEntry) -> None:
        """Put an anime on the list of a fan."""
        self.users[user.name.casefold()] = replace(user, entries=(*user.entries, entry))

    def find_by_name(self, name: str) -> DemoUser | None:
        """The fan of this name."""
        return self.users.get(name.casefold())

    def find_by_id(self, number: str) -> DemoUser | None:
        """The fan of this number."""
        if self.kitsu_users and (member := self.kitsu_users.find_by_id(number)):
            return member.user
        return next((fan for fan in self.users.values() if str(fan.user_id) == number), None)


MAL_STATUS_CODES = {status.slug: status.value for status in WatchStatus if status}
"""MyAnimeList's numbers for a status."""
