"""The many users of Kitsu, for those who collect: who they are, and what goes wrong on the way."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from demo.data import DemoEntry, DemoUser
from demo.faults import Fault

FIRST_USER_ID = 1_000
"""The number of the first member; fans with names have lower ones."""
PAGES_PER_NEW_USER = 50


@dataclass(frozen=True, slots=True)
class DemoKitsuUser:
    """A user of Kitsu. ``favourites`` are (type, Kitsu's id).

    ``counts`` are Kitsu's attributes that end in Count, by what stands before that.
    """

    user: DemoUser
    minutes_watched: int = 0
    favourites: tuple[tuple[str, int], ...] = ()
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class FaultPlan:
    """What goes wrong while a crowd is read; 0 and empty for nothing.

    The first ``removed_entries`` of those in ``shifting_ids`` are deleted after their first page.
    Pages of users that begin at one of ``broken_offsets`` are always answered 500. With
    ``add_new_users`` somebody joins at the front of the users after every fifty pages of them.
    """

    rate_limited_every: int = 0
    failing_every: int = 0
    shifting_ids: Collection[int] = ()
    removed_entries: int = 1
    broken_offsets: Collection[int] = ()
    add_new_users: bool = False


class KitsuUsers:
    """Members in the order of their numbers, from `FIRST_USER_ID` on.

    ``include_favourites``: favourites come with the users, if asked for; ``include_owners``: and it
    is said whose they are when those of several users are asked for. ``strict``: whoever asks for
    favourites along with users, or for reviews along with entries, is refused; and the number of
    users is not said, only where the last page is.
    """

    def __init__(
        self,
        users: Sequence[DemoKitsuUser] = (),
        fault_plan: FaultPlan | None = None,
        *,
        include_favourites: bool = True,
        include_owners: bool = True,
        strict: bool = False,
    ) -> None:
        self._users = users
        self.fault_plan = fault_plan or FaultPlan()
        self.include_favourites = include_favourites
        self.include_owners = include_owners
        self.strict = strict
        self.request_count = 0
        self._page_count = 0
        self._read_ids: set[int] = set()

    def __len__(self) -> int:
        return len(self._users)

    def user_at(self, index: int) -> DemoKitsuUser:
        """The member at a place from 0."""
        return self._users[index]

    def find_by_id(self, number: str) -> DemoKitsuUser | None:
        """The member of this number."""
        place = int(number) - FIRST_USER_ID if number.isascii() and number.isdigit() else -1
        return self.user_at(place) if 0 <= place < len(self) else None

    def page(self, start: int, size: int) -> list[DemoKitsuUser]:
        """Members from a place on; places may move (`FaultPlan.add_new_users`)."""
        if self.fault_plan.add_new_users:
            start = max(0, start - self._page_count // PAGES_PER_NEW_USER)
            self._page_count += 1
        return [self.user_at(place) for place in range(start, min(start + size, len(self)))]

    def library_entries(self, user: DemoUser) -> tuple[DemoEntry, ...]:
        """What stands in a library when it is asked for."""
        if user.user_id not in self.fault_plan.shifting_ids:
            return user.entries
        gone = user.user_id in self._read_ids
        self._read_ids.add(user.user_id)
        return user.entries[self.fault_plan.removed_entries :] if gone else user.entries


def favourite_anime(
    entries: Iterable[DemoEntry], least_score: float, count: int
) -> list[tuple[str, int]]:
    """What got the highest scores as favourites, the dearest first."""
    loved = [entry for entry in entries if entry.score >= least_score]
    loved.sort(key=lambda entry: (-entry.score, entry.site_id))
    return [("anime", entry.site_id) for entry in loved[:count]]


def make_kitsu_user(
    index: int,
    entries: Sequence[DemoEntry] = (),
    *,
    minutes_watched: int | None = None,
    favourites: Sequence[tuple[str, int]] = (),
    fault: Fault | None = None,
) -> DemoKitsuUser:
    """The member at a place, with counts that fit the entries."""
    scored = sum(1 for entry in entries if entry.score)
    spent = sum(entry.progress * (entry.minutes or 0) for entry in entries)
    counts = {
        "ratings": scored,
        "favorites": len(favourites),
        "reviews": sum(entry.reviewed for entry in entries),
        "comments": 3 * index % 17,
        "posts": 5 * index % 23,
        "likesGiven": 7 * index % 31,
        "likesReceived": 11 * index % 37,
        "followers": 13 * index % 41,
        "following": 17 * index % 43,
        "mediaReactions": sum(entry.reacted for entry in entries),
    }
    fan = DemoUser(f"Member{index}", FIRST_USER_ID + index, tuple(entries), fault)
    return DemoKitsuUser(
        fan, spent if minutes_watched is None else minutes_watched, tuple(favourites), counts
    )
