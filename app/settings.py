"""Every environment variable that the web application reads, in one place."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from urllib.parse import unquote, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    HttpUrl,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.age_rating import Ceiling
from app.shipped import find_shipped

PROJECT_ROOT = Path(__file__).resolve().parent.parent
BUNDLED_MODEL_DIR = find_shipped("bundled_model")
RATE_LIMIT_OFF = "off"
METRICS_DIR_ENV = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which prometheus-client knows the folder in which workers count together."""

METRICS_MADE_ENV = "HAKKEN_METRICS_MADE"
"""The variable in which the server notes that it made that folder itself."""

_ORIGIN_PATTERN = r"https?://[a-z0-9.-]+(:[0-9]{1,5})?"

_Folder = Annotated[Path, AfterValidator(Path.expanduser), Field(validate_default=True)]

SettingsT = TypeVar("SettingsT", bound=BaseSettings)


class SettingsError(Exception):
    """A setting that cannot be used; the message names the variable."""


def _parse_origins(value: object) -> object:
    """Read ``a, b`` as ``("a", "b")``, each an origin: scheme, host and port, and nothing more."""
    if not isinstance(value, str):
        return value
    origins = tuple(part.strip() for part in value.split(",") if part.strip())
    for origin in origins:
        if origin != "*" and not re.fullmatch(_ORIGIN_PATTERN, origin):
            raise ValueError("each should be an origin such as https://example.org, or * for all")
    return origins


class AppSettings(BaseSettings):
    """Settings of the web application.

    Read once at start; a wrong value stops the start with the name of the variable.
    """

    model_config = SettingsConfigDict(
        env_prefix="HAKKEN_",
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        validate_by_name=True,
        validate_by_alias=True,
    )

    model: str = str(BUNDLED_MODEL_DIR)
    """Where the model is: a directory, `gs://bucket/prefix`, `s3://bucket/prefix` or
    `hf://owner/name`."""

    model_cache: _Folder = Path("~/.cache/hakken/models")
    """Where models from buckets and from the Hugging Face Hub are kept on this host."""

    model_poll: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    """About how many seconds pass between looks for a new model; 0 looks only on SIGHUP. A new one
    is taken without a restart."""

    public_url: HttpUrl | None = None
    """The app's own address: what whole addresses begin with, and what services are told that want
    to know who asks. Below a path it has the path, as `SCRIPT_NAME` has."""

    mal_client_id: Annotated[str | None, Field(validation_alias="MAL_CLIENT_ID", repr=False)] = None
    """Turns on MyAnimeList's API v2, the quickest way to a list there. Free from MyAnimeList; keep
    it secret."""

    mal_client_secret: Annotated[
        str | None, Field(validation_alias="MAL_CLIENT_SECRET", repr=False)
    ] = None
    """With it, fans sign in at MyAnimeList to have a private list read. Register the app there as
    "web", with the redirect address `HAKKEN_PUBLIC_URL` and `/oauth/myanimelist/callback`."""

    anilist_client_id: Annotated[str | None, Field(validation_alias="ANILIST_CLIENT_ID")] = None
    """The same at AniList, with the redirect address `HAKKEN_PUBLIC_URL` and
    `/oauth/anilist/callback`."""

    anilist_client_secret: Annotated[
        str | None, Field(validation_alias="ANILIST_CLIENT_SECRET", repr=False)
    ] = None
    """What AniList shows beside the id; it needs both."""

    cookie_secret: Annotated[
        str | None, Field(min_length=32, repr=False, validate_default=True)
    ] = None
    """Signs the cookie of who has signed in: 32 random letters or more, the same on every host. A
    new one signs all out. `python -c "import secrets; print(secrets.token_hex(32))"` makes one."""

    mal_web: bool = True
    """Whether lists are read from MyAnimeList's public list pages where nothing better answers.
    They need no key and are asked for one by one, one every two seconds; 0 leaves them alone.
    `collect` asks them only with a 1."""

    mal_url: HttpUrl = HttpUrl("https://api.myanimelist.net/v2")
    """MyAnimeList's API v2."""

    mal_web_url: HttpUrl = HttpUrl("https://myanimelist.net")
    """MyAnimeList's website."""

    anilist_url: HttpUrl = HttpUrl("https://graphql.anilist.co")
    """AniList's GraphQL endpoint."""

    anilist_web_url: HttpUrl = HttpUrl("https://anilist.co")
    """AniList's website, where fans sign in."""

    kitsu_url: HttpUrl = HttpUrl("https://kitsu.app/api/edge")
    """Kitsu's API."""

    jikan_url: HttpUrl | None = None
    """A Jikan that the operator runs, such as `http://host/v4`; one that ends in `/v3` is asked as
    Jikan 3. There is no public one any more."""

    shikimori_url: HttpUrl = HttpUrl("https://shikimori.io/api")
    """Shikimori's API."""

    details_url: HttpUrl | None = None
    """A host that describes anime as Jikan 4 does (`/anime/{id}`), for pictures and synopses that
    the others do not have. Without it, `HAKKEN_JIKAN_URL` is asked."""

    limits: bool = True
    """Whether to keep to what the services allow; 0 only for services that are your own."""

    cache_url: Annotated[str | None, Field(pattern=r"^(rediss?|unix)://", repr=False)] = None
    """A Redis (`redis://`, `rediss://` or `unix://`) for caches and limits shared by hosts; without
    it, files on this host."""

    cache_dir: _Folder = Path("~/.cache/hakken/shared")
    """Where caches and limits are kept on this host; a temporary folder where this cannot be
    written."""

    list_cache: Annotated[float, Field(ge=0, le=1200)] = 300.0
    """Seconds that a list is remembered, 0 for not at all. The pages promise less than an hour, all
    in all."""

    list_stale: Annotated[float, Field(ge=0, le=2400)] = 1800.0
    """Seconds more that a remembered list may stand in for a service that is down."""

    list_deadline: Annotated[float, Field(gt=0, le=60)] = 20.0
    """Seconds that fetching a list may take in all; a site may be silent for 10 or half of them."""

    list_grace: Annotated[float, Field(ge=0, le=120)] = 0.3
    """Seconds that a list may take before its page is begun without it, to be ended when the list
    is there. With 120 a page is always sent whole."""

    max_list_length: Annotated[int, Field(gt=0)] = 20_000
    """Entries that a list may have; a longer one is refused."""

    max_rating: Ceiling | None = None
    """The highest age rating that is recommended to anybody: `g`, `pg`, `pg13`, `r17` or `rplus`;
    adult titles then never are. What a fan lists or asks for by name is still shown."""

    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_parse_origins)] = ()
    """Origins, such as `https://example.org`, with commas between them, whose pages may ask the
    API; `*` for all. Without it none may."""

    log_level: str = "INFO"
    """The least severe level that is logged: `DEBUG`, `INFO`, `WARNING` or `ERROR`."""

    log_format: Literal["text", "json"] = "text"
    """`json` writes every line of the log, gunicorn's included, as one JSON object."""

    metrics: bool = False
    """Whether `/metrics` answers, to everybody who reaches it unless there is a token."""

    metrics_token: Annotated[str | None, Field(min_length=16, repr=False)] = None
    """With it, `/metrics` answers only `Authorization: Bearer` and this."""

    sentry_dsn: Annotated[str | None, Field(pattern=r"^https?://", repr=False)] = None
    """Where bugs are reported, without anything of the request. Needs the package `sentry-sdk`."""

    hosts: str = ""
    """Names by which visitors may call this host, with commas between them; a leading dot stands
    for all subdomains, `*` for any name. By default the one in `HAKKEN_PUBLIC_URL`, else any."""

    trusted_proxies: Annotated[int, Field(ge=0, le=10)] = 0
    """How many proxies of yours stand before this host. That many entries of `X-Forwarded-For` and
    `X-Forwarded-Proto` are believed. Wrongly 0, all visitors share one rate limit; too high, anyone
    can pretend to be somebody else."""

    rate_lists: str = "60/minute"
    """What one address may ask for that reads a list, such as `30/minute; 500/day`, or `off`. Each
    worker counts by itself, unless there is a Redis."""

    rate_pages: str = "300/minute"
    """The same for everything else; static files, health and metrics are free."""

    @field_validator("cookie_secret")
    @classmethod
    def _validate_sign_in(cls, secret: str | None, info: ValidationInfo) -> str | None:
        """Refuse settings of which only a part of what signing in needs is there."""
        missing = _missing_for_sign_in({**info.data, "cookie_secret": secret})
        if missing:
            raise ValueError(f"signing in needs {missing} as well: set it, or leave out the rest")
        return secret

    @field_validator("rate_lists", "rate_pages")
    @classmethod
    def _validate_rate(cls, rate: str) -> str:
        from limits import parse_many

        if rate == RATE_LIMIT_OFF:
            return rate
        try:
            parse_many(rate)
        except ValueError:
            raise ValueError("not a rate; write it as 30/minute or 30/minute; 500/day") from None
        return rate

    @field_validator("log_level")
    @classmethod
    def _validate_log_level(cls, level: str) -> str:
        import logging

        if level.upper() not in logging.getLevelNamesMapping():
            raise ValueError("not a log level; use DEBUG, INFO, WARNING or ERROR")
        return level.upper()

    @property
    def trusted_hosts(self) -> tuple[str, ...]:
        """Names that a request may be addressed to; empty for any."""
        names = tuple(name.strip().lower() for name in self.hosts.split(",") if name.strip())
        if not names and self.public_url and self.public_url.host:
            return (self.public_url.host,)
        return () if "*" in names else names

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be seen in a log."""
        found = {self.mal_client_id, self.mal_client_secret, self.anilist_client_secret}
        found |= {self.cookie_secret, self.metrics_token, self.sentry_dsn, self.cache_url}
        if self.cache_url and (password := urlsplit(self.cache_url).password):
            found |= {password, unquote(password)}
        return tuple(sorted(filter(None, found), key=len, reverse=True))


class ServerSettings(BaseSettings):
    """Settings of the server around the application, under the names that hosts use."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    port: Annotated[int, Field(ge=0, le=65535, validation_alias="PORT")] = 8000
    """Where to listen; 0 takes any free port."""

    workers: Annotated[int, Field(ge=1, le=64, validation_alias="WEB_CONCURRENCY")] = 2
    """Processes. They share the model's memory."""

    threads: Annotated[int, Field(ge=1, le=64, validation_alias="HAKKEN_THREADS")] = 8
    """Threads of each process; most of the time they wait for a list to arrive."""

    body_deadline: Annotated[
        float, Field(gt=0, le=3600, validation_alias="HAKKEN_BODY_DEADLINE")
    ] = 60.0
    """Seconds in which what is sent to Hakken must have arrived."""

    request_deadline: Annotated[
        float,
        Field(gt=0, le=3600, validation_alias="HAKKEN_REQUEST_DEADLINE", validate_default=True),
    ] = 120.0
    """Seconds after which the connection of a request is closed, whatever it is waiting for."""

    @field_validator("request_deadline")
    @classmethod
    def _validate_request_deadline(cls, seconds: float, info: ValidationInfo) -> float:
        body = info.data.get("body_deadline", 0.0)
        if seconds < body:
            raise ValueError(
                f"should not be below HAKKEN_BODY_DEADLINE ({body:g}): what takes that long to "
                "arrive could never be answered"
            )
        return seconds


def load_settings() -> AppSettings:
    """Read the environment. Raises SettingsError: a variable has a value that cannot be used."""
    return _load_from_env(AppSettings, "HAKKEN_")


def load_server_settings() -> ServerSettings:
    """Read what `gunicorn.conf.py` needs; raises SettingsError as `load_settings` does."""
    return _load_from_env(ServerSettings, "")


def unknown_variables() -> list[str]:
    """List variables that look like settings of Hakken's, and are none."""
    known = {METRICS_MADE_ENV, *(f"HAKKEN_{name.upper()}" for name in AppSettings.model_fields)}
    known |= {str(field.validation_alias) for field in ServerSettings.model_fields.values()}
    return sorted(name for name in os.environ if name.startswith("HAKKEN_") and name not in known)


def _missing_for_sign_in(values: Mapping[str, object]) -> str | None:
    """Name the variable that signing in lacks; None where it is whole, or not wanted at all."""
    at_anilist = values.get("anilist_client_id") or values.get("anilist_client_secret")
    wanted = at_anilist or values.get("mal_client_secret")
    needs = {
        "HAKKEN_COOKIE_SECRET": wanted and not values.get("cookie_secret"),
        "HAKKEN_PUBLIC_URL": wanted and not values.get("public_url"),
        "MAL_CLIENT_ID": values.get("mal_client_secret") and not values.get("mal_client_id"),
        "ANILIST_CLIENT_ID": at_anilist and not values.get("anilist_client_id"),
        "ANILIST_CLIENT_SECRET": at_anilist and not values.get("anilist_client_secret"),
        "MAL_CLIENT_SECRET or ANILIST_CLIENT_ID": values.get("cookie_secret") and not wanted,
    }
    return next((name for name, is_missing in needs.items() if is_missing), None)


def _load_from_env(kind: type[SettingsT], prefix: str) -> SettingsT:
    try:
        return kind()
    except ValidationError as error:
        first = error.errors()[0]
        field = "_".join(map(str, first["loc"]))
        name = field if field.isupper() else prefix + field.upper()
        shown = "" if field in _secret_fields(kind) else f"={first['input']!r}"
        raise SettingsError(f"{name}{shown}: {first['msg']}.") from None


def _secret_fields(kind: type[BaseSettings]) -> set[str]:
    """Names of the fields that are not shown, as errors call them."""
    return {
        str(field.validation_alias or name)
        for name, field in kind.model_fields.items()
        if not field.repr
    }
