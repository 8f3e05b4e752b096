"""Every environment variable that the web application reads, in one place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, Field, HttpUrl, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
BUNDLED_MODEL = ROOT / "bundled_model"


_ORIGIN = r"https?://[a-z0-9.-]+(:[0-9]{1,5})?"
_SECRET = ("cache_url", "MAL_CLIENT_ID")

S = TypeVar("S", bound=BaseSettings)


class SettingsError(Exception):
    """A setting that cannot be used; the message names the variable."""


def _origins(value: object) -> object:
    """``a, b`` as ``("a", "b")``, each an origin: scheme, host and port, and nothing more."""
    if not isinstance(value, str):
        return value
    origins = tuple(part.strip() for part in value.split(",") if part.strip())
    for origin in origins:
        if origin != "*" and not re.fullmatch(_ORIGIN, origin):
            raise ValueError("each should be an origin such as https://example.org, or * for all")
    return origins


class Settings(BaseSettings):
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

    model: str = str(BUNDLED_MODEL)
    """Where the model is: a directory or `gs://bucket/prefix`."""

    model_cache: Path = Path("~/.cache/hakken/models")
    """Where models from `gs://` are kept on this host."""

    model_poll: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    """About how many seconds pass between looks for a new model; 0 looks only on SIGHUP. A new one
    is taken without a restart."""

    public_url: HttpUrl | None = None
    """The app's own address, sent to services that want to know who asks."""

    mal_client_id: Annotated[str | None, Field(validation_alias="MAL_CLIENT_ID", repr=False)] = None
    """Turns on MyAnimeList's API v2, the best way to a list there. Free from MyAnimeList; keep it
    secret."""

    mal_web: bool = False
    """Turns on MyAnimeList's own list pages, undocumented and slow, where there is no client id."""

    mal_url: HttpUrl = HttpUrl("https://api.myanimelist.net/v2")
    """MyAnimeList's API v2."""

    mal_web_url: HttpUrl = HttpUrl("https://myanimelist.net")
    """MyAnimeList's website."""

    anilist_url: HttpUrl = HttpUrl("https://graphql.anilist.co")
    """AniList's GraphQL endpoint."""

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

    cache_dir: Path = Path("~/.cache/hakken/shared")
    """Where caches and limits are kept on this host; a temporary folder where this cannot be
    written."""

    list_cache: Annotated[float, Field(ge=0, le=1200)] = 300.0
    """Seconds that a list is remembered, 0 for not at all. The pages promise less than an hour, all
    in all."""

    list_stale: Annotated[float, Field(ge=0, le=2400)] = 1800.0
    """Seconds more that a remembered list may stand in for a service that is down."""

    list_deadline: Annotated[float, Field(gt=0, le=60)] = 20.0
    """Seconds that fetching a list may take in all."""

    list_grace: Annotated[float, Field(ge=0, le=120)] = 0.3
    """Seconds that a list may take before its page is begun without it, to be ended when the list
    is there. With 120 a page is always sent whole."""

    max_list_length: Annotated[int, Field(gt=0)] = 20_000
    """Entries that a list may have; a longer one is refused."""

    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_origins)] = ()
    """Origins, such as `https://example.org`, with commas between them, whose pages may ask the
    API; `*` for all. Without it none may."""

    log_level: str = "INFO"
    """The least severe level that is logged: `DEBUG`, `INFO`, `WARNING` or `ERROR`."""

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, level: str) -> str:
        import logging

        if level.upper() not in logging.getLevelNamesMapping():
            raise ValueError("not a log level; use DEBUG, INFO, WARNING or ERROR")
        return level.upper()

    @property
    def model_cache_dir(self) -> Path:
        return self.model_cache.expanduser()

    @property
    def shared_dir(self) -> Path:
        return self.cache_dir.expanduser()


class ServerSettings(BaseSettings):
    """Settings of the server around the application, under the names that hosts use."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    port: Annotated[int, Field(ge=0, le=65535, validation_alias="PORT")] = 8000
    """Where to listen; 0 takes any free port."""

    workers: Annotated[int, Field(ge=1, le=64, validation_alias="WEB_CONCURRENCY")] = 2
    """Processes. They share the model's memory."""

    threads: Annotated[int, Field(ge=1, le=64, validation_alias="HAKKEN_THREADS")] = 8
    """Threads of each process; most of the time they wait for a list to arrive."""


def load_settings() -> Settings:
    """Read the environment.

    Raises:
        SettingsError: a variable has a value that cannot be used.
    """
    return _load(Settings, "HAKKEN_")


def load_server_settings() -> ServerSettings:
    """Read the environment for what `gunicorn.conf.py` needs.

    Raises:
        SettingsError: a variable has a value that cannot be used.
    """
    return _load(ServerSettings, "")


def _load(kind: type[S], prefix: str) -> S:
    try:
        return kind()
    except ValidationError as error:
        first = error.errors()[0]
        field = "_".join(map(str, first["loc"]))
        name = field if field.isupper() else prefix + field.upper()
        shown = "" if field in _SECRET else f"={first['input']!r}"
        raise SettingsError(f"{name}{shown}: {first['msg']}.") from None
