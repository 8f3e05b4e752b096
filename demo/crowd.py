"""The many users of Kitsu, for those who collect: who they are, and what goes wrong on the way."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from demo.faults import Fault
from demo.world import Fan, Listed

FIRST = 1_000
"""The number of the first member; fans with names have lower ones."""
EVERY_NEWCOMER = 50


@dataclass(frozen=True, slots=True)
class Member:
    """A user of Kitsu. ``favourites`` are (type, Kitsu's id); ``minutes`` spent on anime.

    ``counts`` are Kitsu's attributes that end in Count, by what stands before that.
    """

    fan: Fan
    minutes: int = 0
    favourites: tuple[tuple[str, int], ...] = ()
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Trouble:
    """What goes wrong while a crowd is read; 0 and empty for nothing.

    Of all requests every ``limited``-th is answered 429, every ``failing``-th 500. The first
    ``removed`` entries of those in ``shifting`` are deleted after their first page. Pages of users
    that begin at one of ``broken`` are always answered 500. With ``newcomers`` somebody joins at
    the front of the users after every fifty pages of them.
    """

    limited: int = 0
    failing: int = 0
    shifting: Collection[int] = ()
    removed: int = 1
    broken: Collection[int] = ()
    newcomers: bool = False


class Crowd:
    """Members in the order of their numbers, from `FIRST` on.

    ``favourites_along``: favourites come with the users, if asked for; ``owners_told``: and it is
    said whose they are when those of several users are asked for. ``strict``: whoever asks for
    favourites along with users, or for reviews along with entries, is refused; and the number of
    users is not said, only where the last page is.
    """

    def __init__(
        self,
        members: Sequence[Member] = (),
        trouble: Trouble | None = None,
        *,
        favourites_along: bool = True,
        owners_told: bool = True,
        strict: bool = False,
    ) -> None:
        self._members = members
        self.trouble = trouble or Trouble()
        self.favourites_along = favourites_along
        self.owners_told = owners_told
        self.strict = strict
        self.asked = 0
        self._pages = 0
        self._read: set[int] = set()

    def __len__(self) -> int:
        return len(self._members)

    def member(self, place: int) -> Member:
        """The member at a place from 0."""
        return self._members[place]

    def numbered(self, number: str) -> Member | None:
        """The member of this number."""
        place = int(number) - FIRST if number.isascii() and number.isdigit() else -1
        return self.member(place) if 0 <= place < len(self) else None

    def page(self, start: int, size: int) -> list[Member]:
        """Members from a place on; places may move (`Trouble.newcomers`)."""
        if self.trouble.newcomers:
            start = max(0, start - self._pages // EVERY_NEWCOMER)
            self._pages += 1
        return [self.member(place) for place in range(start, min(start + size, len(self)))]

    def library(self, fan: Fan) -> tuple[Listed, ...]:
        """What stands in a library when it is asked for."""
        if fan.number not in self.trouble.shifting:
            return fan.entries
        gone = fan.number in self._read
        self._read.add(fan.number)
        return fan.entries[self.trouble.removed :] if gone else fan.entries


def member(
    place: int,
    entries: Sequence[Listed] = (),
    *,
    minutes: int | None = None,
    favourites: Sequence[tuple[str, int]] = (),
    fault: Fault | None = None,
) -> Member:
    """The member at a place, with counts that fit the entries."""
    scored = sum(1 for entry in entries if entry.score)
    spent = sum(entry.progress * (entry.minutes or 0) for entry in entries)
    counts = {
        "ratings": scored,
        "favorites": len(favourites),
        "reviews": sum(entry.reviewed for entry in entries),
        "comments": 3 * place % 17,
        "posts": 5 * place % 23,
        "likesGiven": 7 * place % 31,
        "likesReceived": 11 * place % 37,
        "followers": 13 * place % 41,
    }
    fan = Fan(f"Member{place}", FIRST + place, tuple(entries), fault)
    return Member(fan, spent if minutes is None else minutes, tuple(favourites), counts)
