"""Stores of published models, which several may write to: a directory, a bucket, the Hub."""

from __future__ import annotations

import base64
import hashlib
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import google_crc32c
from filelock import FileLock, Timeout

from app.model_store import RETRY_TIMEOUT
from app.model_store.gcs import BucketFolder, open_bucket
from app.model_store.hub import open_hub_folder
from app.model_store.layout import parse_model_url
from app.model_store.remote import MissingObjectError
from app.model_store.s3 import S3Folder, open_s3_folder
from app.recommender.artifact import ArtifactError
from app.recommender.atomic_writes import fsync_path, write_atomically
from model_build.artifact.file_store import (
    ConflictError,
    ModelFileStore,
    RemoteFileStore,
    StoredFile,
)
from model_build.artifact.hub_store import HubStore


@contextmanager
def open_model_store(url: str, given_as: str) -> Iterator[ModelFileStore]:
    """Return the store at a directory or ``file://``, ``gs://``, ``s3://`` or ``hf://`` URL.

    Raises
    ------
    ArtifactError
        The URL is none of these, or credentials cannot be used.
    """
    parsed = parse_model_url(url, f"{given_as} ")
    if isinstance(parsed, Path):
        yield DirectoryStore(parsed)
        return
    if parsed.scheme == "s3":
        with open_s3_folder(parsed, RETRY_TIMEOUT) as s3_folder:
            yield S3Store(s3_folder)
        return
    if parsed.scheme == "hf":
        with open_hub_folder(parsed, RETRY_TIMEOUT) as hub_folder:
            yield HubStore(hub_folder)
        return
    with open_bucket(parsed, RETRY_TIMEOUT, write=True) as folder:
        yield GcsStore(folder)


MAX_OBJECT_BYTES = 5 * 1024**3
"""S3 takes no more in one request."""
LOCK_SECONDS = 60.0
LOCK_FILE = ".lock"


@dataclass(frozen=True, slots=True)
class DirectoryStore(ModelFileStore):
    """The files of a directory and of the folders in it; hidden ones are its own."""

    path: Path

    @property
    def url(self) -> str:
        """The path."""
        return str(self.path)

    def list(self) -> dict[str, StoredFile]:
        """List all files; none without such a directory."""
        with self._translate_errors():
            return {stored.name: stored for stored in self._iter_files()}

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        file = self.path / name
        with self._translate_errors():
            try:
                return file.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                raise MissingObjectError(f"{file}: there is no such file.") from None

    def download(self, name: str, max_bytes: int) -> bytes:
        """Return the content of a file."""
        content = self.read(name)
        if len(content) > max_bytes:
            raise ArtifactError(
                f"{self.path / name}: larger than {max_bytes:,} bytes; publish the model again."
            )
        return content

    def matches(self, stored: StoredFile, content: bytes) -> bool:
        """Whether the file holds this, read again from the directory."""
        return stored.size == len(content) and self.read(stored.name) == content

    def put(self, name: str, content: bytes, expected_generation: str | None) -> None:
        """Write beside the file, sync, and rename."""
        file = self.path / name
        with self._translate_errors():
            file.parent.mkdir(parents=True, exist_ok=True)
            with self._lock():
                there = self._file_info(file)
                if (there and there.generation) != expected_generation:
                    if there and self.matches(there, content):
                        return
                    raise ConflictError(name)
                partial = file.with_name(f".{file.name}.partial")
                write_atomically(file, lambda new: new.write_bytes(content), partial=partial)
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
            # A replacement is a new file: it does not get the inode of the old one at once.
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


NO_GENERATION = 0
"""The generation of an object that is not there."""


@dataclass(frozen=True, slots=True)
class GcsStore(RemoteFileStore):
    """The objects of a bucket below a prefix."""

    folder: BucketFolder

    def list(self) -> dict[str, StoredFile]:
        """List all objects below the prefix."""
        start = self.folder.object_name("")
        with self.folder.translate_errors(""):
            blobs = self.folder.bucket.list_blobs(
                prefix=start or None, **self.folder.request_options()
            )
            found = [
                StoredFile(
                    name=blob.name.removeprefix(start),
                    size=blob.size,
                    generation=str(blob.generation),
                    updated=blob.updated.timestamp(),
                    crc32c=blob.crc32c,
                )
                for blob in blobs
            ]
        return {stored.name: stored for stored in found}

    def matches(self, stored: StoredFile, content: bytes) -> bool:
        """Whether size and checksum are those of the content."""
        return stored.size == len(content) and stored.crc32c == _crc32c(content)

    def put(self, name: str, content: bytes, expected_generation: str | None) -> None:
        """Upload with checksum and expected generation, and compare the answer."""
        from google.api_core.exceptions import PreconditionFailed

        blob = self.folder.bucket.blob(self.folder.object_name(name))
        generation = int(expected_generation) if expected_generation else NO_GENERATION
        with self.folder.translate_errors(name):
            try:
                blob.upload_from_string(
                    content,
                    content_type="application/octet-stream",
                    if_generation_match=generation,
                    checksum="crc32c",
                    **self.folder.request_options(),
                )
            except PreconditionFailed:
                # Perhaps by this process: an answer got lost, and the request was repeated.
                blob.reload(**self.folder.request_options())
                if blob.crc32c != _crc32c(content):
                    raise ConflictError(name) from None
        if (blob.size, blob.crc32c) != (len(content), _crc32c(content)):
            raise ArtifactError(
                f"{self.folder.object_url(name)}: what was stored is not what was sent; "
                "publish again."
            )

    def delete(self, name: str) -> None:
        """Delete an object."""
        with suppress(MissingObjectError), self.folder.translate_errors(name):
            self.folder.bucket.blob(self.folder.object_name(name)).delete(
                **self.folder.request_options()
            )


@dataclass(frozen=True, slots=True)
class S3Store(RemoteFileStore):
    """The objects of an S3 bucket below a prefix; an object's ETag is its generation."""

    folder: S3Folder

    def list(self) -> dict[str, StoredFile]:
        """List all objects below the prefix."""
        start = self.folder.object_name("")
        pages = self.folder.client.get_paginator("list_objects_v2")
        with self.folder.translate_errors(""):
            found = [
                StoredFile(
                    name=entry["Key"].removeprefix(start),
                    size=entry["Size"],
                    generation=entry["ETag"],
                    updated=entry["LastModified"].timestamp(),
                )
                for page in pages.paginate(Bucket=self.folder.bucket, Prefix=start)
                for entry in page.get("Contents", ())
            ]
        return {stored.name: stored for stored in found}

    def matches(self, stored: StoredFile, content: bytes) -> bool:
        """Whether the ETag is the content's, or, where it is of another kind, the content is."""
        if stored.size != len(content):
            return False
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        return stored.generation.strip('"') == digest or self._find(stored.name) == content

    def put(self, name: str, content: bytes, expected_generation: str | None) -> None:
        """Upload with checksum, which S3 compares, and expected ETag."""
        from botocore.exceptions import ClientError

        expected = {"IfMatch": expected_generation} if expected_generation else {"IfNoneMatch": "*"}
        with self.folder.translate_errors(name):
            try:
                self.folder.client.put_object(
                    Bucket=self.folder.bucket,
                    Key=self.folder.object_name(name),
                    Body=content,
                    ContentType="application/octet-stream",
                    ChecksumAlgorithm="SHA256",
                    **expected,
                )
            except ClientError as error:
                # 404: it is gone; 409: another one is just being written.
                if error.response["ResponseMetadata"]["HTTPStatusCode"] not in (404, 409, 412):
                    raise
                # Perhaps by this process: an answer got lost, and the request was repeated.
                if self._find(name) != content:
                    raise ConflictError(name) from None

    def delete(self, name: str) -> None:
        """Delete an object."""
        with self.folder.translate_errors(name):
            key = self.folder.object_name(name)
            self.folder.client.delete_object(Bucket=self.folder.bucket, Key=key)

    def _find(self, name: str) -> bytes | None:
        """Return the content of an object; None without one."""
        try:
            return self.download(name, MAX_OBJECT_BYTES)
        except MissingObjectError:
            return None


def _crc32c(content: bytes) -> str:
    value: int = google_crc32c.value(content)
    return base64.b64encode(value.to_bytes(4, "big")).decode("ascii")
