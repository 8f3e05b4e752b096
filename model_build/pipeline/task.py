"""One command to be run, with what it reads and what it writes."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from model_build.pipeline.options import Command, Value

Inputs = Mapping[str, list[str]]


@dataclass(frozen=True)
class Task:
    """A command of a step.

    ``inputs`` and ``outputs`` are files and folders by the option that names them; an input in
    ``if_there`` is left out where there is none. What the command prints goes to ``printed``.
    ``depends_on`` tells of what else the result depends on, ``check`` refuses what cannot be.
    ``elsewhere``: it asks or changes what is not on this host, so new code is no reason to do it
    again. ``anew``: the command wants its place empty.
    """

    name: str
    step: str
    words: tuple[str, ...]
    options: Mapping[str, Value] = field(default_factory=dict)
    inputs: Inputs = field(default_factory=dict)
    outputs: Mapping[str, Path] = field(default_factory=dict)
    printed: Path | None = None
    if_there: frozenset[str] = frozenset()
    depends_on: Callable[[], str] | None = None
    check: Callable[[], None] | None = None
    elsewhere: bool = False
    anew: bool = False

    @cached_property
    def command(self) -> Command:
        """What is run."""
        return Command.of(*self.words)

    def read(self) -> dict[str, list[str]]:
        """The inputs that are there, or must be."""
        return {
            key: places
            for key, places in self.inputs.items()
            if key not in self.if_there or all(Path(place).exists() for place in places)
        }

    def written(self) -> dict[str, Path]:
        """All that it writes."""
        printed = {} if self.printed is None else {"printed": self.printed}
        return {**self.outputs, **printed}

    def line(self) -> list[str]:
        """The words of its command line."""
        options: dict[str, Value] = dict(self.options)
        for key, places in self.read().items():
            many = self.command.options[key].many
            options[key] = list(places) if many else places[0]
        options |= {key: str(place) for key, place in self.outputs.items()}
        return self.command.line(options)

    def shown(self) -> str:
        """The same as one would type it."""
        line = shlex.join(["python", "-m", "model_build", *self.line()])
        return line if self.printed is None else f"{line} >{shlex.quote(str(self.printed))}"
