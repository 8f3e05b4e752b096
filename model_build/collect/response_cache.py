"""Responses of a service, each in a gzipped file of its own, so that none is requested twice.

A collection runs as if it requested everything from the start, and takes what it has from here: it
can be stopped at any moment, and goes on when it is run again.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from app.recommender.atomic_writes import write_atomically
from model_build.util.errors import InputError

FILE_SUFFIX = ".json.gz"
PLAN_KEY = "plan"
_GZIP_LEVEL = 6


class ResponseCache:
    """The responses in ``folder`` by names such as ``library/17``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._plan: dict[str, Any] | None = None

    def get(self, name: str) -> Any | None:
        """Return the response, None if there is none that can be read."""
        try:
            return json.loads(gzip.decompress(self._file(name).read_bytes()))
        except (OSError, EOFError, ValueError, zlib.error):  # not there, or damaged by the disk
            return None

    def has(self, name: str) -> bool:
        """Whether there is a response, readable or not."""
        return self._file(name).is_file()

    def put(self, name: str, response: Any) -> None:
        """Store a response; it is on disk when this returns."""
        if self._plan is not None:
            plan, self._plan = self._plan, None
            self.put(PLAN_KEY, plan)
        packed = gzip.compress(
            json.dumps(response, ensure_ascii=False, separators=(",", ":")).encode(),
            _GZIP_LEVEL,
            mtime=0,
        )
        write_atomically(self._file(name), lambda partial: partial.write_bytes(packed))

    def remove(self, name: str) -> None:
        """Delete a response."""
        self._file(name).unlink(missing_ok=True)

    def count(self, kind: str) -> int:
        """How many are kept whose names begin with ``kind/``."""
        return sum(1 for _ in (self.folder / kind).glob(f"*{FILE_SUFFIX}"))

    def check_plan(self, plan: dict[str, Any]) -> None:
        """Fill the folder by this plan, which is stored with the first response."""
        stored = self.get(PLAN_KEY)
        if stored is None:
            if any(self.folder.rglob(f"*{FILE_SUFFIX}")):
                raise InputError(f"{self.folder}: has lost its plan; remove it, or use another.")
            self._plan = plan
            return
        for name, value in plan.items():
            if stored.get(name) != value:
                raise InputError(
                    f"{self.folder}: was collected with {name} {stored.get(name)}, not {value}; "
                    "choose another --out, or go on as before."
                )

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Make this the only process that fills the folder.

        Raises
        ------
        InputError
            Another one does.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # it says who did what
        lock = FileLock(self.folder / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise InputError(
                f"{self.folder}: another process is collecting there; wait for it, or use "
                "another --out."
            ) from None
        try:
            # What a process that was killed has left half-written.
            for partial in self.folder.rglob(f".*{FILE_SUFFIX}.*"):
                partial.unlink()
            yield
        finally:
            lock.release()

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}{FILE_SUFFIX}"
