"""NOTICE: what the bundled model was made from, and under which licences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path


def _find_notice() -> Path:
    """Find it beside the code, or, once Hakken is installed, where pip keeps licences.

    A model registered with its code has neither, and does not read it.
    """
    beside = Path(__file__).resolve().parent.parent / "NOTICE"
    try:
        installed = metadata.files("hakken") or []
    except metadata.PackageNotFoundError:
        return beside
    kept = [file for file in installed if file.name == "NOTICE"]
    return beside if beside.is_file() or not kept else Path(str(kept[0].locate()))


NOTICE = _find_notice()
_SECTION = re.compile(r"^(\w.*)\n\n((?:- .+\n)+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Source:
    """Where data is from, and its licence."""

    name: str
    licence: str


@dataclass(frozen=True, slots=True)
class Sources:
    """What one kind of data in the model is from."""

    heading: str
    sources: tuple[Source, ...]


def read_sources(dataset: str) -> tuple[Sources, ...]:
    """What NOTICE names, if it is about a model of this dataset; it knows nothing of others."""
    text = NOTICE.read_text("utf-8")
    if f'"{dataset}"' not in " ".join(text.split()):
        return ()
    return tuple(
        Sources(heading, tuple(_source(line) for line in lines.splitlines()))
        for heading, lines in _SECTION.findall(text)
    )


def _source(line: str) -> Source:
    name, _, licence = line.removeprefix("- ").rpartition(": ")
    return Source(name, licence)
