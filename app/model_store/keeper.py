"""Keeps the live model in use: takes a new one beside the old one, and the old one goes on if the
new one is no good."""

from __future__ import annotations

import ctypes
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from app.model_store.layout import Offer, Place, UnreachableError
from app.recommender.artifact import ArtifactError

RETRY_SECONDS, RETRY_MOST = 60.0, 3600.0
"""When a model that was refused is tried again: then, and each time after twice as long."""

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kept(Generic[T]):
    """A model in use, since ``loaded`` (seconds since the epoch); ``digest`` as in `Offer`."""

    content: T
    digest: str
    loaded: float


@dataclass(frozen=True, slots=True)
class _Refused:
    digest: str
    times: int
    until: float
    fault: str


class Keeper(Generic[T]):
    """Holds what ``read`` makes of the model at a place.

    ``current`` is replaced in one step; whoever took it out goes on with what they have. It is None
    as long as there was no model that could be used. ``fault`` says in one line why what the place
    offers is not in use, and is None when it is; ``checked`` is when the place was last asked.
    ``taken`` is told of every model that comes into use.
    """

    def __init__(
        self,
        open_place: Callable[[], Place],
        read: Callable[[Path], T],
        taken: Callable[[Kept[T]], None] = lambda _: None,
    ) -> None:
        self.current: Kept[T] | None = None
        self.fault: str | None = None
        self.checked: float | None = None
        self._open_place = open_place
        self._read = read
        self._taken = taken
        self._refused: _Refused | None = None
        self._one_at_a_time = threading.Lock()

    def check(self, *, insist: bool = False) -> None:
        """Take the model that is live now, unless it is in use already.

        One that was refused is tried again only after a while, or to ``insist``. Without any model
        in use, the one that last was good on this host is taken. Never raises: what goes wrong is
        logged once and remembered as the fault.
        """
        with self._one_at_a_time:
            fault = self._take_live(insist=insist)
            if fault is not None and self.current is None:
                self._take_nearby(instead_of=fault)
            if fault is not None and fault != self.fault:
                log.error("the model cannot be renewed: %s", fault)
            elif fault is None and self.fault is not None:
                log.info("the model is the live one again")
            self.fault = fault
            self.checked = time.time()

    def catch_up(self) -> None:
        """Take the model that last was good on this host: a forked worker holds what the server
        started with, which may be old by now. Asks nobody over a network and never raises."""
        with self._one_at_a_time:
            self._take_nearby()

    def _take_live(self, *, insist: bool) -> str | None:
        offer = None
        try:
            place = self._open_place()
            offer = place.look()
            if not self._holds(offer):
                if not insist and (fault := self._still_refused(offer)):
                    return fault
                self._take(place, offer)
            self._refused = None
        except Exception as error:  # whatever a new model does, the old one must go on
            fault = _one_line(error)
            if offer is not None and not isinstance(error, UnreachableError):
                self._refuse(offer, fault)
            if not isinstance(error, ArtifactError):
                log.exception("the model cannot be used")
            return fault
        return None

    def _take_nearby(self, instead_of: str | None = None) -> None:
        try:
            place = self._open_place()
            offer = place.nearby()
            if offer is not None and not self._holds(offer) and not self._still_refused(offer):
                self._take(place, offer)
        except Exception as error:
            if (fault := _one_line(error)) != instead_of:
                log.warning("no model on this host can be used: %s", fault)

    def _take(self, place: Place, offer: Offer) -> None:
        model = offer.fetch(False)
        try:
            content = self._read(model)
        except ArtifactError:
            # A copy that has lost bits on this host is repaired, and then is as good as new.
            model = offer.fetch(True)
            content = self._read(model)
        self.current = Kept(content, offer.digest, time.time())
        self._taken(self.current)
        _return_memory()
        log.info("model %s is in use", offer.version)
        place.settle(model)

    def _holds(self, offer: Offer) -> bool:
        return self.current is not None and self.current.digest == offer.digest

    def _still_refused(self, offer: Offer) -> str | None:
        refused = self._refused
        if refused and refused.digest == offer.digest and time.monotonic() < refused.until:
            return refused.fault
        return None

    def _refuse(self, offer: Offer, fault: str) -> None:
        before = self._refused
        times = before.times + 1 if before and before.digest == offer.digest else 1
        wait = min(RETRY_SECONDS * 2 ** min(times - 1, 10), RETRY_MOST)
        self._refused = _Refused(offer.digest, times, time.monotonic() + wait, fault)


def _return_memory() -> None:
    """Give back what reading a model took for a moment; glibc alone would keep it."""
    with suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
