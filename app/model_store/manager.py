"""Keeps the live model in use: a new one is opened beside the old one, which stays if it fails."""

from __future__ import annotations

import ctypes
import logging
import os
import queue
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from app.model_store.layout import ModelRef, ModelSource, StorageUnreachableError
from app.recommender.artifact import ArtifactError

RETRY_SECONDS, MAX_RETRY_SECONDS = 60.0, 3600.0
"""When a model that was refused is tried again: then, and each time after twice as long."""

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LoadedModel(Generic[T]):
    """A model in use since ``loaded_at`` (seconds of the epoch); ``digest`` as in `ModelRef`."""

    content: T
    digest: str
    loaded_at: float


@dataclass(frozen=True, slots=True)
class _RejectedModel:
    digest: str
    attempts: int
    retry_at: float
    error: str


class ModelManager(Generic[T]):
    """Holds what ``load`` makes of the model at a source.

    ``current`` is replaced in one step; whoever took it out goes on with what they have. It is None
    as long as there was no model that could be used. ``load_error`` says in one line why the latest
    model is not in use, and is None when it is; ``checked_at`` is when the source was last asked.
    ``on_loaded`` is called with every model that comes into use.
    """

    def __init__(
        self,
        open_source: Callable[[], ModelSource],
        load: Callable[[Path], T],
        on_loaded: Callable[[LoadedModel[T]], None] = lambda _: None,
    ) -> None:
        self.current: LoadedModel[T] | None = None
        self.load_error: str | None = None
        self.checked_at: float | None = None
        self._open_source = open_source
        self._load = load
        self._on_loaded = on_loaded
        self._rejected: _RejectedModel | None = None
        self._lock = threading.Lock()

    def refresh(self, *, force: bool = False) -> None:
        """Take the model that is live now, unless it is in use already.

        One that was refused is tried again only after a while, or with ``force``. Without any model
        in use, the one that last was good on this host is taken. Never raises: what goes wrong is
        logged once and stays in ``load_error``.
        """
        with self._lock:
            fault = self._activate_latest(force=force)
            if fault is not None and self.current is None:
                self._activate_cached(previous_error=fault)
            if fault is not None and fault != self.load_error:
                log.error("the model cannot be renewed: %s", fault)
            elif fault is None and self.load_error is not None:
                log.info("the model is the live one again")
            self.load_error = fault
            self.checked_at = time.time()

    def activate_cached(self) -> None:
        """Take the model that last was good on this host, without a network; never raises.

        A forked worker holds what the server started with, which may be old by now.
        """
        with self._lock:
            self._activate_cached()

    def _activate_latest(self, *, force: bool) -> str | None:
        ref = None
        try:
            source = self._open_source()
            ref = source.latest()
            if not self._is_current(ref):
                if not force and (fault := self._pending_rejection(ref)):
                    return fault
                self._activate(source, ref)
            self._rejected = None
        except Exception as error:  # whatever a new model does, the old one must go on
            fault = _error_line(error)
            if ref is not None and not isinstance(error, StorageUnreachableError):
                self._reject(ref, fault)
            if not isinstance(error, ArtifactError):
                log.exception("the model cannot be used")
            return fault
        return None

    def _activate_cached(self, previous_error: str | None = None) -> None:
        try:
            source = self._open_source()
            ref = source.local_copy()
            if ref is not None and not self._is_current(ref) and not self._pending_rejection(ref):
                self._activate(source, ref)
        except Exception as error:
            if (fault := _error_line(error)) != previous_error:
                log.warning("no model on this host can be used: %s", fault)

    def _activate(self, source: ModelSource, ref: ModelRef) -> None:
        model = ref.fetch(False)
        try:
            content = self._load(model)
        except ArtifactError:
            # A copy that has lost bits on this host is repaired, and then is as good as new.
            model = ref.fetch(True)
            content = self._load(model)
        self.current = LoadedModel(content, ref.digest, time.time())
        self._on_loaded(self.current)
        _trim_memory()
        log.info("model %s is in use", ref.version)
        source.commit(model)

    def _is_current(self, ref: ModelRef) -> bool:
        return self.current is not None and self.current.digest == ref.digest

    def _pending_rejection(self, ref: ModelRef) -> str | None:
        refused = self._rejected
        if refused and refused.digest == ref.digest and time.monotonic() < refused.retry_at:
            return refused.error
        return None

    def _reject(self, ref: ModelRef, error: str) -> None:
        before = self._rejected
        times = before.attempts + 1 if before and before.digest == ref.digest else 1
        wait = min(RETRY_SECONDS * 2 ** min(times - 1, 10), MAX_RETRY_SECONDS)
        self._rejected = _RejectedModel(ref.digest, times, time.monotonic() + wait, error)


def _trim_memory() -> None:
    """Give back what reading a model took for a moment; glibc alone would keep it."""
    with suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def _error_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


JITTER = 0.25
"""The share of the interval by which it varies, so that hosts do not all ask at the same moment."""
_random = random.SystemRandom()  # different in every worker, though they were forked


class Poller:
    """Calls ``callback(asked)`` about every ``interval`` seconds, never twice at once.

    With 0 only when woken. ``asked`` is True when somebody asked for it. A thread does not survive
    a fork, so whoever forks calls `start` afterwards; calling it again costs nothing.
    """

    def __init__(self, callback: Callable[[bool], None], interval: float) -> None:
        self._callback = callback
        self._interval = interval
        self._started_pid: int | None = None
        self._start_lock = threading.Lock()
        # Its put may be called from a signal handler, unlike what events and locks offer.
        self._wakeups: queue.SimpleQueue[None] = queue.SimpleQueue()

    def start(self) -> None:
        """Have a thread in this process, if there is none yet."""
        if self._started_pid == os.getpid():
            return
        with self._start_lock:
            if self._started_pid != os.getpid():
                threading.Thread(target=self._run, name="model-watcher", daemon=True).start()
                self._started_pid = os.getpid()

    def wake(self) -> None:
        """Look now. Safe in a signal handler."""
        self._wakeups.put(None)

    def _run(self) -> None:
        while True:
            self._callback(self._wait())

    def _wait(self) -> bool:
        interval = self._interval * _random.uniform(1 - JITTER, 1 + JITTER)
        try:
            self._wakeups.get(timeout=interval or None)
        except queue.Empty:
            return False
        return True
