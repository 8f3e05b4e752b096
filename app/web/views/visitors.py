"""Who has signed in where. The visitor's own cookie says so (Flask's session), and nothing else.

It is signed and not encrypted: what is in it is the visitor's, and no script can read it. Without
``HAKKEN_COOKIE_SECRET`` there is no session, and nobody is signed in.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from flask import current_app, get_flashed_messages, request, session
from itsdangerous import BadSignature, URLSafeTimedSerializer

from app.lists import ListSource
from app.lists.errors import SignInFailed, SignInReason
from app.web.services.user_lists import UserRef
from app.web.state import get_library

FORM_SECONDS = 24 * 3600
"""How long a page can be sent from."""
_FAN = "fan"


@dataclass(frozen=True, slots=True)
class SignedInFan:
    """A visitor who has signed in at ``source``; ``ends`` is in seconds since the epoch."""

    source: ListSource
    name: str
    token: str = field(repr=False)
    ends: float

    def is_user(self, source: ListSource, username: str) -> bool:
        """Whether a page of a user is the fan's own."""
        typed = username.strip().removeprefix("@").casefold()
        return source.slug == self.source.slug and typed == self.name.casefold()

    def require_stay(self) -> None:
        """Return while the token lasts. Raises SignInFailed: not any longer."""
        if self.ends <= time.time():
            raise SignInFailed(source=self.source.name, reason=SignInReason.EXPIRED)


def remember_fan(fan: SignedInFan) -> None:
    """Keep who has signed in, in the cookie that goes out with the answer."""
    kept = {"source": fan.source.slug, "name": fan.name, "token": fan.token, "ends": fan.ends}
    session[_FAN] = kept
    session.permanent = True


def signed_in_fan() -> SignedInFan | None:
    """Return who has signed in."""
    if not current_app.secret_key:
        return None
    match session.get(_FAN):
        case {"source": str(slug), "name": str(name), "token": str(token), "ends": float(ends)}:
            source = get_library().sources.get(slug)
            if source is not None and source.sign_in is not None:
                return SignedInFan(source, name, token, ends)
    return None


def refer_to_user(source: ListSource, username: str) -> UserRef:
    """Name a user; the list of the visitor's own page is read with the visitor's token.

    Raises SignInFailed: it is the visitor's, whose token has expired.
    """
    fan = signed_in_fan()
    if fan is None or not fan.is_user(source, username):
        return UserRef(source, username)
    fan.require_stay()
    return UserRef(source, username, fan.token)


def account_context() -> dict[str, Any]:
    """Return what a page needs to show to who has signed in; nothing for anybody else.

    ``own_form`` is what its forms have to bring back: no page of another site can know it. It is
    another one every second, so that its length in a compressed page tells nothing.
    """
    fan = signed_in_fan()
    if fan is None:
        return {}
    return {"fan": fan, "own_form": _form_serializer().dumps([fan.source.slug, fan.name])}


def require_own_form(source: ListSource) -> SignedInFan:
    """Return the fan who sends a form of ours. Raises SignInFailed: somebody else does."""
    fan = signed_in_fan()
    try:
        sender = _form_serializer().loads(request.form.get("token", ""), max_age=FORM_SECONDS)
    except BadSignature:
        sender = None
    if fan is None or sender != [source.slug, fan.name] or source.slug != fan.source.slug:
        raise SignInFailed(source=source.name, reason=SignInReason.OTHER_PAGE)
    fan.require_stay()
    return fan


def take_notices() -> list[str]:
    """Return what the last form has done, once; to be called before anything of a page is sent."""
    return [str(each) for each in get_flashed_messages()] if current_app.secret_key else []


def _form_serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt="hakken form")
