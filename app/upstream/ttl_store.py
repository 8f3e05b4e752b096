"""Remembers texts for a while, for all workers: in a SQLite file of this host, or in Redis.

What is kept is what was understood (a list, one anime's details), not raw answers: an answer that
turned out to be nonsense is never kept, and anime that came in one batch are found one by one.
Trouble with the storage is a miss and a line in the log, not an error.
"""

from __future__ import annotations

import logging
import math
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from app.upstream.shared_storage import SharedStorage, redis_key

if TYPE_CHECKING:
    from redis import Redis

log = logging.getLogger(__name__)

_BUSY_TIMEOUT_SECONDS = 2.0
_PAGE_BYTES = 4096  # SQLite's usual page
MAX_FILE_BYTES = 1024**3
"""How large a file may grow; what has no room any more is not kept."""
LIST_STORE = "lists"
"""What the store of lists is called."""
MONTH_SECONDS = 30 * 24 * 3600.0


class _RedisBackend:
    """Texts in Redis, which deletes by itself what has expired."""

    def __init__(self, redis: Redis, name: str) -> None:
        self._redis = redis
        self._name = name

    def get(self, key: str) -> str | None:
        found = self._redis.get(self._key(key))
        return found.decode() if isinstance(found, bytes) else None

    def set_many(self, texts: Mapping[str, str], ttl: int) -> None:
        commands = self._redis.pipeline(transaction=False)
        for key, text in texts.items():
            commands.set(self._key(key), text, ex=ttl)
        commands.execute()

    def delete_many(self, keys: list[str]) -> None:
        if keys:
            self._redis.delete(*map(self._key, keys))

    def _key(self, key: str) -> str:
        return f"{self._name}:{key}"


class _ProcessConnection:
    """What one process has opened of a file. Its threads use the connection one at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connection: sqlite3.Connection | None = None


class _SqliteBackend:
    """Texts in the table ``name`` of a file in ``folder``.

    The connection stays open, and is closed when anything goes wrong: the file may be another by
    the next time.
    """

    def __init__(self, folder: Path, name: str, max_ttl: float) -> None:
        self._file = folder / f"{name}.sqlite"
        self._table = name
        self._max_ttl = max_ttl
        # By process id: a forked process may neither use nor close what its parent has opened.
        self._by_pid: dict[int, _ProcessConnection] = {}

    def get(self, key: str) -> str | None:
        query = f"SELECT value FROM {self._table} WHERE key = ? AND expires > ? AND expires <= ?"  # noqa: S608 -- our name
        now = time.time()
        with self._transaction() as connection:
            found = connection.execute(query, (key, now, now + self._max_ttl)).fetchall()
        return str(found[0][0]) if found else None

    def set_many(self, texts: Mapping[str, str], ttl: int) -> None:
        insert = f"INSERT OR REPLACE INTO {self._table} (key, value, expires) VALUES (?, ?, ?)"  # noqa: S608
        expires = int(time.time()) + ttl
        with self._transaction() as connection:
            connection.executemany(insert, [(key, text, expires) for key, text in texts.items()])

    def delete_many(self, keys: list[str]) -> None:
        delete = f"DELETE FROM {self._table} WHERE key = ?"  # noqa: S608
        with self._transaction() as connection:
            connection.executemany(delete, [(key,) for key in keys])

    def delete_expired(self, now: float) -> float | None:
        """Delete what has expired; return when the next text will."""
        delete = f"DELETE FROM {self._table} WHERE expires <= ? OR expires > ?"  # noqa: S608
        following = f"SELECT min(expires) FROM {self._table}"  # noqa: S608
        with self._transaction() as connection:
            connection.execute(delete, (now, now + self._max_ttl))
            ((found,),) = connection.execute(following).fetchall()
        return None if found is None else float(found)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        opened = self._by_pid.setdefault(os.getpid(), _ProcessConnection())
        with opened.lock:
            try:
                if opened.connection is None:
                    opened.connection = self._connect()
                with opened.connection:
                    yield opened.connection
            except BaseException:
                if opened.connection is not None:
                    opened.connection.close()
                    opened.connection = None
                raise

    def _connect(self) -> sqlite3.Connection:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_private(self._file)
        connection = sqlite3.connect(
            self._file,
            timeout=_BUSY_TIMEOUT_SECONDS,
            isolation_level="IMMEDIATE",
            check_same_thread=False,
        )
        try:
            # Losing a cache to a power cut is fine.
            connection.execute("PRAGMA synchronous = OFF")
            # Deleted means overwritten: a list must not linger in the file.
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute(f"PRAGMA max_page_count = {MAX_FILE_BYTES // _PAGE_BYTES}")
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS {self._table}"
                " (key TEXT PRIMARY KEY, value TEXT NOT NULL, expires INTEGER NOT NULL)"
            )
            connection.execute(f"CREATE INDEX IF NOT EXISTS expires_idx ON {self._table} (expires)")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def __del__(self) -> None:
        mine = self._by_pid.get(os.getpid())
        if mine is not None and mine.connection is not None:
            mine.connection.close()


def _make_private(file: Path) -> None:
    """Make a file, or see to it, that nobody else can read: lists will stand in it.

    Raises OSError: it is a link, no plain file, or somebody else's.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(file, flags, 0o600)
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode) or state.st_uid != os.geteuid():
            raise PermissionError(f"{file} is not ours")
        if state.st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


class TtlStore:
    """Texts by key, each for its own number of seconds, ``max_ttl`` at most. ``name`` is the table.

    What would be kept for longer than that was written before the clock was set back, and goes.
    """

    def __init__(
        self, shared_storage: SharedStorage, name: str, max_ttl: float = MONTH_SECONDS
    ) -> None:
        self._shared_storage = shared_storage
        self._name = name
        self._max_ttl = max_ttl
        self._lock = threading.Lock()
        self._cleanup_timer: threading.Timer | None = None

    def get(self, key: str) -> str | None:
        """Return the text, None when there is none or its time is over."""
        try:
            return self._backend.get(key)
        except self._shared_storage.errors as error:
            _log_error("read", error)
            return None

    def set_many(self, texts: Mapping[str, str], ttl: float) -> None:
        """Keep the texts for ``ttl`` seconds."""
        if not texts or ttl < 1:
            return
        ttl_seconds = int(min(ttl, self._max_ttl))
        try:
            self._backend.set_many(texts, ttl_seconds)
        except self._shared_storage.errors as error:
            _log_error("written", error)
            return
        if isinstance(self._backend, _SqliteBackend):
            self._schedule_cleanup(ttl_seconds + 1)

    def delete_many(self, keys: Iterable[str]) -> None:
        """Delete these."""
        try:
            self._backend.delete_many(list(keys))
        except self._shared_storage.errors as error:
            _log_error("cleared", error)

    def delete_expired(self, now: float | None = None) -> float | None:
        """Delete everything whose time is over; return when the next time will be, if ever.

        Redis does so by itself.
        """
        if isinstance(self._backend, _RedisBackend):
            return None
        return self._backend.delete_expired(time.time() if now is None else now)

    def sweep(self) -> None:
        """From now on, delete in this process what has expired, even if nobody asks."""
        if self._shared_storage.redis is None:
            self._schedule_cleanup(1)

    def clear(self) -> None:
        """Delete everything; Redis is left to itself, as other hosts use it."""
        if isinstance(self._backend, _RedisBackend):
            return
        try:
            self._backend.delete_expired(math.inf)
        except self._shared_storage.errors as error:
            _log_error("cleared", error)

    @cached_property
    def _backend(self) -> _SqliteBackend | _RedisBackend:
        redis = self._shared_storage.redis
        if redis is not None:
            return _RedisBackend(redis, redis_key("store", self._name))
        self._schedule_cleanup(1)  # what the last run left behind
        return _SqliteBackend(self._shared_storage.folder, self._name, self._max_ttl)

    def _schedule_cleanup(self, seconds: float) -> None:
        """See to it that what was kept is deleted even if nobody ever asks again."""
        with self._lock:
            if self._cleanup_timer is None or not self._cleanup_timer.is_alive():
                self._cleanup_timer = threading.Timer(seconds, self._run_cleanup)
                self._cleanup_timer.daemon = True
                self._cleanup_timer.start()

    def _run_cleanup(self) -> None:
        self._cleanup_timer = None  # what is put from here on sets a timer of its own
        try:
            following = self.delete_expired()
        except self._shared_storage.errors as error:
            _log_error("swept", error)
            return
        if following is not None:
            self._schedule_cleanup(max(1.0, following - time.time() + 1))


def _log_error(operation: str, error: Exception) -> None:
    log.warning("the cache could not be %s: %s", operation, type(error).__name__)
