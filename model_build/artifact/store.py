"""Files at a place that several may write to: a directory, or a folder of a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.model_store import RETRY_TIMEOUT
from app.model_store.gcs import open_bucket
from app.model_store.layout import parse_model_url


class ConflictError(Exception):
    """Somebody else changed a file since it was looked at."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that is there. ``generation`` changes with every replacement, ``updated`` is when that
    was in seconds since the epoch, ``crc32c`` is known where it takes no reading."""

    name: str
    size: int
    generation: str
    updated: float
    crc32c: str | None = None


class ModelFileStore(Protocol):
    """Files by name: ``latest``, or ``VERSION/manifest.json``. Failures are ArtifactErrors."""

    @property
    def url(self) -> str:
        """What messages call it."""

    def list(self) -> dict[str, StoredFile]:
        """All files of the place and of the folders in it."""

    def read(self, name: str) -> bytes:
        """The content; MissingObjectError if it is not there."""

    def matches(self, stored: StoredFile, content: bytes) -> bool:
        """Whether a file that `list` showed has this content."""

    def put(self, name: str, content: bytes, expected_generation: str | None) -> None:
        """Write a file whole, in the place of the generation ``replaces`` (None: of nothing).

        Raises:
            ConflictError: another one, or another content, is there by now.
        """

    def delete(self, name: str) -> None:
        """Delete a file; one that is gone already is fine."""


@contextmanager
def open_model_store(url: str, given_as: str) -> Iterator[ModelFileStore]:
    """The store at a directory, ``file://`` URL or ``gs://bucket/prefix``.

    Raises:
        ArtifactError: the URL is none of these, or credentials cannot be used.
    """
    from model_build.artifact.directory_store import DirectoryStore
    from model_build.artifact.gcs_store import GcsStore

    parsed = parse_model_url(url, f"{given_as} ")
    if isinstance(parsed, Path):
        yield DirectoryStore(parsed)
        return
    with open_bucket(parsed, RETRY_TIMEOUT, write=True) as folder:
        yield GcsStore(folder)
