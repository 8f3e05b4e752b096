"""What files and folders hold, as digests that are remembered."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from model_build.util.storage import is_url

MISSING = "missing"


class FileDigests:
    """sha256 of files and folders; what has the same size and time as before is not read again."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, list[Any]] = {}
        with suppress(OSError, ValueError, TypeError):  # then they are read again
            self._known = dict(json.loads(file.read_text("utf-8")))

    def digest(self, path_text: str) -> str:
        """Of a file, or of all files beneath a folder but hidden ones; MISSING where none is."""
        path = Path(path_text)
        if is_url(path_text):
            return path_text
        if path.is_dir():
            names = {file.relative_to(path): file for file in path.rglob("*") if file.is_file()}
            lines = [
                f"{name.as_posix()} {self._digest_file(file)}"
                for name, file in sorted(names.items())
                if not any(part.startswith(".") for part in name.parts)
            ]
            return hashlib.sha256("\n".join(lines).encode()).hexdigest()
        return self._digest_file(path) if path.is_file() else MISSING

    def save(self) -> None:
        """For the next time."""
        from app.recommender.atomic_writes import write_text_atomically  # not for reading: numba

        write_text_atomically(self._file, json.dumps(self._known))

    def _digest_file(self, file: Path) -> str:
        status, name = file.stat(), str(file.absolute())
        facts = [status.st_size, status.st_mtime_ns, status.st_ino]
        known = self._known.get(name)
        if known is None or known[:3] != facts:
            with file.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            known = self._known[name] = [*facts, digest]
        return str(known[3])
