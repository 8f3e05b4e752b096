"""What gunicorn is given besides its settings: see `gunicorn.conf.py`."""

from __future__ import annotations

import logging
import os
import selectors
import shutil
import socket
import tempfile
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

from app.private_folders import make_private_folder
from app.settings import METRICS_DIR_ENV, METRICS_MADE_ENV, AppSettings

if TYPE_CHECKING:
    from app.upstream import TtlStore

HEADER_TIMEOUT = 10.0
"""Seconds in which the headers of a request must have arrived once they have begun to."""

_METRICS_PREFIX = "hakken-metrics-"

log = logging.getLogger(__name__)


class DeadlineWorker(ThreadWorker):
    """Threads that nobody can hold for ever: what sends or reads too slowly is cut off.

    gunicorn waits for as long as a client keeps the connection open, so that a few slow ones would
    take all threads. Once a second this looks at the connections that have a thread: past the first
    deadline nothing more is read from them, so that whoever waits for the rest goes on without it
    and can still answer; past the second they are closed.

    A worker whose threads all have a connection takes a new one only when it is done with one:
    gunicorn's would take all that come, and let them wait for a slow list site while another worker
    has nothing to do.
    """

    # gunicorn documents none of the methods overridden here, but no setting of it does the same.

    body_deadline = 60.0
    request_deadline = 120.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadlines: dict[Any, tuple[float, float]] = {}
        self._busy_threads = 0  # only the worker's loop counts, so nothing has to lock
        self._takes_more = False

    def set_accept_enabled(self, enabled: bool) -> None:
        """Take new connections or not; the worker's loop calls this before it waits."""
        self._takes_more = enabled and self._busy_threads < self.cfg.threads
        super().set_accept_enabled(self._takes_more)

    def accept(self, listener: Any) -> None:
        """Take a connection, unless the last free thread went in this very round of the loop."""
        if self._takes_more:
            super().accept(listener)

    def enqueue_req(self, conn: Any) -> None:
        """Give a connection that has something to say to a thread; others wait in the loop.

        gunicorn's would have a thread wait for seconds for the first byte.
        """
        if not (conn.initialized or conn.data_ready or _has_data(conn.sock)):
            conn.sock.setblocking(False)
            conn.set_timeout()
            self.pending_conns.append(conn)
            ready = partial(self.on_pending_socket_readable, conn)
            self.poller.register(conn.sock, selectors.EVENT_READ, ready)
            return
        super().enqueue_req(conn)
        self._busy_threads += 1
        if self._busy_threads >= self.cfg.threads:
            self.set_accept_enabled(False)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Take a connection back from a thread; next is whoever is not let in yet.

        Otherwise those who keep their connection would be served for ever, and nobody else.
        """
        self._busy_threads -= 1
        super().finish_request(conn, fs)
        for listener in self.sockets if self.alive and not self._takes_more else ():
            super().accept(listener)

    def handle(self, conn: Any) -> Any:
        """Serve one request of a connection, in a thread."""
        first = min(HEADER_TIMEOUT, self.body_deadline)
        self._set_deadlines(conn, first, first)
        try:
            return super().handle(conn)
        finally:
            self._deadlines.pop(conn, None)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request whose headers are there."""
        self._set_deadlines(conn, self.body_deadline, self.request_deadline)
        return super().handle_request(req, conn)

    def murder_pending(self) -> None:
        """Close what has waited for too long; the worker's loop calls this once a second."""
        super().murder_pending()
        now = time.monotonic()
        for conn, (no_more_reading, end) in list(self._deadlines.items()):
            if now >= no_more_reading:
                # Both fail for what is closed already.
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR if now >= end else socket.SHUT_RD)

    def _set_deadlines(self, conn: Any, read_timeout: float, total_timeout: float) -> None:
        now = time.monotonic()
        self._deadlines[conn] = now + read_timeout, now + total_timeout


def _has_data(sock: socket.socket) -> bool:
    try:
        sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:  # for a thread to meet
        pass
    return True


class QuietLogger(Logger):
    """gunicorn's lines in the form of all others, without addresses: those hold usernames."""

    def setup(self, cfg: Any) -> None:
        """Leave the writing to the root logger (`app.observability.logs`)."""
        super().setup(cfg)
        self.error_log.handlers = []
        self.error_log.propagate = True
        self.error_log.filters = [_strip_address]

    def access(self, *_args: Any) -> None:
        """Nothing: the application has a log of its own (`app.web.middleware.request_context`)."""


def _strip_address(record: logging.LogRecord) -> bool:
    text = str(record.msg)
    for said in ("Error handling request", "Invalid request"):
        if text.startswith(said):
            record.msg, record.args = said, ()
    return True


def list_store(settings: AppSettings) -> TtlStore:
    """Return where lists are remembered, to see to it that they are forgotten."""
    # Not before the folder of metrics has its name.
    from app import upstream
    from app.upstream.ttl_store import LIST_STORE

    return upstream.TtlStore(
        upstream.SharedStorage(settings.cache_dir, settings.cache_url), LIST_STORE
    )


def shm_directory() -> str | None:
    """Find a folder that no full disk can spoil, for small files; None where there is none."""
    folder = "/dev/shm"  # noqa: S108 -- names in it are drawn by chance
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


def prepare_metrics_dir() -> None:
    """Name the folder in which the workers count, before anything is imported that counts.

    It is new at every start, in memory where that is possible: a full disk must not stop the
    counting. Whoever wants another place sets ``PROMETHEUS_MULTIPROC_DIR``.
    """
    given = os.environ.get(METRICS_DIR_ENV)
    if given in _prepared_dirs:  # a reload
        return
    if given is None or given == os.environ.get(
        METRICS_MADE_ENV
    ):  # none, or that of the server before
        given = _make_metrics_dir()
        if given is None:
            return
        os.environ[METRICS_DIR_ENV] = os.environ[METRICS_MADE_ENV] = given
        _created_dirs.append(given)
    Path(given).mkdir(parents=True, exist_ok=True)
    for left in Path(given).glob("*.db"):
        left.unlink()
    _prepared_dirs.append(given)


def _make_metrics_dir() -> str | None:
    """Make a folder for this master, and remove those of masters that are gone."""
    for parent in dict.fromkeys((shm_directory() or tempfile.gettempdir(), tempfile.gettempdir())):
        try:
            # The lock is held for as long as the master or one of its workers lives.
            folder, _ = make_private_folder(_METRICS_PREFIX, Path(parent))
        except OSError as error:
            log.warning("metrics: no folder can be made in %s (%s)", parent, error.strerror)
        else:
            return str(folder)
    os.environ.pop(METRICS_DIR_ENV, None)
    log.warning("metrics: each worker counts alone")
    return None


def mark_worker_dead(pid: int) -> None:
    """Take what a process that is gone said of itself out of the metrics; its counts stay."""
    if METRICS_DIR_ENV in os.environ:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)  # type: ignore[no-untyped-call]


def remove_metrics_dir() -> None:
    """Remove the folder that was made here."""
    for folder in _created_dirs:
        shutil.rmtree(folder, ignore_errors=True)


def warn_if_root() -> None:
    """Say it when the server may do anything on this host."""
    if os.geteuid() == 0:
        log.warning(
            "Hakken runs as root, which it never needs: start it as another user, "
            "or in a container with USER or --user"
        )


_prepared_dirs: list[str] = []
_created_dirs: list[str] = []
