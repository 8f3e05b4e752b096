"""Where a fan's list comes from: one module a source, one shape out (``entry.FanList``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from app.lists import anilist
from app.lists.http import Limits, SourceClient, make_session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

    from app.lists.entry import FanList

__all__ = ["Source", "SourceSettings", "build_sources"]


@dataclass(frozen=True, slots=True)
class Source:
    """One service that lists can be fetched from.

    ``slug`` names it in addresses, ``name`` to fans. ``fetch`` takes what the fan typed and returns
    the list or raises a ``ListError``; it may be called from many threads. ``profile_pattern`` and
    ``list_pattern`` are addresses with ``{username}`` in them.
    """

    slug: str
    name: str
    fetch: Callable[[str], FanList]
    profile_pattern: str
    list_pattern: str

    def profile_link(self, username: str) -> str:
        """The fan's page on the service."""
        return self.profile_pattern.format(username=quote(username, safe=""))

    def list_link(self, username: str) -> str:
        """The fan's anime list on the service."""
        return self.list_pattern.format(username=quote(username, safe=""))


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """What the sources need to know of the app. Base addresses are origin and path prefix."""

    version: str
    public_url: str | None = None
    anilist_url: str = anilist.BASE_URL
    max_entries: int = 20_000
    deadline_s: float = 25.0
    limits: Limits = field(default_factory=Limits)


def build_sources(
    settings: SourceSettings,
    *,
    anilist_to_mal: Mapping[int, int],
    session: requests.Session | None = None,
) -> dict[str, Source]:
    """The sources that can be used with these settings, by slug, in the order to offer them.

    ``anilist_to_mal`` maps AniList's anime ids to MyAnimeList's. All share one ``session``.
    """
    session = session or make_session(settings.version, settings.public_url)
    sources = [
        Source(
            slug=anilist.SLUG,
            name=anilist.NAME,
            fetch=partial(
                anilist.fetch,
                client=SourceClient(anilist.NAME, session, settings.limits),
                anilist_to_mal=anilist_to_mal,
                base_url=settings.anilist_url,
                public_url=settings.public_url,
                max_entries=settings.max_entries,
                deadline_s=settings.deadline_s,
            ),
            profile_pattern="https://anilist.co/user/{username}/",
            list_pattern="https://anilist.co/user/{username}/animelist",
        ),
    ]
    return {source.slug: source for source in sources}
