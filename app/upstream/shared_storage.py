"""What the workers share: a folder of this host, or a Redis of all hosts."""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis import Redis

log = logging.getLogger(__name__)

_KEY_PREFIX = "hakken"


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
        from app.upstream.redis_client import open_redis

        return open_redis(self._cache_url)

    @cached_property
    def redis_errors(self) -> tuple[type[Exception], ...]:
        """What a Redis raises; nothing where this host is on its own."""
        if self._cache_url is None:
            return ()
        from redis import RedisError

        return (RedisError,)

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What keeping something may fail with, in a file of this host or in a Redis."""
        return (sqlite3.Error, OSError, *self.redis_errors)


def hashed_key(*parts: str) -> str:
    """Return a key that says nothing of what it is made from, usernames above all."""
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=20, person=b"hakken").hexdigest()


def redis_key(kind: str, name: str) -> str:
    """Return a name in Redis that is nobody else's."""
    return f"{_KEY_PREFIX}:{kind}:{name}"
