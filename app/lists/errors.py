"""Everything that can go wrong with a list, as a small closed set.

``str(error)`` is one plain sentence that may be shown on a page: what happened and what to do
next. Which HTTP status an error becomes is the web layer's business.
"""

# ruff: noqa: N818 -- they name what happened to the list, and read so where they are caught

from __future__ import annotations

from enum import Enum


class ListError(Exception):
    """No list could be had. ``source`` is a display name such as ``AniList``."""

    def __init__(self, message: str, *, source: str, username: str | None = None) -> None:
        super().__init__(message)
        self.source = source
        self.username = username


class BadUsername(ListError):
    """What was typed cannot be a username there; nothing was asked of the service."""

    def __init__(self, *, source: str, username: str, rule: str) -> None:
        if username:
            sentence = f"That cannot be a username on {source}: {rule}."
        else:
            sentence = f"No username was given: type your {source} username."
        super().__init__(sentence, source=source, username=username or None)


class UnknownUser(ListError):
    """The service says that there is no such user."""

    def __init__(self, *, source: str, username: str) -> None:
        super().__init__(
            f"{source} has no user called {username}: check the spelling, "
            "or pick the site where your list is.",
            source=source,
            username=username,
        )


class PrivateList(ListError):
    """The user exists, but the list is not public.

    ``or_refused``: the service says the same when it turns Hakken away, so the sentence says both.
    """

    def __init__(self, *, source: str, username: str, or_refused: bool = False) -> None:
        doubt = f" (or {source} is turning Hakken away right now)" if or_refused else ""
        super().__init__(
            f"The list of {username} on {source} is private{doubt}: "
            "make it public in the settings there, "
            "or upload a MyAnimeList export file instead.",
            source=source,
            username=username,
        )
        self.or_refused = or_refused


class NotFoundOrPrivate(ListError):
    """The service gives one answer for both, so we cannot tell which."""

    def __init__(self, *, source: str, username: str) -> None:
        super().__init__(
            f"{source} shows no list for {username}, so either the name is misspelt or the list is "
            "private: check the spelling, or make the list public.",
            source=source,
            username=username,
        )


class EmptyList(ListError):
    """The user exists and has nothing on the list."""

    def __init__(self, *, source: str, username: str) -> None:
        super().__init__(
            f"{username} has no anime on {source} yet: add a few and score them, then come back.",
            source=source,
            username=username,
        )


class ListTooLong(ListError):
    """More than ``limit`` titles."""

    def __init__(self, *, source: str, limit: int, username: str | None = None) -> None:
        super().__init__(
            f"This list is too long, Hakken reads up to {limit:,} anime: "
            "try another list, or one with fewer titles.",
            source=source,
            username=username,
        )
        self.limit = limit


class RateLimited(ListError):
    """The service asks us to slow down; ``retry_after`` is in seconds, None when it did not say."""

    def __init__(
        self, *, source: str, username: str | None = None, retry_after: int | None = None
    ) -> None:
        wait = "in a minute" if retry_after is None else f"in {_format_duration(retry_after)}"
        super().__init__(
            f"{source} is getting too many requests right now: try again {wait}.",
            source=source,
            username=username,
        )
        self.retry_after = retry_after


class SourceDown(ListError):
    """The service is out of order or answers nonsense.

    ``detail`` is for the log and never shown. ``timed_out`` tells slowness from other trouble, and
    ``malformed`` a service that is up but answers something else than it used to.
    """

    def __init__(
        self,
        *,
        source: str,
        detail: str,
        username: str | None = None,
        timed_out: bool = False,
        malformed: bool = False,
    ) -> None:
        trouble = "took too long to answer" if timed_out else "is not working right now"
        super().__init__(
            f"{source} {trouble}: try again in a few minutes, "
            "or upload a MyAnimeList export file instead.",
            source=source,
            username=username,
        )
        self.detail = detail
        self.timed_out = timed_out
        self.malformed = malformed


class SourceNotConfigured(ListError):
    """Whoever runs this Hakken has not given it what the source needs."""

    def __init__(self, *, source: str) -> None:
        super().__init__(
            f"This Hakken cannot read lists on {source} by name: upload the export file of your "
            "list, or pick another site.",
            source=source,
        )


class BadFileReason(Enum):
    """Why an export file was refused; the value is the sentence for a page."""

    NOT_XML = (
        "This is not a MyAnimeList export: upload the .xml or .xml.gz file "
        "that MyAnimeList gave you, unchanged."
    )
    MANGA = (
        "This is a manga export: go back to MyAnimeList's export page, "
        "choose the anime list, and upload that file."
    )
    TOO_LARGE = (
        "This file is too large for an anime list: upload the .xml.gz file "
        "that MyAnimeList gave you, unchanged."
    )
    DAMAGED_GZIP = "This .gz file is damaged: download the export again and upload the new file."
    UNSAFE_XML = (
        "This file holds XML that a MyAnimeList export never does, so it was not read: "
        "download the export again and upload it unchanged."
    )
    NO_ANIME = (
        "There is no anime in this file: export your anime list on MyAnimeList "
        "and upload the file it gives you."
    )


class BadExportFile(ListError):
    """The uploaded file cannot be used; ``reason`` says why."""

    def __init__(self, reason: BadFileReason, *, source: str) -> None:
        super().__init__(reason.value, source=source)
        self.reason = reason


def _format_duration(seconds: int) -> str:
    """Words for a wait: ``1 second``, ``45 seconds``, ``2 minutes`` (rounded up past 90 s)."""
    if seconds > 90:
        return f"{-(-seconds // 60)} minutes"
    return f"{seconds} seconds" if seconds > 1 else "1 second"
