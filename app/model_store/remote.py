"""What all buckets have in common: a folder of objects to read, and its errors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any, BinaryIO, Self, TypeVar

from app.recommender.artifact import MAX_MANIFEST_BYTES, ArtifactError

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
READ_DEADLINE = 5.0
"""Seconds for a small object, beside those for which asking again is worth a try."""

ResultT = TypeVar("ResultT")


class MissingObjectError(ArtifactError):
    """An object that is not there."""


class AccessDeniedError(ArtifactError):
    """An object that is not for us, or not there: storage does not always tell which."""


@dataclass(frozen=True, kw_only=True)
class RemoteFolder(ABC):
    """The objects of a bucket below a prefix. All methods raise ArtifactError.

    Requests are repeated for ``retry_timeout`` seconds; an anonymous one has no credentials.
    """

    prefix: str
    retry_timeout: float
    anonymous: bool

    @property
    @abstractmethod
    def url(self) -> str:
        """The address of the folder."""

    def object_url(self, name: str) -> str:
        """Return the address of an object in the folder."""
        return f"{self.url}/{name}"

    def object_name(self, name: str) -> str:
        """Return the full name of an object in the folder."""
        return f"{self.prefix}/{name}" if self.prefix else name

    def subfolder(self, name: str) -> Self:
        """Return the folder ``name`` inside this one."""
        return replace(self, prefix=self.object_name(name))

    def read(self, name: str) -> bytes:
        """Return the content of a small object.

        Raises MissingObjectError, AccessDeniedError: it is not there, or access is denied;
        ArtifactError: the storage cannot be read, or the object is far too large.
        """
        content = BytesIO()
        target = BoundedWriter(content, MAX_MANIFEST_BYTES, self.object_url(name))
        with self.translate_errors(name):
            seconds = self.retry_timeout + READ_DEADLINE
            run_with_deadline(lambda: self.copy(name, target, 0), seconds)
        return content.getvalue()

    def resume_download(self, name: str, file: Path, size: int) -> None:
        """Append to a file what it has not yet of an object; the file may not be there yet.

        No more than ``size`` bytes are written. Raises MissingObjectError, AccessDeniedError: the
        object is not there, or access is denied; ArtifactError: the storage cannot be read;
        OSError: the file cannot be written.
        """
        with file.open("ab") as opened, self.translate_errors(name):
            target = BoundedWriter(opened, size, self.object_url(name))
            self.copy(name, target, opened.tell())

    @abstractmethod
    def copy(self, name: str, target: BoundedWriter, offset: int) -> None:
        """Write an object from a byte on: nothing where it is no longer than that."""

    @abstractmethod
    def translate_errors(self, name: str) -> AbstractContextManager[None]:
        """Turn what the libraries raise about an object into an ArtifactError."""


def run_with_deadline(function: Callable[[], ResultT], seconds: float) -> ResultT:
    """Return what a function returns; TimeoutError where it takes longer.

    It runs in a thread that is left behind then: what comes byte by byte has no other end.
    """
    done: Future[ResultT] = Future()

    def run() -> None:
        try:
            done.set_result(function())
        except BaseException as error:
            done.set_exception(error)

    Thread(target=run, name="bucket", daemon=True).start()
    return done.result(seconds)


class BoundedWriter:
    """A file that is written to, up to a size."""

    def __init__(self, file: BinaryIO, max_bytes: int, url: str) -> None:
        self._file = file
        self._max_bytes = max_bytes
        self._url = url

    def write(self, data: bytes) -> int:
        """Write some more; ArtifactError when it is too much."""
        if self._file.tell() + len(data) > self._max_bytes:
            raise ArtifactError(
                f"{self._url}: larger than {self._max_bytes:,} bytes; publish the model again."
            )
        return self._file.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
