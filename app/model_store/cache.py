"""Copies of remote models on this host: downloaded once, whole or not at all."""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from app.model_store.gcs import BucketFolder
from app.model_store.layout import parse_pointer
from app.recommender.artifact import MANIFEST, ArtifactError, FileFacts, Manifest, verify_file
from app.recommender.replacing import sync

LOCK_SECONDS = 600.0
KEPT = 2
"""Copies that stay: the one in use, and the one used before it, for the way back."""

_PART = ".part"
_GOOD = ".good"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Copies:
    """The copies of the models of one place, in a folder of their own, by version."""

    folder: Path

    def keep(
        self, source: BucketFolder, text: bytes, manifest: Manifest, *, thorough: bool = False
    ) -> Path:
        """Return the copy of a remote model, downloading what is not there.

        ``text`` is the remote manifest, byte for byte. The copy is put together in a hidden folder
        beside its place and renamed at the end, so what a killed process leaves is never opened;
        the next one goes on from the byte where it stopped. A lock lets one process download at a
        time. The digests of a copy made earlier are only compared when ``thorough``; whoever opens
        it does so anyway.

        Raises:
            ArtifactError: a file cannot be downloaded or is not what the manifest says, the folder
                cannot be written, or another process holds the lock for LOCK_SECONDS.
        """
        target = self.folder / manifest.version
        try:
            if _is_complete(target, text, manifest, thorough=thorough):
                return target
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._lock(LOCK_SECONDS):
                if not _is_complete(target, text, manifest, thorough=thorough):
                    _log.info("downloading model %s from %s", manifest.version, source.url)
                    _download(source, text, manifest, target)
        except Timeout:
            raise ArtifactError(
                f"{source.url}: another process has been downloading it into {target} for over "
                f"{LOCK_SECONDS:.0f} seconds; stop that process or start again later."
            ) from None
        except OSError as error:
            raise ArtifactError(
                f"{source.url}: cannot be kept in {target} ({error.strerror or error}); "
                "set HAKKEN_MODEL_CACHE to a folder with room that this user may write."
            ) from error
        return target

    def last_good(self) -> Path | None:
        """The copy that `settle` was last called with."""
        note = self.folder / _GOOD
        try:
            copy = self.folder / parse_pointer(note.read_bytes(), note)
            return copy if (copy / MANIFEST).is_file() else None
        except (OSError, ArtifactError):
            return None

    def settle(self, copy: Path) -> None:
        """Remember a copy as good and delete all but the KEPT last used. Trouble is only logged."""
        try:
            if self.last_good() == copy:
                return
            with self._lock(0):
                os.utime(copy)
                note = self.folder / f"{_GOOD}.new"
                note.write_text(f"{copy.name}\n", "utf-8")
                sync(note)
                note.replace(self.folder / _GOOD)
                sync(self.folder)
                self._clear(copy)
        except Timeout:
            pass  # the one who has the lock does the same, or the next one will
        except OSError as error:
            _log.warning("old models in %s cannot be cleared away: %s", self.folder, error)

    def _clear(self, used: Path) -> None:
        # Nobody is downloading, so a hidden folder is what a killed or failed process left.
        copies = [entry for entry in self.folder.iterdir() if entry.is_dir()]
        hidden = [entry for entry in copies if entry.name.startswith(".")]
        others = sorted(set(copies) - {used, *hidden}, key=lambda copy: -copy.stat().st_mtime_ns)
        for copy in others[KEPT - 1 :]:
            # Hidden first: a half-deleted copy must not look like one. Workers that still map its
            # files keep them until they let go.
            gone = copy.with_name(f".{copy.name}.gone")
            shutil.rmtree(gone, ignore_errors=True)
            hidden.append(copy.rename(gone))
        for entry in hidden:
            shutil.rmtree(entry, ignore_errors=True)

    def _lock(self, seconds: float) -> FileLock:
        return FileLock(self.folder / ".lock", timeout=seconds)


def _is_complete(target: Path, text: bytes, manifest: Manifest, *, thorough: bool) -> bool:
    """Whether the copy is of this manifest and no file is missing or cut short (or damaged)."""
    try:
        if (target / MANIFEST).read_bytes() != text:
            return False
        if thorough:
            return all(_verifies(target / name, facts) for name, facts in manifest.files.items())
        return all(
            (target / name).stat().st_size == facts.bytes for name, facts in manifest.files.items()
        )
    except (FileNotFoundError, NotADirectoryError):
        return False


def _download(source: BucketFolder, text: bytes, manifest: Manifest, target: Path) -> None:
    partial = target.with_name(f".{target.name}.partial")
    if target.exists():
        # Damaged, or of another manifest: nobody may open it now, but its good files are kept.
        shutil.rmtree(partial, ignore_errors=True)
        target.rename(partial)
    partial.mkdir(exist_ok=True)
    known = {*manifest.files, *(name + _PART for name in manifest.files)}
    try:
        for stray in [file for file in partial.iterdir() if file.name not in known]:
            stray.unlink()
        for name, facts in manifest.files.items():
            if not _verifies(partial / name, facts):
                _fetch(source, name, partial / name, facts)
        (partial / MANIFEST).write_bytes(text)
        sync(partial / MANIFEST)
        sync(partial)
        partial.rename(target)
        sync(target.parent)
    except OSError:
        # The disk is full, say: what was taken of it is given back.
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _verifies(file: Path, facts: FileFacts) -> bool:
    try:
        verify_file(file, facts)
    except ArtifactError:
        return False
    return True


def _fetch(source: BucketFolder, name: str, file: Path, facts: FileFacts) -> None:
    # A new file, never the old one written over: a running process may have mapped it.
    file.unlink(missing_ok=True)
    part = file.with_name(file.name + _PART)
    begun = part.stat().st_size if part.exists() else 0
    if begun:
        _log.info("going on with %s at byte %d", source.url_of(name), begun)
    if begun < facts.bytes or not facts.bytes:
        source.fetch(name, part)
    try:
        verify_file(part, facts)
    except ArtifactError as error:
        part.unlink()
        if begun:  # perhaps it was of something else
            _fetch(source, name, file, facts)
            return
        reason = str(error).removeprefix(f"{part}: ").rstrip(".")
        raise ArtifactError(
            f"{source.url_of(name)}: not what the manifest lists ({reason}); "
            "publish the model again."
        ) from None
    sync(part)
    part.rename(file)
