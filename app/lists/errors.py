"""Everything that can go wrong with a list, as a small closed set.

``str(error)`` is one plain sentence that may be shown on a page: what happened and what to do
next. Which HTTP status an error becomes is the web layer's business.
"""

# ruff: noqa: N818 -- they name what happened to the list, and read so where they are caught

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum


@dataclass(eq=False, kw_only=True)
class ListError(Exception):
    """No list could be had. ``source`` is a display name such as ``AniList``."""

    source: str
    username: str | None = None


@dataclass(eq=False, kw_only=True)
class BadUsername(ListError):
    """What was typed cannot be a username there; nothing was asked of the service."""

    rule: str

    def __str__(self) -> str:
        if not self.username:
            return f"No username was given: type your {self.source} username."
        return f"That cannot be a username on {self.source}: {self.rule}."


class UnknownUser(ListError):
    """The service says that there is no such user."""

    def __str__(self) -> str:
        return (
            f"{self.source} has no user called {self.username}: check the spelling, "
            "or pick the site where your list is."
        )


@dataclass(eq=False, kw_only=True)
class PrivateList(ListError):
    """The user exists, but the list is not public.

    ``or_refused``: the service says the same when it turns Hakken away, so the sentence says both.
    """

    or_refused: bool = False

    def __str__(self) -> str:
        doubt = f" (or {self.source} is turning Hakken away right now)" if self.or_refused else ""
        return (
            f"The list of {self.username} on {self.source} is private{doubt}: "
            "make it public in the settings there, or upload your list as a file instead."
        )


class NotFoundOrPrivate(ListError):
    """The service gives one answer for both, so we cannot tell which."""

    def __str__(self) -> str:
        return (
            f"{self.source} shows no list for {self.username}, so either the name is misspelt or "
            "the list is private: check the spelling, or make the list public."
        )


class EmptyList(ListError):
    """The user exists and has nothing on the list."""

    def __str__(self) -> str:
        return (
            f"{self.username} has no anime on {self.source} yet: "
            "add a few and score them, then come back."
        )


@dataclass(eq=False, kw_only=True)
class ListTooLong(ListError):
    """More than ``limit`` titles."""

    limit: int

    def __str__(self) -> str:
        return (
            f"This list is too long, Hakken reads up to {self.limit:,} anime: "
            "try another list, or one with fewer titles."
        )


@dataclass(eq=False, kw_only=True)
class RateLimited(ListError):
    """The service asks us to slow down; ``retry_after`` is in seconds, None when it did not say."""

    retry_after: int | None = None

    def __str__(self) -> str:
        wait = "a minute" if self.retry_after is None else _format_duration(self.retry_after)
        return f"{self.source} is getting too many requests right now: try again in {wait}."


class Trouble(StrEnum):
    """Why a service gave no useful answer."""

    BROKEN = "broken"  # it fails, or says nothing that can be read
    MALFORMED = "malformed"  # it is up, but answers something else than it used to
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"  # no connection was made: nothing was heard of it at all
    REFUSED = "refused"  # it turns programs away and wants to see a browser


@dataclass(eq=False, kw_only=True)
class SourceDown(ListError):
    """The service cannot be reached, is out of order, or answers nonsense.

    ``detail`` is for the log and never shown.
    """

    detail: str
    trouble: Trouble = Trouble.BROKEN

    def __str__(self) -> str:
        upload = "upload your list as a file instead"
        match self.trouble:
            case Trouble.UNREACHABLE:
                return (
                    f"Hakken cannot reach {self.source}, so its network or the site is down: "
                    f"try again in a few minutes, or {upload}."
                )
            case Trouble.REFUSED:
                return (
                    f"{self.source} turns programs away at the moment, Hakken among them: "
                    f"try again in an hour, or {upload}."
                )
            case Trouble.TIMED_OUT:
                said = "took too long to answer"
            case Trouble.BROKEN | Trouble.MALFORMED:
                said = "is not working right now"
        return f"{self.source} {said}: try again in a few minutes, or {upload}."


class SourceNotConfigured(ListError):
    """Whoever runs this Hakken has not given it what the source needs."""

    def __str__(self) -> str:
        return (
            f"This Hakken cannot read lists on {self.source} by name: upload the export file of "
            "your list, or pick another site."
        )


class BadFileReason(Enum):
    """Why a file was refused; the value is the sentence for a page."""

    NOT_CHOSEN = "No file was chosen: pick the file that your site gave you."
    UNKNOWN = (
        "Hakken does not know what this file is: it reads the anime lists that MyAnimeList, "
        "AniList, Kitsu, Shikimori, Anime-Planet, Simkl, HiAnime, Yamtrack, MALSync and Taiga "
        "export, as .xml, .json or .csv, and packed as .gz or .zip."
    )
    BROKEN = (
        "This file is an anime list that breaks off or was changed: "
        "export it again and upload the new file as it is."
    )
    MANGA = "This is a list of manga: export your list of anime and upload that file."
    TOO_LARGE = (
        "This file is too large for an anime list: "
        "upload the export itself, as the site gave it to you."
    )
    DAMAGED = (
        "This .gz or .zip file is damaged or locked: download the export again and upload the "
        "new file."
    )
    UNSAFE_XML = (
        "This file holds XML that no list needs, such as entities, so it was not read: "
        "download the export again and upload it unchanged."
    )


@dataclass(eq=False, kw_only=True)
class BadListFile(ListError):
    """The uploaded file cannot be used; ``reason`` says why."""

    source: str = "list file"
    reason: BadFileReason

    def __str__(self) -> str:
        return self.reason.value


def _format_duration(seconds: int) -> str:
    """Words for a wait: ``1 second``, ``45 seconds``, ``2 minutes`` (rounded up past 90 s)."""
    if seconds > 90:
        return f"{-(-seconds // 60)} minutes"
    return f"{seconds} seconds" if seconds > 1 else "1 second"
