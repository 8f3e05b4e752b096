"""Copies of remote models on this host: downloaded once, whole or not at all."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from filelock import FileLock, Timeout

from app.model_store.gcs import BucketFolder
from app.recommender.artifact import MANIFEST, ArtifactError, FileFacts, Manifest, verify_file

LOCK_SECONDS = 600.0

_log = logging.getLogger(__name__)


def keep_copy(folder: BucketFolder, text: bytes, manifest: Manifest, cache: Path) -> Path:
    """Return the copy of a remote model in ``cache``, downloading it if it is not there.

    ``text`` is the remote manifest, byte for byte. The copy is put together in a hidden folder
    beside its place and renamed at the end, so what a killed process leaves is never opened; the
    next one goes on from the files that verify. A lock lets one process download at a time.

    Raises:
        ArtifactError: a file cannot be downloaded or is not what the manifest says, the cache
            cannot be written, or another process holds the lock for LOCK_SECONDS.
    """
    target = cache / manifest.version
    try:
        if _is_complete(target, text, manifest):
            return target
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f".{manifest.version}.lock", timeout=LOCK_SECONDS):
            if not _is_complete(target, text, manifest):
                _log.info("downloading model %s from %s", manifest.version, folder.url)
                _download(folder, text, manifest, target)
    except Timeout:
        raise ArtifactError(
            f"{folder.url}: another process has been downloading it into {target} for over "
            f"{LOCK_SECONDS:.0f} seconds; stop that process or start again later."
        ) from None
    except OSError as error:
        raise ArtifactError(
            f"{folder.url}: cannot be kept in {target} ({error.strerror or error}); "
            "set HAKKEN_MODEL_CACHE to a folder with room that this user may write."
        ) from error
    return target


def _is_complete(target: Path, text: bytes, manifest: Manifest) -> bool:
    """Whether the copy is of this manifest and no file is missing or cut short.

    The digests are left to ``open_artifact``, which checks them in every process.
    """
    try:
        return (target / MANIFEST).read_bytes() == text and all(
            (target / name).stat().st_size == facts.bytes for name, facts in manifest.files.items()
        )
    except (FileNotFoundError, NotADirectoryError):
        return False


def _download(folder: BucketFolder, text: bytes, manifest: Manifest, target: Path) -> None:
    partial = target.with_name(f".{target.name}.partial")
    if target.exists():
        # Damaged, or of another manifest: nobody may open it now, but its good files are kept.
        shutil.rmtree(partial, ignore_errors=True)
        target.rename(partial)
    partial.mkdir(exist_ok=True)
    for stray in [file for file in partial.iterdir() if file.name not in manifest.files]:
        stray.unlink()
    for name, facts in manifest.files.items():
        if not _verifies(partial / name, facts):
            _fetch(folder, name, partial / name, facts)
    (partial / MANIFEST).write_bytes(text)
    partial.rename(target)


def _verifies(file: Path, facts: FileFacts) -> bool:
    try:
        verify_file(file, facts)
    except ArtifactError:
        return False
    return True


def _fetch(folder: BucketFolder, name: str, file: Path, facts: FileFacts) -> None:
    # A new file, never the old one written over: a running process may have mapped it.
    file.unlink(missing_ok=True)
    folder.fetch(name, file)
    try:
        verify_file(file, facts)
    except ArtifactError as error:
        file.unlink()
        reason = str(error).removeprefix(f"{file}: ").rstrip(".")
        raise ArtifactError(
            f"{folder.url_of(name)}: not what the manifest lists ({reason}); "
            "publish the model again."
        ) from None
