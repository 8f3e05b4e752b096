"""Who has which list. The same fans are on every service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cache
from typing import TYPE_CHECKING

from demo.faults import NAMES, Fault

if TYPE_CHECKING:
    from demo.crowd import Crowd

HUGE = "HugeFan"  # more titles than Hakken reads
EMPTY = "EmptyFan"
LONG = "LongFan"  # several pages on every service that has pages
TOO_LONG, SEVERAL_PAGES = 20_001, 1_250


class Kind(Enum):
    """What an entry in a library turns out to be."""

    ANIME = auto()
    DELETED = auto()  # the anime it points to is gone
    BARE = auto()  # points to nothing
    MANGA = auto()


@dataclass(frozen=True, slots=True)
class Listed:
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
    kind: Kind = Kind.ANIME

    @property
    def own_id(self) -> int:
        """The id on a site with ids of its own."""
        return self.media_id or self.anime_id or 0

    @property
    def title(self) -> str:
        """What the sites call it."""
        return self.name or f"Title {self.own_id}"


@cache
def _count_to(number: int) -> tuple[Listed, ...]:
    return tuple(Listed(n, score=5) for n in range(1, number + 1))


@dataclass(frozen=True, slots=True)
class Fan:
    """A user of all services."""

    name: str
    number: int
    entries: tuple[Listed, ...]
    fault: Fault | None = None


@dataclass(slots=True)
class World:
    """All fans, found in any case; ``synopses`` by MyAnimeList's id is what details know.

    ``crowd`` is who stands among Kitsu's users, for those who collect; nobody else is there.
    """

    fans: dict[str, Fan] = field(default_factory=dict)
    synopses: dict[int, str] = field(default_factory=dict)
    crowd: Crowd | None = None

    def __post_init__(self) -> None:
        self.add(HUGE, _count_to(TOO_LONG))
        self.add(EMPTY, ())
        self.add(LONG, _count_to(SEVERAL_PAGES))
        for name, fault in NAMES.items():
            self.add(name, [Listed(1, score=7)], fault)

    def add(self, name: str, entries: Iterable[Listed], fault: Fault | None = None) -> Fan:
        """Give ``name`` a list, in place of the one there was."""
        fan = Fan(name, len(self.fans) + 1, tuple(entries), fault)
        self.fans[name.casefold()] = fan
        return fan

    def named(self, name: str) -> Fan | None:
        """The fan of this name."""
        return self.fans.get(name.casefold())

    def numbered(self, number: str) -> Fan | None:
        """The fan of this number."""
        if self.crowd and (member := self.crowd.numbered(number)):
            return member.fan
        return next((fan for fan in self.fans.values() if str(fan.number) == number), None)


MAL_CODES: Mapping[str, int] = {
    "watching": 1,
    "completed": 2,
    "on_hold": 3,
    "dropped": 4,
    "plan_to_watch": 6,
}
"""MyAnimeList's numbers for a status."""
