"""Compiled templates, kept beside compiled modules: compiling them takes a tenth of a start."""

from __future__ import annotations

import hashlib
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from flask.templating import Environment
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket

from app.recommender.atomic_writes import write_atomically

FOLDER = Path(__file__).with_name("__pycache__")
"""Whoever may write here may change the code itself, so nobody else can plant anything."""


class TemplateCache(BytecodeCache):
    """Keeps each template for as long as its source and the settings of its compiler are the same.

    Where nothing can be written, as Python's own, nothing is kept.
    """

    def __init__(self, environment: Environment, folder: Path = FOLDER) -> None:
        self._folder = folder
        blanks = environment.trim_blocks, environment.lstrip_blocks
        trimmed = environment.policies["ext.i18n.trimmed"]
        self._compiler = f"{version('jinja2')} {blanks} {trimmed} {sorted(environment.extensions)}"

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        """Return a name for a template, of which there is one for each compiler."""
        return hashlib.sha256(f"{self._compiler}\n{filename}\n{name}".encode()).hexdigest()[:24]

    def load_bytecode(self, bucket: Bucket) -> None:
        """Read what was kept of a template, if it is of the same source."""
        with suppress(OSError), self._file(bucket).open("rb") as stream:
            bucket.load_bytecode(stream)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a template."""
        if sys.dont_write_bytecode:
            return
        with suppress(OSError):
            content = bucket.bytecode_to_string()
            write_atomically(self._file(bucket), lambda new: new.write_bytes(content))

    def _file(self, bucket: Bucket) -> Path:
        return self._folder / f"{bucket.key}.jinja"
