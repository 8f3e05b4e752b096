"""What a user types or pastes, as a username that cannot lead anywhere but to that user."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from app.lists.errors import BadUsername

UNSEEN = "\\x00-\\x1f\\x7f-\\x9f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ud800-\\udfff\\ufeff"
"""What a pattern has in brackets for control and format characters: no site has them in names."""


@dataclass(frozen=True)
class UsernameRule:
    """How names look on one site.

    ``profile_hosts`` and ``profile_path`` describe profile addresses: the latter is a pattern of
    what stands between host and name. ``description`` says the rule on a page. ``ignores_case``: no
    two names differ in nothing but their case.
    """

    source: str
    username_pattern: re.Pattern[str]
    description: str
    profile_hosts: tuple[str, ...]
    profile_path: str
    ignores_case: bool = True

    def username_in_url(self, typed: str) -> str | None:
        """Return the name in a profile address of this site; None when it is no such address."""
        hosts = "|".join(map(re.escape, self.profile_hosts))
        found = re.match(
            rf"(?:https?://)?(?:www\.)?(?:{hosts})/{self.profile_path}([^/?#\s]+)",
            typed.strip(),
            re.I,
        )
        return unquote(found[1]) if found else None

    def clean_username(self, typed: str) -> str:
        """Return the username in what was typed. Raises BadUsername: it cannot be one."""
        name = (self.username_in_url(typed) or typed.strip()).removeprefix("@")
        # Dots alone would climb out of the path they are put into.
        if not self.username_pattern.fullmatch(name) or not name.strip("."):
            raise BadUsername(source=self.source, username=name, rule=self.description)
        return name
