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

from app.upstream.shared import Shared, redis_name

log = logging.getLogger(__name__)

_TROUBLE = (sqlite3.Error, RedisError)
_BUSY_MS = 2_000
MONTH = 30 * 24 * 3600.0


class _Kept(str):
    """A text with the moment of its end, under the names that requests-cache looks for."""

    expires_unix: int
    expires_delta: int

    @classmethod
    def until(cls, text: str, seconds: int) -> _Kept:
        kept = cls(text)
        kept.expires_delta = seconds
        kept.expires_unix = int(time.time()) + seconds
        return kept


class _RedisTexts(RedisDict):
    """requests-cache still calls a command that Redis gave up."""

    def __setitem__(self, key: str, item: _Kept) -> None:
        self.connection.set(self._bkey(key), item, ex=item.expires_delta)


class _SqliteTexts(SQLiteDict):
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


class Store:
    """Texts by key, each for its own number of seconds, ``longest`` at most. ``name`` is the table.

    What would be kept for longer than that was written before the clock was set back, and goes.
    """

    def __init__(self, shared: Shared, name: str, longest: float = MONTH) -> None:
        self._shared = shared
        self._name = name
        self._longest = longest
        self._opening = threading.Lock()
        self._texts: SQLiteDict | RedisDict | None = None
        self._sweeper: threading.Timer | None = None

    def get(self, key: str) -> str | None:
        """The text, None when there is none or its time is over."""
        try:
            return self._read(key)
        except _TROUBLE as error:
            self._give_up("read", error)
            return None

    def put(self, texts: Mapping[str, str], seconds: float) -> None:
        """Keep the texts for ``seconds``."""
        if not texts or seconds < 1:
            return
        try:
            self._write(texts, int(min(seconds, self._longest)))
        except _TROUBLE as error:
            self._give_up("written", error)

    def forget(self, keys: Iterable[str]) -> None:
        """Delete these."""
        try:
            self._open().bulk_delete(list(keys))
        except _TROUBLE as error:
            self._give_up("cleared", error)

    def sweep(self, now: float | None = None) -> float | None:
        """Delete everything whose time is over; return when the next time will be, if ever.

        Redis does so by itself.
        """
        texts = self._open()
        if not isinstance(texts, SQLiteDict):
            return None
        moment = time.time() if now is None else now
        delete = f"DELETE FROM {texts.table_name} WHERE expires <= ? OR expires > ?"  # noqa: S608 -- our name
        with texts.connection(commit=True) as connection:
            connection.execute(delete, (moment, moment + self._longest)).close()
        following = f"SELECT min(expires) FROM {texts.table_name}"  # noqa: S608
        with texts.connection() as connection, closing(connection.execute(following)) as cursor:
            (found,) = cursor.fetchone()
        return None if found is None else float(found)

    def _read(self, key: str) -> str | None:
        texts = self._open()
        if isinstance(texts, SQLiteDict):
            valid = "key = ? AND expires > ? AND expires <= ?"
            query = f"SELECT value FROM {texts.table_name} WHERE {valid}"  # noqa: S608
            now = time.time()
            with (
                texts.connection() as connection,
                closing(connection.execute(query, (key, now, now + self._longest))) as cursor,
            ):
                row = cursor.fetchone()
            return None if row is None else str(row[0])
        try:
            found = texts[key]
        except KeyError:
            return None
        return found.decode() if isinstance(found, bytes) else str(found)

    def _write(self, texts: Mapping[str, str], seconds: int) -> None:
        opened = self._open()
        together = opened.bulk_commit() if isinstance(opened, SQLiteDict) else nullcontext()
        with together:
            for key, text in texts.items():
                opened[key] = _Kept.until(text, seconds)
        if isinstance(opened, SQLiteDict):
            with self._opening:
                self._sweep_after(seconds + 1)

    def _sweep_after(self, seconds: float) -> None:
        """See to it that what was kept is deleted even if nobody ever asks again."""
        if self._sweeper is None or not self._sweeper.is_alive():
            self._sweeper = threading.Timer(seconds, self._sweep_and_go_on)
            self._sweeper.daemon = True
            self._sweeper.start()

    def _sweep_and_go_on(self) -> None:
        try:
            following = self.sweep()
        except sqlite3.Error as error:
            self._give_up("swept", error)
            return
        with self._opening:
            self._sweeper = None
            if following is not None:
                self._sweep_after(max(1.0, following - time.time() + 1))

    def _give_up(self, deed: str, error: Exception) -> None:
        """Say so, and start afresh next time: the file may have been deleted."""
        log.warning("the cache could not be %s: %s", deed, type(error).__name__)
        with self._opening:
            self._texts = None

    def _open(self) -> SQLiteDict | RedisDict:
        with self._opening:
            if self._texts is None:
                self._texts = self._opened()
                if isinstance(self._texts, SQLiteDict):
                    self._sweep_after(1)  # what the last run left behind
            return self._texts

    def _opened(self) -> SQLiteDict | RedisDict:
        redis = self._shared.redis
        if redis is not None:
            name = redis_name("store", self._name)
            return _RedisTexts(name, connection=redis, serializer=None, ttl_offset=0)
        # Losing a cache to a power cut is fine, hence fast_save.
        texts = _SqliteTexts(
            self._shared.folder / f"{self._name}.sqlite",
            table_name=self._name,
            busy_timeout=_BUSY_MS,
            fast_save=True,
            serializer=None,
        )
        with texts.connection() as connection:
            # Deleted means overwritten: a list must not linger in the file.
            connection.execute("PRAGMA secure_delete = ON").close()
        return texts
