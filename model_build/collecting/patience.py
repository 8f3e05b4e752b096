"""How long a collection waits for a service that wants rest, or that does not answer."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import requests

from model_build.errors import InputError

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0
"""Seconds, where nobody says how long to wait; each pause is twice the one before."""
IN_A_ROW = 20
"""After so many failures one after the other the service is taken to be gone."""
KEPT = "what came is kept; run the same command again later"


@dataclass(slots=True)
class Traffic:
    """What asking took in this run.

    ``answers`` that came, those to repeats included; of these ``limited`` (429) and ``failed``
    (5xx). ``waited`` seconds because of either; ``trouble`` is what made an answer useless.
    """

    answers: int = 0
    limited: int = 0
    failed: int = 0
    waited: float = 0.0
    trouble: Counter[str] = field(default_factory=Counter)

    def listen(self, session: requests.Session) -> None:
        """Count the answers that come to a session."""

        def heard(response: requests.Response, *_: object, **__: object) -> None:
            self.answers += 1
            self.limited += response.status_code == 429
            self.failed += response.status_code >= 500

        session.hooks["response"].append(heard)


class Patience:
    """Waits ``seconds`` at most for one answer; ``say`` is told of waits."""

    def __init__(
        self,
        source: str,
        traffic: Traffic,
        seconds: float,
        say: Callable[[str], None] = lambda _: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._source = source
        self._traffic = traffic
        self._seconds = seconds
        self._say = say
        self._sleep = sleep
        self._waited = 0.0
        self._pause = FIRST_PAUSE
        self._failures = 0

    def rest(self, asked: float | None) -> None:
        """Wait as long as the service asked for, or as long as is usual.

        Raises:
            InputError: it has wanted rest for longer than we have patience.
        """
        wait = max(1.0, asked) if asked is not None else self._next_pause()
        if self._waited + wait > self._seconds:
            raise InputError(
                f"{self._source} wants fewer requests, and still does after "
                f"{self._waited:,.0f} s: {KEPT}, perhaps with a lower --rate."
            )
        self._waited += wait
        self._wait(wait, f"{self._source} asks for rest: {wait:,.0f} s")

    def failed(self, why: str) -> None:
        """No useful answer came: wait, if it was not the first time.

        Raises:
            InputError: it was one time too many.
        """
        self._traffic.trouble[why] += 1
        self._failures += 1
        if self._failures >= IN_A_ROW:
            raise InputError(
                f"{self._source} has failed {self._failures} times in a row ({why}): {KEPT}."
            )
        if self._failures > 1:
            wait = self._next_pause()
            self._wait(wait, f"{self._source} fails ({why}): {wait:,.0f} s of rest")

    def answered(self) -> None:
        """All is well again."""
        self._waited, self._pause, self._failures = 0.0, FIRST_PAUSE, 0

    def _next_pause(self) -> float:
        pause = self._pause
        self._pause = min(2 * pause, LONGEST_PAUSE)
        return pause

    def _wait(self, seconds: float, words: str) -> None:
        self._say(words)
        self._traffic.waited += seconds
        self._sleep(seconds)
