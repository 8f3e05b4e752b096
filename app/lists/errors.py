"""Everything that can go wrong with a list, as a small closed set.

``str(error)`` is one plain sentence that may be shown on a page, in the language of whoever asks:
what happened and what to do next. Which HTTP status an error becomes is the web layer's business.
"""

# ruff: noqa: N818 -- they name what happened to the list, and read so where they are caught

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import ClassVar

from app.translation import gettext, mark, ngettext


@dataclass(eq=False, kw_only=True)
class ListError(Exception):
    """No list could be had. ``source`` is a display name such as ``AniList``.

    ``sentence`` is a message that names these as ``site`` and ``name``, further fields as they are.
    """

    sentence: ClassVar[str]

    source: str
    username: str | None = None

    def __str__(self) -> str:
        return gettext(self.sentence, site=self.source, name=self.username, **vars(self))


@dataclass(eq=False, kw_only=True)
class BadUsername(ListError):
    """What was typed cannot be a username there; nothing was asked of the service."""

    rule: str
    """What names are like there, a message."""

    def __str__(self) -> str:
        if not self.username:
            return gettext("No username was given: type your %(site)s username.", site=self.source)
        return gettext(
            "That cannot be a username on %(site)s: %(rule)s.",
            site=self.source,
            rule=gettext(self.rule),
        )


class UnknownUser(ListError):
    """The service says that there is no such user."""

    sentence = mark(
        "%(site)s has no user called %(name)s: check the spelling, or pick the site where your "
        "list is."
    )


@dataclass(eq=False, kw_only=True)
class PrivateList(ListError):
    """The user exists, but the list is not public.

    ``or_refused``: the service says the same when it turns Hakken away, so the sentence says both.
    """

    or_refused: bool = False

    def __str__(self) -> str:
        if self.or_refused:
            return gettext(
                "The list of %(name)s on %(site)s is private (or %(site)s is turning Hakken away "
                "right now): make it public in the settings there, or upload your list as a file "
                "instead.",
                name=self.username,
                site=self.source,
            )
        return gettext(
            "The list of %(name)s on %(site)s is private: make it public in the settings there, or "
            "upload your list as a file instead.",
            name=self.username,
            site=self.source,
        )


class NotFoundOrPrivate(ListError):
    """The service gives one answer for both, so we cannot tell which."""

    sentence = mark(
        "%(site)s shows no list for %(name)s, so either the name is misspelt or the list is "
        "private: check the spelling, or make the list public."
    )


class EmptyList(ListError):
    """The user exists and has nothing on the list."""

    sentence = mark(
        "%(name)s has no anime on %(site)s yet: add a few and score them, then come back."
    )


@dataclass(eq=False, kw_only=True)
class ListTooLong(ListError):
    """More than ``limit`` titles."""

    limit: int

    def __str__(self) -> str:
        return ngettext(
            "This list is too long, Hakken reads up to %(count)s anime: try another list, or one "
            "with fewer titles.",
            "This list is too long, Hakken reads up to %(count)s anime: try another list, or one "
            "with fewer titles.",
            self.limit,
        )


@dataclass(eq=False, kw_only=True)
class RateLimited(ListError):
    """The service asks us to slow down; ``retry_after`` is in seconds, None when it did not say."""

    retry_after: int | None = None

    def __str__(self) -> str:
        wait = (
            gettext("a minute") if self.retry_after is None else _format_duration(self.retry_after)
        )
        return gettext(
            "%(site)s is getting too many requests right now: try again in %(wait)s.",
            site=self.source,
            wait=wait,
        )


class Trouble(StrEnum):
    """Why a service gave no useful answer."""

    BROKEN = "broken"  # it fails, or says nothing that can be read
    MALFORMED = "malformed"  # it is up, but answers something else than it used to
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"  # no connection was made: nothing was heard of it at all
    REFUSED = "refused"  # it turns programs away and wants to see a browser


_NOT_WORKING = mark(
    "%(site)s is not working right now: try again in a few minutes, or upload your list as a file "
    "instead."
)
_TROUBLE_SENTENCES = {
    Trouble.BROKEN: _NOT_WORKING,
    Trouble.MALFORMED: _NOT_WORKING,
    Trouble.TIMED_OUT: mark(
        "%(site)s took too long to answer: try again in a few minutes, or upload your list as a "
        "file instead."
    ),
    Trouble.UNREACHABLE: mark(
        "Hakken cannot reach %(site)s, so its network or the site is down: try again in a few "
        "minutes, or upload your list as a file instead."
    ),
    Trouble.REFUSED: mark(
        "%(site)s turns programs away at the moment, Hakken among them: try again in an hour, or "
        "upload your list as a file instead."
    ),
}


@dataclass(eq=False, kw_only=True)
class SourceDown(ListError):
    """The service cannot be reached, is out of order, or answers nonsense.

    ``detail`` is for the log and never shown.
    """

    detail: str
    trouble: Trouble = Trouble.BROKEN

    def __str__(self) -> str:
        return gettext(_TROUBLE_SENTENCES[self.trouble], site=self.source)


class SignInReason(Enum):
    """Why a fan is not signed in; the value is the sentence for a page, a message."""

    DENIED = mark(
        "You did not let Hakken read your list on %(site)s, so nothing was read: sign in again, or "
        "upload your list as a file instead."
    )
    NOT_BEGUN = mark(
        "This sign-in at %(site)s was not begun in this browser, or too long ago: begin it again."
    )
    REFUSED = mark(
        "%(site)s did not accept this sign-in, perhaps because it was used before: sign in again."
    )
    EXPIRED = mark(
        "Your sign-in at %(site)s has come to its end, and you are signed out: sign in again to "
        "have your private list read."
    )
    OTHER_PAGE = mark(
        "This page was not made for who is signed in at %(site)s now: open your picks anew, and "
        "send it from there."
    )


@dataclass(eq=False, kw_only=True)
class SignInFailed(ListError):
    """A fan is not signed in, or no longer."""

    reason: SignInReason

    def __str__(self) -> str:
        return gettext(self.reason.value, site=self.source)


@dataclass(eq=False, kw_only=True)
class TitleNotThere(ListError):
    """The site has no such anime."""

    sentence = mark(
        "%(site)s does not have %(title)s, so it was not added: look for it there by hand."
    )
    title: str


@dataclass(eq=False, kw_only=True)
class PlanNotSaved(ListError):
    """An anime could not be added to the plan of a fan, because of ``cause``."""

    sentence = mark(
        "%(site)s did not confirm that %(title)s is on your plan to watch: look there, or try "
        "again in a few minutes."
    )
    title: str
    cause: ListError


class SourceNotConfigured(ListError):
    """Whoever runs this Hakken has not given it what the source needs."""

    sentence = mark(
        "This Hakken cannot read lists on %(site)s by name: upload the export file of your "
        "list, or pick another site."
    )


class BadFileReason(Enum):
    """Why a file was refused; the value is the sentence for a page, a message."""

    NOT_CHOSEN = mark("No file was chosen: pick the file that your site gave you.")
    UNKNOWN = mark(
        "Hakken does not know what this file is: it reads the anime lists that MyAnimeList, "
        "AniList, Kitsu, Shikimori, Anime-Planet, Simkl, HiAnime, Yamtrack, MALSync and Taiga "
        "export, as .xml, .json or .csv, and packed as .gz or .zip."
    )
    BROKEN = mark(
        "This file is an anime list that breaks off or was changed: "
        "export it again and upload the new file as it is."
    )
    MANGA = mark("This is a list of manga: export your list of anime and upload that file.")
    TOO_LARGE = mark(
        "This file is too large for an anime list: "
        "upload the export itself, as the site gave it to you."
    )
    DAMAGED = mark(
        "This .gz or .zip file is damaged or locked: download the export again and upload the "
        "new file."
    )
    UNSAFE_XML = mark(
        "This file holds XML that no list needs, such as entities, so it was not read: "
        "download the export again and upload it unchanged."
    )


@dataclass(eq=False, kw_only=True)
class BadListFile(ListError):
    """The uploaded file cannot be used; ``reason`` says why."""

    source: str = "list file"
    reason: BadFileReason

    def __str__(self) -> str:
        return gettext(self.reason.value)


def _format_duration(seconds: int) -> str:
    """Words for a wait: ``1 second``, ``45 seconds``, ``2 minutes`` (rounded up past 90 s)."""
    if seconds > 90:
        minutes = -(-seconds // 60)
        return ngettext("%(count)s minute", "%(count)s minutes", minutes)
    return ngettext("%(count)s second", "%(count)s seconds", max(seconds, 1))
