"""What a fan types or pastes, as a username that cannot lead anywhere but to that user."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from app.lists.errors import BadUsername


@dataclass(frozen=True)
class NameRule:
    """How names look on one site.

    ``hosts`` and ``path`` describe profile addresses: ``path`` is a pattern of what stands between
    host and name. ``words`` say the rule to a fan.
    """

    source: str
    pattern: re.Pattern[str]
    words: str
    hosts: tuple[str, ...]
    path: str

    def in_address(self, typed: str) -> str | None:
        """The name in a profile address of this site; None when it is no such address."""
        hosts = "|".join(map(re.escape, self.hosts))
        found = re.match(
            rf"(?:https?://)?(?:www\.)?(?:{hosts})/{self.path}([^/?#\s]+)", typed.strip(), re.I
        )
        return unquote(found[1]) if found else None

    def clean(self, typed: str) -> str:
        """The username in what was typed.

        Raises:
            BadUsername: it cannot be one.
        """
        name = (self.in_address(typed) or typed.strip()).removeprefix("@")
        # Dots alone would climb out of the path they are put into.
        if not self.pattern.fullmatch(name) or not name.strip("."):
            raise BadUsername(source=self.source, username=name, rule=self.words)
        return name
