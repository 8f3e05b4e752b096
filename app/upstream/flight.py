"""One fetch at a time for the same thing, across threads, workers and (with Redis) hosts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from filelock import FileLock, Timeout
from redis import RedisError
from redis.exceptions import LockError

from app.upstream.shared import Shared, redis_name

log = logging.getLogger(__name__)

# Locks share this many files; two names in one file only means waiting a little more.
_STRIPES = 256
_POLL = 0.02


class Flights:
    """Locks by key."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    @contextmanager
    def only(
        self, key: str, seconds: float, waits: Callable[[], None] = lambda: None
    ) -> Iterator[None]:
        """Be the only one who works on ``key``; wait up to ``seconds`` for that.

        ``waits`` is called first if somebody else is at it.

        Raises:
            TimeoutError: whoever is at it took longer.
        """
        with ExitStack() as stack:
            if self._shared.redis is None:
                self._lock_file(stack, key, seconds, waits)
            else:
                self._lock_redis(stack, key, seconds, waits)
            yield

    def _lock_file(
        self, stack: ExitStack, key: str, seconds: float, waits: Callable[[], None]
    ) -> None:
        folder = self._shared.folder / "locks"
        lock = FileLock(folder / f"{int(key, 16) % _STRIPES}.lock", poll_interval=_POLL)
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            with suppress(Timeout):
                stack.enter_context(lock.acquire(blocking=False))
                return
            waits()
            stack.enter_context(lock.acquire(timeout=seconds))
        except Timeout:
            raise TimeoutError("another request for the same took too long") from None
        except OSError as error:  # a full disk, above all
            log.warning("a lock could not be had: %s", type(error).__name__)

    def _lock_redis(
        self, stack: ExitStack, key: str, seconds: float, waits: Callable[[], None]
    ) -> None:
        assert self._shared.redis is not None
        # The lock frees itself should its holder die.
        lock = self._shared.redis.lock(
            redis_name("flight", key), timeout=2 * seconds, sleep=_POLL, blocking_timeout=seconds
        )
        try:
            taken = lock.acquire(blocking=False)
            if not taken:
                waits()
                taken = lock.acquire()
        except RedisError as error:
            log.warning("the lock in Redis does not answer: %s", type(error).__name__)
            return
        if not taken:
            raise TimeoutError("another request for the same took too long")
        stack.callback(_release, lock)


def _release(lock: object) -> None:
    try:
        lock.release()  # type: ignore[attr-defined]
    except (LockError, RedisError) as error:
        log.warning("a lock in Redis was lost: %s", type(error).__name__)
