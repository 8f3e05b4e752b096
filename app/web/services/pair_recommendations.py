"""Two users: their lists, fetched side by side, and the recommendations for both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from functools import partial

from app.lists.entry import AnimeList
from app.lists.errors import BadUsername, ListError
from app.observability.metrics import RECOMMEND_SECONDS, count_list_entries
from app.recommender import GroupResult, UserList, recommend_group
from app.translation import gettext, mark
from app.web.requests.query import QueryOptions
from app.web.requests.values import InvalidQuery
from app.web.services.filters import ActiveFilter
from app.web.services.library import Library
from app.web.services.recommendations import (
    FilteredResult,
    active_filters_for,
    build_options,
    build_user_profile,
    run_with_relaxations,
)
from app.web.services.user_lists import UserRef, fetch_list, resolve_user, to_user_list

PARAMETER_PREFIXES = ("", "with_")
"""What stands before ``source`` and ``username`` of the first and of the second user."""
ORDINALS = (mark("The first fan"), mark("The second fan"))
REASONS_PER_MEMBER = 2
"""Contributions of each that are shown with a recommendation."""


class PairListError(Exception):
    """The list of one of the two could not be had, or of both: errors by position, 0 or 1."""

    def __init__(self, list_errors: Mapping[int, ListError], names: Sequence[str]) -> None:
        self.list_errors, self.names = dict(list_errors), names
        super().__init__()

    def __str__(self) -> str:
        return " ".join(
            _describe_error(error, self.names[at], at) for at, error in self.list_errors.items()
        )

    @property
    def first_error(self) -> ListError:
        """The error that decides what kind of problem it is."""
        return next(iter(self.list_errors.values()))


def _describe_error(error: ListError, name: str, index: int) -> str:
    """Say whose list the sentence is about, unless it does so itself."""
    sentence = str(error)
    if name and name in sentence:
        return sentence
    return f"{name or gettext(ORDINALS[index])}: {sentence}"


def resolve_pair(library: Library, arguments: Mapping[str, str]) -> tuple[UserRef, UserRef]:
    """Find the two users that a visitor means by what was typed.

    Raises InvalidQuery: there is no such site; PairListError: what was typed cannot be a username.
    """
    names = [arguments.get(f"{prefix}username", "").strip() for prefix in PARAMETER_PREFIXES]
    found: list[UserRef] = []
    list_errors: dict[int, ListError] = {}
    for at, (prefix, name) in enumerate(zip(PARAMETER_PREFIXES, names, strict=True)):
        try:
            user = resolve_user(library, arguments.get(f"{prefix}source", ""), name)
            # Cleaned here, so that the address has as many parts as it should.
            username = user.source.username_rule.clean_username(user.username)
            found.append(replace(user, username=username))
        except BadUsername as error:
            list_errors[at] = error
        except InvalidQuery as error:
            sentence = str(error).replace(f"“{error.field}”", f"“{prefix}{error.field}”")
            raise InvalidQuery(f"{prefix}{error.field}", sentence) from None
    if list_errors:
        raise PairListError(list_errors, names)
    return found[0], found[1]


def fetch_pair_lists(one: UserRef, other: UserRef) -> tuple[AnimeList, AnimeList]:
    """Fetch both lists at the same time.

    Raises InvalidQuery: both are the same user; PairListError: one of them cannot be had, or
    neither.
    """
    users = (one, other)
    if one.source is other.source and one.username.casefold() == other.username.casefold():
        raise InvalidQuery(
            "with_username",
            gettext("Both fans are %(name)s: name another one to compare with.", name=one.username),
        )
    with ThreadPoolExecutor(len(users)) as pool:
        # What is logged in the threads belongs to this request.
        waiting = [pool.submit(copy_context().run, fetch_list, user) for user in users]
    list_errors: dict[int, ListError] = {}
    lists: list[AnimeList] = []
    for at, future in enumerate(waiting):
        try:
            lists.append(future.result())
        except ListError as error:
            list_errors[at] = error
    if list_errors:
        raise PairListError(list_errors, [each.username for each in users])
    return lists[0], lists[1]


def recommend_for_pair(
    library: Library, one: AnimeList, other: AnimeList, options: QueryOptions
) -> FilteredResult[GroupResult]:
    """Recommend for both, by the same options as for one.

    What is marked as seen counts as seen by both. Titles that either plans to watch stay in;
    ``planned=only`` leaves nothing else.
    """
    user_lists = to_user_list(one), to_user_list(other)
    run = partial(_recommend_pair, library, user_lists)
    filtered = run_with_relaxations(run, options, lambda found: len(found.recommendations))
    for anime_list, each in zip((one, other), user_lists, strict=True):
        count_list_entries(library.model.find_positions(each.anime_id) >= 0, anime_list.unmapped)
    return filtered


@RECOMMEND_SECONDS.time()
def _recommend_pair(
    library: Library, user_lists: tuple[UserList, UserList], options: QueryOptions
) -> tuple[GroupResult, list[ActiveFilter]]:
    one, other = (build_user_profile(library, each, options) for each in user_lists)
    filters = active_filters_for(library, (one, other), options)
    recommend_options = replace(
        build_options(library, options, filters), explanation_size=REASONS_PER_MEMBER
    )
    found = recommend_group(library.model, one, other, recommend_options)
    return found, filters
