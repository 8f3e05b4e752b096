"""Two fans: their lists, fetched side by side, and the answer for both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial

from app.lists import Source
from app.lists.entry import FanList
from app.lists.errors import BadUsername, ListError
from app.metrics import ANSWER_SECONDS, note_list
from app.recommender import Listed, Together, recommend_together
from app.web.answering import (
    Answered,
    answered_by,
    fetch_list,
    filters_for,
    to_listed,
    visitor_of,
    where_to_look,
    wished,
)
from app.web.filters import Filter
from app.web.options import BadQuery, Options
from app.web.state import Library

PREFIXES = ("", "with_")
"""What stands before ``source`` and ``username`` of the first and of the second fan."""
ORDINALS = ("first", "second")
REASONS = 2
"""Titles of each that are told with a recommendation."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One of the two as asked for."""

    source: Source
    username: str


class OneOfTwo(Exception):  # noqa: N818 -- it names what happened, as the errors of lists do
    """The list of one of the two could not be had, or of both: ``faults`` by place, 0 or 1."""

    def __init__(self, faults: Mapping[int, ListError], names: Sequence[str]) -> None:
        self.faults = dict(faults)
        super().__init__(" ".join(_told(fault, names[at], at) for at, fault in faults.items()))

    @property
    def first(self) -> ListError:
        """The fault that decides what kind of problem it is."""
        return next(iter(self.faults.values()))


def _told(fault: ListError, name: str, place: int) -> str:
    """The sentence, with whose list it is about unless it says so itself."""
    sentence = str(fault)
    if name and name in sentence:
        return sentence
    return f"{name or f'The {ORDINALS[place]} fan'}: {sentence}"


def both_meant(library: Library, arguments: Mapping[str, str]) -> tuple[Asked, Asked]:
    """The two fans that a visitor means by what was typed.

    Raises:
        BadQuery: there is no such source.
        OneOfTwo: what was typed cannot be a username.
    """
    names = [arguments.get(f"{prefix}username", "").strip() for prefix in PREFIXES]
    found: list[Asked] = []
    faults: dict[int, ListError] = {}
    for at, (prefix, name) in enumerate(zip(PREFIXES, names, strict=True)):
        try:
            source, username = where_to_look(library, arguments.get(f"{prefix}source", ""), name)
            # Cleaned here, so that the address has as many parts as it should.
            found.append(Asked(source, source.names.clean(username)))
        except BadUsername as fault:
            faults[at] = fault
        except BadQuery as fault:
            sentence = str(fault).replace(f"“{fault.field}”", f"“{prefix}{fault.field}”")
            raise BadQuery(f"{prefix}{fault.field}", sentence) from None
    if faults:
        raise OneOfTwo(faults, names)
    return found[0], found[1]


def fetch_both(one: Asked, other: Asked) -> tuple[FanList, FanList]:
    """Both lists, read at the same time.

    Raises:
        OneOfTwo: there is trouble with one of them, or with both.
    """
    asked = (one, other)
    with ThreadPoolExecutor(len(asked)) as pool:
        # What is logged there belongs to this request.
        waiting = [
            pool.submit(copy_context().run, fetch_list, each.source, each.username)
            for each in asked
        ]
    faults: dict[int, ListError] = {}
    lists: list[FanList] = []
    for at, future in enumerate(waiting):
        try:
            lists.append(future.result())
        except ListError as fault:
            faults[at] = fault
    if faults:
        raise OneOfTwo(faults, [each.username for each in asked])
    return lists[0], lists[1]


def answer_both(
    library: Library, one: FanList, other: FanList, options: Options
) -> Answered[Together]:
    """What both would enjoy, by the same options as for one.

    What is marked as seen counts as seen by both. Titles that either plans to watch stay in;
    ``planned=only`` leaves nothing else.
    """
    listed = to_listed(one), to_listed(other)
    ask = partial(_answer, library, listed)
    answered = answered_by(ask, options, lambda found: len(found.recommendations))
    for fan_list, each in zip((one, other), listed, strict=True):
        note_list(library.model.find(each.anime_id) >= 0, fan_list.unmapped)
    return answered


@ANSWER_SECONDS.time()
def _answer(
    library: Library, listed: tuple[Listed, Listed], options: Options
) -> tuple[Together, list[Filter]]:
    one, other = (visitor_of(library, each, options) for each in listed)
    filters = filters_for(library, (one, other), options)
    wish = replace(wished(library, options, filters), reasons=REASONS)
    found = recommend_together(library.model, one, other, wish)
    return found, filters
