"""Copies of remote models on this host: downloaded once, whole or not at all."""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from app.model_store.layout import parse_pointer
from app.model_store.remote import RemoteFolder
from app.recommender.artifact import (
    MANIFEST_FILE,
    ArtifactError,
    Manifest,
    ManifestEntry,
    verify_file,
)
from app.recommender.atomic_writes import fsync_path, write_atomically

LOCK_TIMEOUT = 600.0
MAX_COPIES = 2
"""Copies that stay: the one in use, and the one used before it, for the way back."""

_PARTIAL_SUFFIX = ".part"
_GOOD_MARKER = ".good"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelCache:
    """The copies of the models of one place, in a folder of their own, by version."""

    folder: Path

    def download(
        self,
        bucket_folder: RemoteFolder,
        manifest_bytes: bytes,
        manifest: Manifest,
        *,
        verify_digests: bool = False,
    ) -> Path:
        """Return the copy of a remote model, downloading what is not there.

        ``manifest_bytes`` is the remote manifest, byte for byte. The copy is put together in a
        hidden folder beside its place and renamed at the end, so what a killed process leaves is
        never opened; the next one goes on from the byte where it stopped. A lock lets one process
        download at a time. The digests of a copy made earlier are only compared with
        ``verify_digests``; whoever opens it does so anyway. Raises ArtifactError: a file cannot be
        downloaded or is not what the manifest says, the folder cannot be written, or another
        process holds the lock for `LOCK_TIMEOUT` seconds.
        """
        target = self.folder / manifest.version
        try:
            if _is_complete(target, manifest_bytes, manifest, verify_digests=verify_digests):
                return target
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._lock(LOCK_TIMEOUT):
                if not _is_complete(
                    target, manifest_bytes, manifest, verify_digests=verify_digests
                ):
                    _log.info("downloading model %s from %s", manifest.version, bucket_folder.url)
                    _download_model(bucket_folder, manifest_bytes, manifest, target)
        except Timeout:
            raise ArtifactError(
                f"{bucket_folder.url}: another process has been downloading it into {target} for "
                f"over {LOCK_TIMEOUT:.0f} seconds; stop that process or start again later."
            ) from None
        except OSError as error:
            raise ArtifactError(
                f"{bucket_folder.url}: cannot be kept in {target} ({error.strerror or error}); "
                "set HAKKEN_MODEL_CACHE to a folder with room that this user may write."
            ) from error
        return target

    def last_good(self) -> Path | None:
        """Return the copy that `commit` was last called with."""
        marker = self.folder / _GOOD_MARKER
        try:
            copy = self.folder / parse_pointer(marker.read_bytes(), marker)
            return copy if (copy / MANIFEST_FILE).is_file() else None
        except (OSError, ArtifactError):
            return None

    def commit(self, copy: Path) -> None:
        """Remember a copy as good and delete all but the `MAX_COPIES` last used.

        Trouble is only logged.
        """
        try:
            if self.last_good() == copy:
                return
            with self._lock(0):
                os.utime(copy)
                write_atomically(
                    self.folder / _GOOD_MARKER,
                    lambda marker: marker.write_text(f"{copy.name}\n", "utf-8"),
                    partial=self.folder / f"{_GOOD_MARKER}.new",
                )
                self._prune(copy)
        except Timeout:
            pass  # the one who has the lock does the same, or the next one will
        except OSError as error:
            _log.warning("old models in %s cannot be cleared away: %s", self.folder, error)

    def _prune(self, current: Path) -> None:
        # Nobody is downloading, so a hidden folder is what a killed or failed process left.
        copies = [entry for entry in self.folder.iterdir() if entry.is_dir()]
        hidden = [entry for entry in copies if entry.name.startswith(".")]
        others = sorted(set(copies) - {current, *hidden}, key=lambda copy: -copy.stat().st_mtime_ns)
        for copy in others[MAX_COPIES - 1 :]:
            # Hidden first: a half-deleted copy must not look like one. Workers that still map its
            # files keep them until they let go.
            gone = copy.with_name(f".{copy.name}.gone")
            shutil.rmtree(gone, ignore_errors=True)
            hidden.append(copy.rename(gone))
        for entry in hidden:
            shutil.rmtree(entry, ignore_errors=True)

    def _lock(self, seconds: float) -> FileLock:
        return FileLock(self.folder / ".lock", timeout=seconds)


def _is_complete(
    target: Path, manifest_bytes: bytes, manifest: Manifest, *, verify_digests: bool
) -> bool:
    """Whether the copy is of this manifest and no file is missing or cut short (or damaged)."""
    try:
        if (target / MANIFEST_FILE).read_bytes() != manifest_bytes:
            return False
        if verify_digests:
            return all(
                _is_valid_file(target / name, facts) for name, facts in manifest.files.items()
            )
        return all(
            (target / name).stat().st_size == facts.bytes for name, facts in manifest.files.items()
        )
    except (FileNotFoundError, NotADirectoryError):
        return False


def _download_model(
    bucket_folder: RemoteFolder, manifest_bytes: bytes, manifest: Manifest, target: Path
) -> None:
    partial = target.with_name(f".{target.name}.partial")
    if target.exists():
        # Damaged, or of another manifest: nobody may open it now, but its good files are kept.
        shutil.rmtree(partial, ignore_errors=True)
        target.rename(partial)
    partial.mkdir(exist_ok=True)
    known = {*manifest.files, *(name + _PARTIAL_SUFFIX for name in manifest.files)}
    try:
        for stray in [file for file in partial.iterdir() if file.name not in known]:
            stray.unlink()
        for name, facts in manifest.files.items():
            if not _is_valid_file(partial / name, facts):
                _download_file(bucket_folder, name, partial / name, facts)
        (partial / MANIFEST_FILE).write_bytes(manifest_bytes)
        fsync_path(partial / MANIFEST_FILE)
        fsync_path(partial)
        partial.rename(target)
        fsync_path(target.parent)
    except OSError:
        # The disk is full, say: what was taken of it is given back.
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _is_valid_file(file: Path, facts: ManifestEntry) -> bool:
    try:
        verify_file(file, facts)
    except ArtifactError:
        return False
    return True


def _download_file(
    bucket_folder: RemoteFolder, name: str, file: Path, facts: ManifestEntry
) -> None:
    # A new file, never the old one written over: a running process may have mapped it.
    file.unlink(missing_ok=True)
    part = file.with_name(file.name + _PARTIAL_SUFFIX)
    bytes_present = part.stat().st_size if part.exists() else 0
    if bytes_present:
        _log.info("going on with %s at byte %d", bucket_folder.object_url(name), bytes_present)
    if bytes_present < facts.bytes or not facts.bytes:
        bucket_folder.resume_download(name, part, facts.bytes)
    try:
        verify_file(part, facts)
    except ArtifactError as error:
        part.unlink()
        if bytes_present:  # perhaps it was of something else
            _download_file(bucket_folder, name, file, facts)
            return
        reason = str(error).removeprefix(f"{part}: ").rstrip(".")
        raise ArtifactError(
            f"{bucket_folder.object_url(name)}: not what the manifest lists ({reason}); "
            "publish the model again."
        ) from None
    fsync_path(part)
    part.rename(file)
