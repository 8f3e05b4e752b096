"""Signing in at MyAnimeList and AniList by OAuth 2 (RFC 6749), and what a fan who has may do.

Tokens are the fan's: they come from the caller, and nothing here keeps or logs one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar
from urllib.parse import urlencode

from pydantic import AliasPath, BaseModel, BeforeValidator, Field

from app.lists import anilist, myanimelist
from app.lists.anilist import GraphQLError
from app.lists.deadline import Deadline
from app.lists.errors import SignInFailed, SignInReason, SourceDown, TitleNotThere, Trouble
from app.lists.http_client import HttpResponse, SourceClient
from app.lists.payload import (
    Rows,
    drop_nulls,
    error_for_status,
    is_html,
    parse_payload,
    try_parse_payload,
)
from app.lists.service_guard import ServiceGuard

MAX_TOKEN_LENGTH = 2_048
"""Both sites' have about a thousand letters; a cookie has room for four thousand."""
MAX_STAY_SECONDS = 30 * 24 * 3600
"""How long a fan stays signed in at most, whatever the site says of its token."""


class _TokenAnswer(BaseModel):
    access_token: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9._~+/=-]+$", min_length=8, max_length=MAX_TOKEN_LENGTH)
    ]
    expires_in: Annotated[int, Field(ge=1)] = 3600


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A fan who has just signed in, under the name that the site has, for so many seconds."""

    name: str
    token: str = field(repr=False)
    seconds: int


@dataclass(frozen=True, slots=True)
class GuardedClient:
    """Asks a service about nobody in particular, under its guard and within a deadline."""

    client: SourceClient
    guard: ServiceGuard
    deadline_s: float

    def send(self, method: str, url: str, **options: Any) -> HttpResponse:
        """One answer of the service itself; raises SourceDown or RateLimited for trouble."""
        with self.guard.asking(None):
            deadline = Deadline(self.deadline_s)
            reply = self.client.send(method, url, username="", deadline=deadline, **options)
            if reply.status == 429 or reply.status >= 500 or is_html(reply):
                raise error_for_status(reply)
        return reply


@dataclass(frozen=True, kw_only=True)
class SignIn(ABC):
    """One site: ``website`` hands out tokens at ``web_url``, ``api`` takes them at ``api_url``."""

    authorize_path: ClassVar[str]
    token_path: ClassVar[str]
    proves_itself: ClassVar[bool]
    """Whether the site wants a code verifier (RFC 7636)."""
    id_field: ClassVar[str]
    """What of `app.catalogue.Anime` is the site's own number."""

    website: GuardedClient
    web_url: str
    api: GuardedClient
    api_url: str
    client_id: str
    client_secret: str = field(repr=False)

    def authorize_url(self, redirect_uri: str, state: str, verifier: str) -> str:
        """Build the address at which the fan is asked."""
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "state": state,
        }
        if self.proves_itself:  # MyAnimeList knows no other method
            query |= {"code_challenge": verifier, "code_challenge_method": "plain"}
        return f"{self.web_url}{self.authorize_path}?{urlencode(query)}"

    def finish(self, code: str, redirect_uri: str, verifier: str) -> SignedIn:
        """Change the code that a fan came back with for a token, and ask whose it is.

        Raises SignInFailed: the site does not accept the code; ListError: the site is in trouble.
        """
        form = {
            "grant_type": "authorization_code",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "redirect_uri": redirect_uri,
            "code": code,
        }
        if self.proves_itself:
            form["code_verifier"] = verifier
        reply = self.website.send("POST", f"{self.web_url}{self.token_path}", data=form)
        if reply.status != 200:
            raise self._failed(SignInReason.REFUSED)
        answer = parse_payload(_TokenAnswer, reply)
        name = self.read_name(answer.access_token)
        return SignedIn(name, answer.access_token, min(answer.expires_in, MAX_STAY_SECONDS))

    @abstractmethod
    def read_name(self, token: str) -> str:
        """Return the name of the fan; raises ListError."""

    @abstractmethod
    def add_to_plan(self, token: str, site_id: int, title: str) -> bool:
        """Put an anime on the plan to watch; False if it is on the list already, and stays so.

        Raises TitleNotThere: the site has no such number; SignInFailed: the token is no longer
        accepted; ListError: the site is in trouble.
        """

    def _failed(self, reason: SignInReason) -> SignInFailed:
        return SignInFailed(source=self.api.client.source, reason=reason)

    def _not_there(self, title: str) -> TitleNotThere:
        return TitleNotThere(source=self.api.client.source, title=title)

    def _refused(self, reply: HttpResponse) -> SourceDown:
        return SourceDown(
            source=self.api.client.source, detail=f"HTTP {reply.status}", trouble=Trouble.MALFORMED
        )


class _MalUser(BaseModel):
    name: Annotated[str, Field(pattern=f"^{myanimelist.USERNAME_RULE.username_pattern.pattern}$")]


class _MalStatus(BaseModel):
    status: str | None = Field(None, validation_alias=AliasPath("my_list_status", "status"))


@dataclass(frozen=True, kw_only=True)
class MalSignIn(SignIn):
    """MyAnimeList (https://myanimelist.net/apiconfig/references/authorization)."""

    authorize_path = "/v1/oauth2/authorize"
    token_path = "/v1/oauth2/token"  # noqa: S105 -- a path
    proves_itself = True
    id_field = "anime_id"

    def read_name(self, token: str) -> str:
        """Return the name of the fan; raises ListError."""
        return parse_payload(_MalUser, self._ask(token, "GET", "/users/@me")).name

    def add_to_plan(self, token: str, site_id: int, title: str) -> bool:
        """Put an anime on the plan to watch, as the base says."""
        path, asked = f"/anime/{site_id}", {"fields": "my_list_status"}
        reply = self._ask(token, "GET", path, title, params=asked)
        if parse_payload(_MalStatus, reply).status:
            return False
        form = {"status": "plan_to_watch"}
        self._ask(token, "PATCH", f"{path}/my_list_status", title, data=form)
        return True

    def _ask(
        self, token: str, method: str, path: str, title: str = "", **options: Any
    ) -> HttpResponse:
        headers = {"Authorization": f"Bearer {token}"}
        reply = self.api.send(method, f"{self.api_url}{path}", headers=headers, **options)
        if reply.status == 401:
            raise self._failed(SignInReason.EXPIRED)
        if reply.status == 404 and title:
            raise self._not_there(title)
        if reply.status != 200:
            raise self._refused(reply)
        return reply


class _AniListUser(BaseModel):
    name: Annotated[
        str,
        Field(
            validation_alias=AliasPath("data", "Viewer", "name"),
            pattern=f"^{anilist.USERNAME_RULE.username_pattern.pattern}$",
        ),
    ]


class _AniListStatus(BaseModel):
    id: int = Field(validation_alias=AliasPath("data", "Media", "id"))
    status: str | None = Field(
        None, validation_alias=AliasPath("data", "Media", "mediaListEntry", "status")
    )


class _AniListErrors(BaseModel):
    errors: Annotated[Rows[GraphQLError], BeforeValidator(drop_nulls)]


@dataclass(frozen=True, kw_only=True)
class AniListSignIn(SignIn):
    """AniList (https://docs.anilist.co/guide/auth), which documents no code verifiers."""

    authorize_path = "/api/v2/oauth/authorize"
    token_path = "/api/v2/oauth/token"  # noqa: S105 -- a path
    proves_itself = False
    id_field = "anilist_id"
    public_url: str | None = None

    def read_name(self, token: str) -> str:
        """Return the name of the fan; raises ListError."""
        return parse_payload(_AniListUser, self._ask(token, "query { Viewer { name } }")).name

    def add_to_plan(self, token: str, site_id: int, title: str) -> bool:
        """Put an anime on the plan to watch, as the base says."""
        asked = "query ($id: Int) { Media(id: $id, type: ANIME) { id mediaListEntry { status } } }"
        if parse_payload(_AniListStatus, self._ask(token, asked, site_id, title)).status:
            return False
        mutation = (
            "mutation ($id: Int) { SaveMediaListEntry(mediaId: $id, status: PLANNING) { status } }"
        )
        self._ask(token, mutation, site_id, title)
        return True

    def _ask(
        self, token: str, query: str, site_id: int | None = None, title: str = ""
    ) -> HttpResponse:
        headers = anilist.request_headers(self.public_url, token)
        body = {"query": query, "variables": {"id": site_id} if site_id else {}}
        reply = self.api.send("POST", self.api_url, headers=headers, json=body)
        # GraphQL reports errors with HTTP 200 too.
        told = try_parse_payload(_AniListErrors, reply)
        errors = told.errors if told else []
        if reply.status == 401 or any(each.refuses_token for each in errors):
            raise self._failed(SignInReason.EXPIRED)
        if title and (reply.status == 404 or any(each.status == 404 for each in errors)):
            raise self._not_there(title)
        if reply.status != 200 or errors:
            raise self._refused(reply)
        return reply
