"""What every store of published models can do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from app.model_store.remote import RemoteFolder
from model_build.util.temporary_folders import temporary_folder


class ConflictError(Exception):
    """Somebody else changed a file since it was listed."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a store.

    ``generation`` changes with every other content, ``updated`` is when the file was last written
    (seconds since the epoch), ``crc32c`` is known in buckets of Google.
    """

    name: str
    size: int
    generation: str
    updated: float
    crc32c: str | None = None


class ModelFileStore(Protocol):
    """Files by name: ``latest``, or ``VERSION/manifest.json``. Failures are ArtifactErrors."""

    @property
    def url(self) -> str:
        """What messages call the store."""

    def list(self) -> dict[str, StoredFile]:
        """List all files, and those of the folders in it."""

    def read(self, name: str) -> bytes:
        """Return the content of a small file; MissingObjectError without such a file."""

    def download(self, name: str, max_bytes: int) -> bytes:
        """Return the content of a file of any size; ArtifactError if it has more bytes."""

    def matches(self, stored: StoredFile, content: bytes) -> bool:
        """Whether a file that `list` showed has this content."""

    def put(self, name: str, content: bytes, expected_generation: str | None) -> None:
        """Write a file atomically in place of ``expected_generation`` (None: no file).

        Raises
        ------
        ConflictError
            Another generation with other content is there.
        """

    def put_all(self, files: Iterable[tuple[str, bytes, str | None]]) -> None:
        """Write several files as `put` would, given its arguments, each or all of them at once."""
        for name, content, expected_generation in files:
            self.put(name, content, expected_generation)

    def delete(self, name: str) -> None:
        """Delete a file; it may be gone already."""

    def delete_all(self, names: Iterable[str]) -> None:
        """Delete several files as `delete` would, each or all of them at once."""
        for name in names:
            self.delete(name)


class RemoteFileStore(ModelFileStore):
    """A store that is read as what serves reads it: from a folder of a bucket or a repository."""

    folder: RemoteFolder

    @property
    def url(self) -> str:
        """The address of the folder."""
        return self.folder.url

    def read(self, name: str) -> bytes:
        """Return the content of a small file."""
        return self.folder.read(name)

    def download(self, name: str, max_bytes: int) -> bytes:
        """Return the content of a file of any size."""
        with temporary_folder() as temporary:
            file = temporary / "object"
            self.folder.resume_download(name, file, max_bytes)
            return file.read_bytes()
