"""Where models are: a directory of this host, or elsewhere, from which they are copied to it."""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from app.model_store.cache import ModelCache
from app.model_store.gcs import open_bucket
from app.model_store.hub import HubFolder, open_hub_folder
from app.model_store.layout import (
    MAX_POINTER_BYTES,
    POINTER_FILE,
    BucketUrl,
    ModelRef,
    manifest_digest,
    no_model_error,
    parse_pointer,
    parse_published_manifest,
)
from app.model_store.remote import AccessDeniedError, MissingObjectError, RemoteFolder
from app.model_store.s3 import open_s3_folder
from app.recommender.artifact import MANIFEST_FILE, MAX_MANIFEST_BYTES, ArtifactError, Manifest
from app.recommender.regular_files import TooLargeError, read_regular

SHORT_RETRY_TIMEOUT = 3.0
"""Seconds of trying to find out what is live, where a good copy can go on in the meantime."""


@dataclass(frozen=True, slots=True)
class BucketModelSource:
    """A model, or a folder of versions. What fails is tried again for ``retry_timeout`` seconds."""

    url: BucketUrl
    cache_dir: Path
    retry_timeout: float

    def latest(self) -> ModelRef:
        """Return what is live now: two or three small requests."""
        most = SHORT_RETRY_TIMEOUT if self._cache.last_good() else self.retry_timeout
        with _open_folder(self.url, min(most, self.retry_timeout)) as place:
            folder, content, manifest = _find_manifest(place)
        there = replace(self.url, prefix=folder.prefix)

        def fetch(thorough: bool) -> Path:
            with _open_folder(there, self.retry_timeout) as remote:
                return self._cache.download(remote, content, manifest, verify_digests=thorough)

        return ModelRef(manifest.version, manifest_digest(content), fetch)

    def local_copy(self) -> ModelRef | None:
        """Return the copy that last was good on this host."""
        copy = self._cache.last_good()
        if copy is None:
            return None
        content = (copy / MANIFEST_FILE).read_bytes()
        manifest = parse_published_manifest(content, copy / MANIFEST_FILE, copy.name)
        return ModelRef(manifest.version, manifest_digest(content), lambda _thorough: copy)

    def commit(self, model: Path) -> None:
        """Remember the copy as good; of the others only the one used before it is kept."""
        self._cache.commit(model)

    @property
    def _cache(self) -> ModelCache:
        url = str(self.url)
        return ModelCache(self.cache_dir / hashlib.sha256(url.encode()).hexdigest()[:16])


def _open_folder(url: BucketUrl, retry_timeout: float) -> AbstractContextManager[RemoteFolder]:
    if url.scheme == "hf":
        return open_hub_folder(url, retry_timeout)
    return (open_s3_folder if url.scheme == "s3" else open_bucket)(url, retry_timeout)


def _find_manifest(root: RemoteFolder) -> tuple[RemoteFolder, bytes, Manifest]:
    """Return the folder that holds the model, the bytes of its manifest and what they say."""
    folder, pointed = root, None
    try:
        content = root.read(MANIFEST_FILE)
    except (MissingObjectError, AccessDeniedError) as no_manifest:
        pointed = parse_pointer(_read_pointer(root, no_manifest), root.object_url(POINTER_FILE))
        folder = root.subfolder(pointed)
        content = folder.read(MANIFEST_FILE)
    return (
        folder,
        content,
        parse_published_manifest(content, folder.object_url(MANIFEST_FILE), pointed),
    )


def _read_pointer(root: RemoteFolder, no_manifest: ArtifactError) -> bytes:
    try:
        return root.read(POINTER_FILE)
    except (MissingObjectError, AccessDeniedError) as no_pointer:
        for error in (no_manifest, no_pointer):
            if isinstance(error, AccessDeniedError):
                raise error from None
        raise no_model_error(root.url, bucket=not isinstance(root, HubFolder)) from None


@dataclass(frozen=True, slots=True)
class DirectoryModelSource:
    """A model, or a folder of versions."""

    path: Path

    def latest(self) -> ModelRef:
        """Return what is live now; ArtifactError if there is nothing that can be read."""
        try:
            return self._find_latest()
        except OSError as error:
            raise ArtifactError(
                f"{self.path}: cannot be read ({error.strerror or error}); "
                "correct its permissions or HAKKEN_MODEL."
            ) from error
        except TooLargeError as error:
            raise ArtifactError(
                f"{self.path}: {POINTER_FILE} or {MANIFEST_FILE} has {error}; "
                "publish the model again."
            ) from None

    def local_copy(self) -> ModelRef | None:
        """Return the same: it is on this host."""
        return self.latest()

    def commit(self, model: Path) -> None:
        """Nothing to do: there are no copies."""

    def _find_latest(self) -> ModelRef:
        model, pointed_version = self.path, None
        if not (model / MANIFEST_FILE).is_file():
            pointer = self.path / POINTER_FILE
            if not pointer.is_file():
                raise no_model_error(str(self.path))
            pointed_version = parse_pointer(read_regular(pointer, MAX_POINTER_BYTES), pointer)
            model = self.path / pointed_version
            if not (model / MANIFEST_FILE).is_file():
                raise ArtifactError(
                    f"{model / MANIFEST_FILE}: missing, but {pointer} names version "
                    f"{pointed_version}; restore that version or point to another one."
                )
        content = read_regular(model / MANIFEST_FILE, MAX_MANIFEST_BYTES)
        manifest = parse_published_manifest(content, model / MANIFEST_FILE, pointed_version)
        return ModelRef(manifest.version, manifest_digest(content), lambda _thorough: model)
