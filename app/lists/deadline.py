"""A moment that reading from a site must not pass, whatever it sends meanwhile.

Timeouts of sockets begin anew with every byte: a status line sent letter by letter, an endless row
of ``100 Continue`` or trailers that never end would go on for ever. So each exchange is watched,
and its connection is shut when its time is over.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class Deadline:
    """A moment that a whole fetch, with all its requests and retries, must not pass."""

    def __init__(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left; 0 or less once it has passed."""
        return self._ends_at - time.monotonic()

    def require_time_left(self) -> float:
        """Return the seconds left. Raises TimeoutError: there are none."""
        left = self.remaining()
        if left <= 0:
            raise TimeoutError("the overall deadline has passed")
        return left

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Shut the connection that this thread uses meanwhile, once the time is over.

        Raises TimeoutError: it was shut, so that what has come need not be whole.
        """
        watch = _Watch()
        timer = threading.Timer(self.require_time_left(), watch.shut)
        timer.daemon = True
        _thread.watch = watch
        timer.start()
        try:
            yield
            fault: Exception | None = None
        except Exception as error:
            fault = error
        finally:
            timer.cancel()
            _thread.watch = None
        if watch.is_over:  # where nothing failed, what was cut off looked like the end
            raise TimeoutError("the overall deadline has passed") from fault
        if fault is not None:
            raise fault


class WatchedAdapter(HTTPAdapter):
    """Requests over connections that tell a `Deadline` when it watches their thread."""

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        """Make the pools of connections."""
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **named: Any) -> Any:
        """Make the pools of connections to a proxy."""
        manager = super().proxy_manager_for(proxy, **named)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager


class _Watch:
    """The connection of one exchange, as soon as there is one."""

    def __init__(self) -> None:
        self.is_over = False
        self._connection: Any = None

    def take(self, connection: Any) -> None:
        connection.watched_by = self
        self._connection = connection
        if self.is_over:
            raise TimeoutError("the overall deadline has passed")

    def shut(self) -> None:
        self.is_over = True
        connection = self._connection
        # Given back to its pool, it may be in use for another exchange by now.
        if connection is not None and connection.watched_by is self:
            with suppress(OSError, AttributeError, TypeError):
                # Not that of TLS, which would have its own word with whoever is reading.
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)


_thread = threading.local()


def _tell_watch(connection: Any) -> None:
    watch: _Watch | None = getattr(_thread, "watch", None)
    connection.watched_by = None
    if watch is not None:
        watch.take(connection)


class _WatchedHTTPConnection(HTTPConnection):
    def connect(self) -> None:
        _tell_watch(self)
        super().connect()

    def request(self, *arguments: Any, **named: Any) -> None:
        _tell_watch(self)
        super().request(*arguments, **named)


class _WatchedHTTPSConnection(_WatchedHTTPConnection, HTTPSConnection):
    pass  # what watches comes first in the order of resolution


class _WatchedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHTTPConnection


class _WatchedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPSConnection


_POOLS = {"http": _WatchedHTTPPool, "https": _WatchedHTTPSPool}
