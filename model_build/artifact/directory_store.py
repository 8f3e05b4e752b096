"""A store in a directory: files are renamed into place under a lock, when the disk has them."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from app.model_store.gcs import MissingObjectError
from app.recommender.artifact import ArtifactError
from app.recommender.atomic_directory import fsync_path
from model_build.artifact.store import ConflictError, StoredFile

LOCK_SECONDS = 60.0
LOCK_FILE = ".lock"


@dataclass(frozen=True, slots=True)
class DirectoryStore:
    """The files of a directory and of the folders in it; hidden ones are ours."""

    path: Path

    @property
    def url(self) -> str:
        return str(self.path)

    def list(self) -> dict[str, StoredFile]:
        """All files; none if there is no such directory yet."""
        with self._translate_errors():
            return {stored.name: stored for stored in self._iter_files()}

    def read(self, name: str) -> bytes:
        """The content of a file."""
        file = self.path / name
        with self._translate_errors():
            try:
                return file.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                raise MissingObjectError(f"{file}: there is no such file.", denied=False) from None

    def matches(self, stored: StoredFile, content: bytes) -> bool:
        """Whether the file holds this, read again from the directory."""
        return stored.size == len(content) and self.read(stored.name) == content

    def put(self, name: str, content: bytes, expected_generation: str | None) -> None:
        """Write beside the file, have the disk hold it, and rename."""
        file = self.path / name
        with self._translate_errors():
            file.parent.mkdir(parents=True, exist_ok=True)
            with self._lock():
                there = self._file_info(file)
                if (there and there.generation) != expected_generation:
                    if there and self.matches(there, content):
                        return
                    raise ConflictError(name)
                # Whoever has the lock may overwrite what a killed one left under this name.
                partial = file.with_name(f".{file.name}.partial")
                try:
                    partial.write_bytes(content)
                    fsync_path(partial)
                    partial.replace(file)
                finally:
                    partial.unlink(missing_ok=True)
                fsync_path(file.parent)
                fsync_path(self.path)

    def delete(self, name: str) -> None:
        """Delete a file, and its folder with the last one."""
        file = self.path / name
        with self._translate_errors(), self._lock():
            file.unlink(missing_ok=True)
            folder = file.parent
            if folder != self.path and folder.is_dir():
                fsync_path(folder)
                if all(left.name.startswith(".") for left in folder.iterdir()):
                    shutil.rmtree(folder)

    def _iter_files(self) -> Iterator[StoredFile]:
        if not self.path.exists():
            return
        for entry in self.path.iterdir():
            inside = entry.iterdir() if entry.is_dir() else [entry]
            for file in () if entry.name.startswith(".") else inside:
                stored = None if file.name.startswith(".") else self._file_info(file)
                if stored:
                    yield stored

    def _file_info(self, file: Path) -> StoredFile | None:
        try:
            found = file.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        return StoredFile(
            name=file.relative_to(self.path).as_posix(),
            size=found.st_size,
            # Every replacement is a new file, so the number of the old one cannot be back at once.
            generation=f"{found.st_ino}-{found.st_mtime_ns}",
            updated=found.st_mtime,
        )

    @contextmanager
    def _lock(self) -> Iterator[None]:
        try:
            with FileLock(self.path / LOCK_FILE, timeout=LOCK_SECONDS):
                yield
        except Timeout:
            raise ArtifactError(
                f"{self.path / LOCK_FILE}: another process has been writing there for over "
                f"{LOCK_SECONDS:.0f} seconds; wait for it or stop it, then try again."
            ) from None

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ArtifactError(
                f"{error.filename or self.path}: cannot be read or written "
                f"({error.strerror or error}); make room or correct permissions, then try again."
            ) from error
