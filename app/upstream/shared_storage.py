"""What the workers share: a folder of this host, or a Redis of all hosts."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import time
from functools import cached_property
from pathlib import Path
from typing import Any

from redis import ConnectionPool, Redis
from redis.exceptions import ConnectionError, TimeoutError  # noqa: A004 -- not the system's

log = logging.getLogger(__name__)

_KEY_PREFIX = "hakken"
# Redis is next door; one that does not answer at once must not hold up a page.
_REDIS_TIMEOUT = 1.0
REDIS_RETRY_SECONDS = 10.0
"""Seconds for which a Redis that could not be reached is not asked again."""


class _FailFastPool(ConnectionPool):
    """Connections to a Redis; none for a while after one could not be had.

    A page asks a Redis some ten times. If it hangs, one of them waits, and not all.
    """

    _retry_at = 0.0

    def get_connection(self, *arguments: Any, **more: Any) -> Any:
        if time.monotonic() < self._retry_at:
            raise ConnectionError("it did not answer a moment ago")
        try:
            return super().get_connection(*arguments, **more)
        except (ConnectionError, TimeoutError):
            self._retry_at = time.monotonic() + REDIS_RETRY_SECONDS
            raise


class SharedStorage:
    """Where shared state lives. Nothing is opened before it is needed, so that forking is safe."""

    def __init__(self, folder: Path, cache_url: str | None = None) -> None:
        self._preferred_folder = folder
        self._cache_url = cache_url

    @cached_property
    def folder(self) -> Path:
        """The folder for files, readable by nobody else; a temporary one if it cannot be had."""
        try:
            self._preferred_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            writable = False
        else:
            own = self._preferred_folder.stat().st_uid == os.geteuid()
            writable = own and os.access(self._preferred_folder, os.W_OK | os.X_OK)
        if writable:
            return self._preferred_folder
        log.warning("the cache folder cannot be written to; a temporary one is used instead")
        fallback = Path(tempfile.gettempdir()) / f"{_KEY_PREFIX}-cache-{os.getuid()}"
        try:
            fallback.mkdir(mode=0o700, exist_ok=True)
            owner = fallback.stat()
        except OSError:
            owner = None
        # Somebody else may have put a folder of this name there, to read along.
        if owner is None or owner.st_uid != os.getuid() or owner.st_mode & 0o077:
            return Path(tempfile.mkdtemp(prefix=f"{_KEY_PREFIX}-"))
        return fallback

    @cached_property
    def redis(self) -> Redis | None:
        """The Redis of all hosts; None when this host is on its own."""
        if self._cache_url is None:
            return None
        pool = _FailFastPool.from_url(
            self._cache_url, socket_timeout=_REDIS_TIMEOUT, socket_connect_timeout=_REDIS_TIMEOUT
        )
        return Redis(connection_pool=pool)


def hashed_key(*parts: str) -> str:
    """Return a key that says nothing of what it is made from, usernames above all."""
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=20, person=b"hakken").hexdigest()


def redis_key(kind: str, name: str) -> str:
    """Return a name in Redis that is nobody else's."""
    return f"{_KEY_PREFIX}:{kind}:{name}"
