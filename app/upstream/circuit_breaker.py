"""Stops asking a service that keeps failing, and tries it again after a while."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from app.upstream.shared_storage import SharedStorage

if TYPE_CHECKING:
    from app.upstream.circuits import Circuit

MAX_FAILURES = 8
RESET_SECONDS = 30.0
_MAX_CLOCK_SKEW = timedelta(seconds=5)  # by which the clocks of two hosts may differ


class CircuitOpen(Exception):  # noqa: N818 -- it names the state, not a mistake
    """The service has failed again and again and is left alone; ``seconds`` until the next try."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"left alone for {seconds:.0f} s after repeated failures")
        self.seconds = seconds


class ServiceBreaker:
    """pybreaker's circuit for one service, per worker, or for all when there is a Redis.

    ``on_open`` is called with until when the service is left alone, in seconds since the epoch.

    Outcomes are reported after the fact, because pybreaker holds a lock for as long as a call that
    it makes itself: one slow list would stop all others.
    """

    def __init__(
        self,
        shared_storage: SharedStorage,
        name: str,
        max_failures: int = MAX_FAILURES,
        reset_seconds: float = RESET_SECONDS,
        on_open: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._shared_storage = shared_storage
        self._name = name
        self._max_failures = max_failures
        self._reset_seconds = reset_seconds
        self._on_open = on_open
        self._lock = threading.Lock()
        self._circuit: Circuit | None = None

    def raise_if_open(self) -> None:
        """Return if the service may be asked. Raises CircuitOpen: not now."""
        circuit = self._get_circuit()
        opened = circuit.opened_at
        if opened is None:
            return
        now = datetime.now(UTC)
        if opened > now + _MAX_CLOCK_SKEW:
            # The clock was set back: rest from now on, not until then.
            opened = now
            circuit.set_opened_at(now)
        left = (opened + timedelta(seconds=self._reset_seconds) - now).total_seconds()
        if left > 0:
            raise CircuitOpen(left)

    def record_outcome(self, *, failed: bool) -> None:
        """Say how asking went."""
        circuit = self._get_circuit()
        circuit.record_outcome(failed=failed)
        if failed and (opened := circuit.opened_at) is not None:
            self._on_open(opened.timestamp() + self._reset_seconds)

    def _get_circuit(self) -> Circuit:
        with self._lock:
            if self._circuit is None:
                from app.upstream.circuits import Circuit

                self._circuit = Circuit(
                    self._shared_storage, self._name, self._max_failures, self._reset_seconds
                )
            return self._circuit
