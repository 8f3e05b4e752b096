"""Remembers texts for a while, for all workers: requests-cache's SQLite and Redis storage.

What is kept is what was understood (a list, one anime's details), not raw answers: an answer that
turned out to be nonsense is never kept, and anime that came in one batch are found one by one.
Plain text, never pickled. Trouble with the storage is a miss and a line in the log, not an error.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext

from redis import RedisError
from requests_cache.backends.redis import RedisDict
from requests_cache.backends.sqlite import SQLiteDict

from app.upstream.shared_storage import SharedStorage, redis_key

log = logging.getLogger(__name__)

_STORAGE_ERRORS = (sqlite3.Error, RedisError)
_BUSY_TIMEOUT_MS = 2_000
MONTH_SECONDS = 30 * 24 * 3600.0


class _ExpiringText(str):
    """A text with the moment of its end, under the names that requests-cache looks for."""

    expires_unix: int
    expires_delta: int

    @classmethod
    def expiring_in(cls, text: str, seconds: int) -> _ExpiringText:
        text_with_expiry = cls(text)
        text_with_expiry.expires_delta = seconds
        text_with_expiry.expires_unix = int(time.time()) + seconds
        return text_with_expiry


class _RedisBackend(RedisDict):
    """requests-cache still calls a command that Redis gave up."""

    def __setitem__(self, key: str, item: _ExpiringText) -> None:
        self.connection.set(self._bkey(key), item, ex=item.expires_delta)


class _SqliteBackend(SQLiteDict):
    """requests-cache would try for ever to write to a file that somebody has deleted."""

    @contextmanager
    def _acquire_sqlite_lock(self) -> Iterator[None]:
        with self._lock:
            connection = self._connection
            if connection is None:
                raise sqlite3.OperationalError("not open")
            connection.execute("BEGIN IMMEDIATE").close()  # waits for others, but not for ever
            self._active_transaction = True
            try:
                yield
                connection.commit()
            except BaseException:
                connection.rollback()
                raise
            finally:
                self._active_transaction = False


class TtlStore:
    """Texts by key, each for its own number of seconds, ``longest`` at most. ``name`` is the table.

    What would be kept for longer than that was written before the clock was set back, and goes.
    """

    def __init__(
        self, shared_storage: SharedStorage, name: str, max_ttl: float = MONTH_SECONDS
    ) -> None:
        self._shared_storage = shared_storage
        self._name = name
        self._max_ttl = max_ttl
        self._lock = threading.Lock()
        self._backend: SQLiteDict | RedisDict | None = None
        self._cleanup_timer: threading.Timer | None = None

    def get(self, key: str) -> str | None:
        """The text, None when there is none or its time is over."""
        try:
            return self._read(key)
        except _STORAGE_ERRORS as error:
            self._reset_after_error("read", error)
            return None

    def set_many(self, texts: Mapping[str, str], ttl: float) -> None:
        """Keep the texts for ``seconds``."""
        if not texts or ttl < 1:
            return
        try:
            self._write(texts, int(min(ttl, self._max_ttl)))
        except _STORAGE_ERRORS as error:
            self._reset_after_error("written", error)

    def delete_many(self, keys: Iterable[str]) -> None:
        """Delete these."""
        try:
            self._get_backend().bulk_delete(list(keys))
        except _STORAGE_ERRORS as error:
            self._reset_after_error("cleared", error)

    def delete_expired(self, now: float | None = None) -> float | None:
        """Delete everything whose time is over; return when the next time will be, if ever.

        Redis does so by itself.
        """
        texts = self._get_backend()
        if not isinstance(texts, SQLiteDict):
            return None
        moment = time.time() if now is None else now
        delete = f"DELETE FROM {texts.table_name} WHERE expires <= ? OR expires > ?"  # noqa: S608 -- our name
        with texts.connection(commit=True) as connection:
            connection.execute(delete, (moment, moment + self._max_ttl)).close()
        following = f"SELECT min(expires) FROM {texts.table_name}"  # noqa: S608
        with texts.connection() as connection, closing(connection.execute(following)) as cursor:
            (found,) = cursor.fetchone()
        return None if found is None else float(found)

    def _read(self, key: str) -> str | None:
        texts = self._get_backend()
        if isinstance(texts, SQLiteDict):
            valid = "key = ? AND expires > ? AND expires <= ?"
            query = f"SELECT value FROM {texts.table_name} WHERE {valid}"  # noqa: S608
            now = time.time()
            with (
                texts.connection() as connection,
                closing(connection.execute(query, (key, now, now + self._max_ttl))) as cursor,
            ):
                row = cursor.fetchone()
            return None if row is None else str(row[0])
        try:
            found = texts[key]
        except KeyError:
            return None
        return found.decode() if isinstance(found, bytes) else str(found)

    def _write(self, texts: Mapping[str, str], ttl: int) -> None:
        backend = self._get_backend()
        transaction = backend.bulk_commit() if isinstance(backend, SQLiteDict) else nullcontext()
        with transaction:
            for key, text in texts.items():
                backend[key] = _ExpiringText.expiring_in(text, ttl)
        if isinstance(backend, SQLiteDict):
            with self._lock:
                self._schedule_cleanup(ttl + 1)

    def _schedule_cleanup(self, seconds: float) -> None:
        """See to it that what was kept is deleted even if nobody ever asks again."""
        if self._cleanup_timer is None or not self._cleanup_timer.is_alive():
            self._cleanup_timer = threading.Timer(seconds, self._run_cleanup)
            self._cleanup_timer.daemon = True
            self._cleanup_timer.start()

    def _run_cleanup(self) -> None:
        try:
            following = self.delete_expired()
        except sqlite3.Error as error:
            self._reset_after_error("swept", error)
            return
        with self._lock:
            self._cleanup_timer = None
            if following is not None:
                self._schedule_cleanup(max(1.0, following - time.time() + 1))

    def _reset_after_error(self, operation: str, error: Exception) -> None:
        """Say so, and start afresh next time: the file may have been deleted."""
        log.warning("the cache could not be %s: %s", operation, type(error).__name__)
        with self._lock:
            self._backend = None

    def _get_backend(self) -> SQLiteDict | RedisDict:
        with self._lock:
            if self._backend is None:
                self._backend = self._create_backend()
                if isinstance(self._backend, SQLiteDict):
                    self._schedule_cleanup(1)  # what the last run left behind
            return self._backend

    def _create_backend(self) -> SQLiteDict | RedisDict:
        redis = self._shared_storage.redis
        if redis is not None:
            name = redis_key("store", self._name)
            return _RedisBackend(name, connection=redis, serializer=None, ttl_offset=0)
        # Losing a cache to a power cut is fine, hence fast_save.
        texts = _SqliteBackend(
            self._shared_storage.folder / f"{self._name}.sqlite",
            table_name=self._name,
            busy_timeout=_BUSY_TIMEOUT_MS,
            fast_save=True,
            serializer=None,
        )
        with texts.connection() as connection:
            # Deleted means overwritten: a list must not linger in the file.
            connection.execute("PRAGMA secure_delete = ON").close()
        return texts
