"""One command to be run, with what it reads and what it writes."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from model_build.pipeline.command_options import CommandSpec, OptionValue

InputPaths = Mapping[str, list[str]]


@dataclass(frozen=True)
class PipelineTask:
    """A command of a step.

    ``inputs`` and ``outputs`` are files and folders by the option that names them; an input in
    ``if_there`` is left out where there is none. What the command prints goes to ``printed``.
    ``depends_on`` tells of what else the result depends on, ``check`` refuses what cannot be.
    ``elsewhere``: it asks or changes what is not on this host, so new code is no reason to do it
    again. ``anew``: the command wants its place empty.
    """

    name: str
    step: str
    command_names: tuple[str, ...]
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    inputs: InputPaths = field(default_factory=dict)
    outputs: Mapping[str, Path] = field(default_factory=dict)
    stdout_path: Path | None = None
    optional_inputs: frozenset[str] = frozenset()
    extra_state: Callable[[], str] | None = None
    precondition: Callable[[], None] | None = None
    is_external: bool = False
    clear_output: bool = False

    @cached_property
    def command(self) -> CommandSpec:
        """What is run."""
        return CommandSpec.load(*self.command_names)

    def existing_inputs(self) -> dict[str, list[str]]:
        """The inputs that are there, or must be."""
        return {
            key: places
            for key, places in self.inputs.items()
            if key not in self.optional_inputs or all(Path(place).exists() for place in places)
        }

    def output_paths(self) -> dict[str, Path]:
        """All that it writes."""
        printed = {} if self.stdout_path is None else {"printed": self.stdout_path}
        return {**self.outputs, **printed}

    def to_argv(self) -> list[str]:
        """The words of its command line."""
        options: dict[str, OptionValue] = dict(self.options)
        for key, places in self.existing_inputs().items():
            many = self.command.options[key].accepts_many
            options[key] = list(places) if many else places[0]
        options |= {key: str(place) for key, place in self.outputs.items()}
        return self.command.to_argv(options)

    def command_line(self) -> str:
        """The same as one would type it."""
        line = shlex.join(["python", "-m", "model_build", *self.to_argv()])
        return line if self.stdout_path is None else f"{line} >{shlex.quote(str(self.stdout_path))}"
