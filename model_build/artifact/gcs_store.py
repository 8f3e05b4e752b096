"""A store in a bucket: Cloud Storage itself checks what arrives and what it replaces."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import google_crc32c

from app.model_store.gcs import BucketFolder, MissingObjectError
from app.recommender.artifact import ArtifactError
from model_build.artifact.store import ConflictError, StoredFile

NO_GENERATION = 0
"""The generation of an object that is not there."""


@dataclass(frozen=True, slots=True)
class GcsStore:
    """The objects of a bucket below a prefix."""

    folder: BucketFolder

    @property
    def url(self) -> str:
        return self.folder.url

    def list(self) -> dict[str, StoredFile]:
        """All objects below the prefix."""
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

    def read(self, name: str) -> bytes:
        """The content of an object."""
        return self.folder.read(name)

    def matches(self, stored: StoredFile, content: bytes) -> bool:
        """Whether size and checksum are those of the content."""
        return stored.size == len(content) and stored.crc32c == _crc32c(content)

    def put(self, name: str, content: bytes, expected_generation: str | None) -> None:
        """Upload with the checksum and the generation that it replaces, and compare the answer."""
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
                # Perhaps by ourselves: an answer got lost, and the request was repeated.
                blob.reload(**self.folder.request_options())
                if blob.crc32c != _crc32c(content):
                    raise ConflictError(name) from None
        if (blob.size, blob.crc32c) != (len(content), _crc32c(content)):
            raise ArtifactError(
                f"{self.folder.object_url(name)}: what was stored is not what was sent; publish again."
            )

    def delete(self, name: str) -> None:
        """Delete an object."""
        try:
            with self.folder.translate_errors(name):
                self.folder.bucket.blob(self.folder.object_name(name)).delete(
                    **self.folder.request_options()
                )
        except MissingObjectError as error:
            if error.denied:
                raise


def _crc32c(content: bytes) -> str:
    value: int = google_crc32c.value(content)
    return base64.b64encode(value.to_bytes(4, "big")).decode("ascii")
