"""One fetch at a time for the same thing, across threads, workers and (with Redis) hosts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from app.upstream.shared_storage import SharedStorage, redis_key

if TYPE_CHECKING:
    from redis.lock import Lock

log = logging.getLogger(__name__)

# Locks share this many files; two names in one file only means waiting a little more.
_LOCK_FILES = 256
_POLL_SECONDS = 0.02


class SingleFlight:
    """Locks by key. Who holds one of ``name`` may take one of another name, never of the same."""

    def __init__(self, shared_storage: SharedStorage, name: str = "locks") -> None:
        self._shared_storage = shared_storage
        self._name = name

    @contextmanager
    def lock(
        self, key: str, timeout: float, on_wait: Callable[[], None] = lambda: None
    ) -> Iterator[None]:
        """Be the only one who works on ``key``; wait up to ``timeout`` seconds for that.

        ``on_wait`` is called first if somebody else is at it. Raises TimeoutError: whoever is at it
        took longer.
        """
        timeout = max(timeout, _POLL_SECONDS)  # less than nothing would mean for ever
        with ExitStack() as stack:
            if self._shared_storage.redis is None:
                self._acquire_file_lock(stack, key, timeout, on_wait)
            else:
                self._acquire_redis_lock(stack, key, timeout, on_wait)
            yield

    def _acquire_file_lock(
        self, stack: ExitStack, key: str, timeout: float, on_wait: Callable[[], None]
    ) -> None:
        folder = self._shared_storage.folder / self._name
        lock = FileLock(folder / f"{int(key, 16) % _LOCK_FILES}.lock", poll_interval=_POLL_SECONDS)
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            with suppress(Timeout):
                stack.enter_context(lock.acquire(blocking=False))
                return
            on_wait()
            stack.enter_context(lock.acquire(timeout=timeout))
        except Timeout:
            raise TimeoutError("another request for the same took too long") from None
        except OSError as error:  # a full disk, above all
            log.warning("a lock could not be had: %s", type(error).__name__)

    def _acquire_redis_lock(
        self, stack: ExitStack, key: str, timeout: float, on_wait: Callable[[], None]
    ) -> None:
        assert self._shared_storage.redis is not None
        # The lock frees itself should its holder die.
        lock = self._shared_storage.redis.lock(
            redis_key("flight", key),
            timeout=2 * timeout,
            sleep=_POLL_SECONDS,
            blocking_timeout=timeout,
        )
        try:
            taken = lock.acquire(blocking=False)
            if not taken:
                on_wait()
                taken = lock.acquire()
        except self._shared_storage.redis_errors as error:
            log.warning("the lock in Redis does not answer: %s", type(error).__name__)
            return
        if not taken:
            raise TimeoutError("another request for the same took too long")
        stack.callback(self._release_redis_lock, lock)

    def _release_redis_lock(self, lock: Lock) -> None:
        try:
            lock.release()
        except self._shared_storage.redis_errors as error:
            log.warning("a lock in Redis was lost: %s", type(error).__name__)
